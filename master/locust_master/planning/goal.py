"""What a run is after: how many users, how fast, of which classes, and in which order the classes come.

The order is one sequence for the whole cluster, and a total of n users is always its first n classes.
So a class mix depends on nothing but the goal, and raising the total only ever adds users.

Pure: it must never ask who runs what or when.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from locust_master.planning.share import fair_sequence


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A user class's part of the users: exactly `fixed_count` users when that is above 0, else by weight."""

    name: str
    weight: float
    fixed_count: int = 0


@dataclass(frozen=True, slots=True)
class Goal:
    """`users` users in all, started or stopped at `spawn_rate` per second, of these classes."""

    users: int
    spawn_rate: float
    classes: tuple[ClassShare, ...]


@dataclass(frozen=True, slots=True)
class TimedGoal:
    """A goal that holds from `from_us` (µs on the run's timeline) on."""

    from_us: int
    goal: Goal


def class_sequence(classes: Sequence[ClassShare]) -> Iterator[str]:
    """Yield the class of the first user, the second, and so on.

    Classes with a fixed count come first, interleaved, until each has exactly its count; then the weighted
    ones by fair share, for ever. Without weighted classes the sequence ends after the fixed ones.
    """
    fixed = [share for share in classes if share.fixed_count > 0]
    weighted = [share for share in classes if share.fixed_count <= 0]
    return chain(
        islice(
            map([share.name for share in fixed].__getitem__, fair_sequence([s.fixed_count for s in fixed])),
            sum(share.fixed_count for share in fixed),
        ),
        map([share.name for share in weighted].__getitem__, fair_sequence([s.weight for s in weighted])),
    )


def class_counts(classes: Sequence[ClassShare], users: int) -> dict[str, int]:
    """Return how many of `users` users each class has; classes in the order given, 0 included.

    The sum is less than `users` only when there are no weighted classes to take the rest.
    """
    counted = Counter(islice(class_sequence(classes), users))
    return {share.name: counted[share.name] for share in classes}
