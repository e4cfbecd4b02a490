"""A fair sequence: who comes next so that everyone has a fair share at every moment, not only at the end.

Each weight is due its share of every prefix of the sequence. The user that comes next is the one whose
deadline is earliest among those already due (Tijdeman's rule for the chairman assignment problem), which
keeps every count less than one away from its share at every prefix. A sequence only ever grows, so a ramp
up never has to stop a user; rounding each total on its own (largest remainder) does not have that.

Pure: it must never depend on anything but the weights.
"""

import math
from collections.abc import Iterator, Mapping, Sequence, Sized
from fractions import Fraction
from heapq import heappop, heappush
from itertools import chain, cycle, islice

from locust_master.planning.stretches import fair_stretches

# Longest stretch that is kept for repeating (count of picks; 8 bytes each). Weights whose sum, in lowest
# terms, is longer are computed pick by pick, which is some ten times slower but needs no memory.
MAX_REPEATED_PICKS = 100_000

# A weight this near (as a part of itself) to a fraction with a denominator this small (count) is taken for
# it. Over a hundred thousand users that moves no share by more than a millionth of a user.
MAX_ROUNDING = Fraction(1, 10**12)
MAX_DENOMINATOR = 1_000

# Smallest share that is told from none (fraction): one user in 10^15, where a float's own digits end.
MIN_SHARE = 1e-15


def fair_sequence(weights: Sequence[float]) -> Iterator[int]:
    """Yield indices of `weights` for ever: at each prefix each index is less than one from its share.

    An index whose weight is 0 never comes; with no weight above 0 the sequence is empty.
    Raises ValueError for a weight that is negative or not finite.
    """
    for weight in weights:
        if not math.isfinite(weight) or weight < 0:
            raise ValueError(f"a weight must be a finite number of at least 0, not {weight!r}")
    # Scaled by the largest first: the sum of huge weights must not overflow, and a weight that vanishes
    # beside the largest one has no share that any real number of users could show.
    largest = max(weights, default=0)
    scaled = [weight / largest for weight in weights] if largest else []
    total = math.fsum(scaled)
    shares = {index: weight / total for index, weight in enumerate(scaled) if weight / total > MIN_SHARE}
    if len(shares) == 1:
        yield from cycle(shares)
    repeat = _repeat_length([weights[index] for index in shares])
    if not shares:
        return
    picks = chain.from_iterable(fair_stretches(shares, slack_of(shares)))
    if repeat is None:
        yield from picks
    first: list[int] = []
    for pick in islice(picks, repeat):
        first.append(pick)
        yield pick
    yield from cycle(first)


def slack_of(shares: Sized) -> float:
    """Tijdeman's slack: with k shares no count is ever more than 1 - 1/(2k - 2) away from its share."""
    return 1 / (2 * len(shares) - 2)


def earliest_deadline_first(shares: Mapping[int, float]) -> Iterator[int]:
    """Tijdeman's rule pick by pick, for two shares or more: what the stretches must give, told plainly."""
    slack = slack_of(shares)
    counts = dict.fromkeys(shares, 0)
    # (prefix length from which it may come, index) and (prefix length by which it must have come, index).
    waiting: list[tuple[float, int]] = []
    due: list[tuple[float, int]] = []
    for index, share in shares.items():
        heappush(waiting, (slack / share, index))
    length = 0
    while True:
        length += 1
        while waiting and waiting[0][0] <= length:
            _, index = heappop(waiting)
            heappush(due, ((counts[index] + 1 - slack) / shares[index], index))
        # Somebody is always due in exact arithmetic; rounding may hide the one who is due by a hair.
        _, index = heappop(due) if due else heappop(waiting)
        counts[index] += 1
        heappush(waiting, ((counts[index] + slack) / shares[index], index))
        yield index


def _simple(weight: float) -> Fraction:
    """The weight as its author meant it: 0.1 + 0.2 is three tenths, and repeats like them."""
    exact = Fraction(weight)
    simple = exact.limit_denominator(MAX_DENOMINATOR)
    return simple if abs(simple - exact) <= exact * MAX_ROUNDING else exact


def _repeat_length(weights: Sequence[float]) -> int | None:
    """After how many picks every count is exactly its weight's share, so that all starts over."""
    exact = [_simple(weight) for weight in weights]
    scale = math.lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * scale) for weight in exact]
    if not whole:
        return None
    length = sum(whole) // math.gcd(*whole)
    return length if length <= MAX_REPEATED_PICKS else None
