"""The fewest stops and starts that lead to a lawful end: against every end there is, on small clusters."""

from collections.abc import Iterator, Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.planning.fewest import Changes, fewest_changes


@st.composite
def small_clusters(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """Up to three workers and three classes: (users that run, users wanted by class, runners)."""
    workers, classes = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    running = [[draw(st.integers(0, 3)) for _ in range(classes)] for _ in range(workers)]
    wanted = [draw(st.integers(0, 3)) for _ in range(classes)]
    runners = [draw(st.integers(1, 3)) for _ in range(workers)]
    return running, wanted, runners


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """The same, larger, with workers that have no runner."""
    workers, classes = draw(st.integers(1, 8)), draw(st.integers(1, 6))
    running = [[draw(st.integers(0, 9)) for _ in range(classes)] for _ in range(workers)]
    wanted = [draw(st.integers(0, 30)) for _ in range(classes)]
    return running, wanted, [draw(st.integers(0, 5)) for _ in range(workers - 1)] + [1]


@given(small_clusters())
@settings(max_examples=300, deadline=None)
def test_changes_are_the_fewest_of_all_that_lead_to_a_lawful_end(
    cluster: tuple[list[list[int]], list[int], list[int]],
) -> None:
    """No end with these numbers by class, and workers at their shares, keeps more of what runs."""
    running, wanted, runners = cluster

    changes = fewest_changes(running=running, wanted=wanted, runners=runners)

    kept = sum(map(sum, running)) - sum(map(sum, changes.stops))
    assert kept == max(_kept_at_most(running, wanted, ends) for ends in _lawful_ends(sum(wanted), runners))


@given(clusters())
@settings(deadline=None)
def test_changes_lead_to_a_lawful_end(cluster: tuple[list[list[int]], list[int], list[int]]) -> None:
    """Nobody stops who does not run, every class has its number, every worker its share rounded."""
    running, wanted, runners = cluster

    changes = fewest_changes(running=running, wanted=wanted, runners=runners)

    left = [
        [have - stop for have, stop in zip(*pair, strict=True)]
        for pair in zip(running, changes.stops, strict=True)
    ]
    assert all(users >= 0 for by_class in left for users in by_class)
    assert min(changes.worker_starts) >= 0 <= min(changes.class_starts)
    by_class = [sum(column) for column in zip(*left, strict=True)]
    assert [a + b for a, b in zip(by_class, changes.class_starts, strict=True)] == wanted
    for by_class, starts, count in zip(left, changes.worker_starts, runners, strict=True):
        assert abs((sum(by_class) + starts) * sum(runners) - sum(wanted) * count) < sum(runners)
    assert not _starts_what_stops(changes)


def _starts_what_stops(changes: Changes) -> bool:
    """Whether a worker may start a user of a class that it stops: it could have kept that one."""
    return any(
        stop and changes.worker_starts[worker] and changes.class_starts[user_class]
        for worker, stopped in enumerate(changes.stops)
        for user_class, stop in enumerate(stopped)
    )


def _lawful_ends(users: int, runners: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every way to round the workers' shares."""
    total = sum(runners)
    choices = [{users * count // total, -(-users * count // total)} for count in runners]
    return (ends for ends in product(*choices) if sum(ends) == users)


def _kept_at_most(running: Sequence[Sequence[int]], wanted: Sequence[int], ends: Sequence[int]) -> int:
    """Most users that can stay: by trying, worker by worker, every part of its users that fits."""
    best = {tuple(wanted): 0}
    for by_class, end in zip(running, ends, strict=True):
        after: dict[tuple[int, ...], int] = {}
        for room, kept in best.items():
            parts = product(*(range(min(have, free) + 1) for have, free in zip(by_class, room, strict=True)))
            for part in parts:
                if sum(part) <= end:
                    left = tuple(free - stay for free, stay in zip(room, part, strict=True))
                    after[left] = max(after.get(left, 0), kept + sum(part))
        best = after
    return max(best.values())
