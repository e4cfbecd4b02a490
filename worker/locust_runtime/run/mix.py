"""Which class the next user belongs to, when one process runs all of them.

The idea: user number k of a class with share w is due between (k-1)/w and k/w places into the sequence;
among the classes whose next user may come, the one that must come first goes first (earliest deadline
first). So every prefix of the sequence is within one user of the exact mix, and a larger total only adds.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice


def fair_sequence(weights: Mapping[str, float]) -> Iterator[str]:
    """Names in the order in which users should start, without end; nothing when no weight is above 0."""
    total = sum(Fraction(weight) for weight in weights.values() if weight > 0)
    shares = {name: Fraction(weight) / total for name, weight in weights.items() if weight > 0}
    placed = dict.fromkeys(shares, 0)
    place = 0
    while shares:
        place += 1
        ready = [name for name, share in shares.items() if place * share > placed[name]]
        chosen = min(ready, key=lambda name: math.ceil((placed[name] + 1) / shares[name]))
        placed[chosen] += 1
        yield chosen


def user_sequence(weights: Mapping[str, float], fixed_counts: Mapping[str, int]) -> Iterator[str]:
    """As `fair_sequence`, but after the users of classes with a fixed count, whose weights are ignored."""
    fixed = {name: count for name, count in fixed_counts.items() if count > 0}
    yield from islice(fair_sequence(fixed), sum(fixed.values()))
    yield from fair_sequence({name: weight for name, weight in weights.items() if name not in fixed})
