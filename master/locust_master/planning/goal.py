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

# Spawn rate (users per second) of a jump: so high that even the due times of 10^8 users all round to the
# same microsecond, and finite, so that it is stored and sent like any other.
AT_ONCE = 1e15


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


def goal_text(goal: Goal) -> str:
    """Say a goal to people."""
    pace = "at once" if goal.spawn_rate >= AT_ONCE else f"at {goal.spawn_rate:g}/s"
    return f"{goal.users} users {pace}"


def class_order(classes: Sequence[ClassShare]) -> Iterator[int]:
    """Yield the class (index into `classes`) of the first user, the second, and so on.

    Classes with a fixed count come first, interleaved, until each has exactly its count; then the weighted
    ones by fair share, for ever. Without weighted classes the sequence ends after the fixed ones.
    """
    fixed = [index for index, share in enumerate(classes) if share.fixed_count > 0]
    weighted = [index for index, share in enumerate(classes) if share.fixed_count <= 0]
    counts = [classes[index].fixed_count for index in fixed]
    weights = [classes[index].weight for index in weighted]
    return chain(
        islice(map(fixed.__getitem__, fair_sequence(counts)), sum(counts)),
        map(weighted.__getitem__, fair_sequence(weights)),
    )


def class_sequence(classes: Sequence[ClassShare]) -> Iterator[str]:
    """Yield the name of the first user's class, the second's, and so on; see `class_order`."""
    return map([share.name for share in classes].__getitem__, class_order(classes))


def placeable_users(classes: Sequence[ClassShare], users: int) -> int:
    """Return how many of `users` users have a class: fewer when only classes of a fixed count are left."""
    if any(share.fixed_count <= 0 and share.weight > 0 for share in classes):
        return users
    return min(users, sum(max(0, share.fixed_count) for share in classes))


def class_counts(classes: Sequence[ClassShare], users: int) -> dict[str, int]:
    """Return how many of `users` users each class has; classes in the order given, 0 included.

    The sum is less than `users` only when there are no weighted classes to take the rest.
    """
    counted = Counter(islice(class_order(classes), users))
    return {share.name: counted[index] for index, share in enumerate(classes)}
