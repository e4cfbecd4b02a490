"""What is said of a loss, and when losses are more than the operator allows."""

from __future__ import annotations

import pytest

from locust_master.losses import Loss, LossKind, LossTerms, is_beyond, lost_workers, missing_ms


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (
            Loss("w1", 13_000, 1_250),
            "worker w1 lost, silent from 13 s on, up to 1250 ms of its samples missing",
        ),
        (
            Loss("w1", 13_000, 0, until_ms=40_000),
            "worker w1 lost, silent from 13 s on, back at 40 s, none of its samples missing",
        ),
        (
            Loss("w1", 5_000, 240, LossKind.RUNNER),
            "a runner of w1 lost at 5 s, up to 240 ms of its samples missing",
        ),
        (
            Loss("w1", 5_000, 900, LossKind.LAST_REPORT),
            "worker w1 went at 5 s without its last report, up to 900 ms of its samples missing",
        ),
        (
            Loss("w1", 5_000, 0, LossKind.FENCED),
            "worker w1 ended its users at 5 s, cut off from the master, none of its samples missing",
        ),
        (
            Loss("w1", 5_000, 5_000, LossKind.UNREADABLE),
            "what worker w1 said anew at 5 s could not be merged, up to 5000 ms of its samples missing",
        ),
        (Loss("", 5_000, 0, LossKind.NO_WORKER), "no worker, so no load, from 5 s on"),
        (
            Loss("", 5_000, 0, LossKind.NO_WORKER, until_ms=9_000),
            "no worker, so no load, from 5 s on until 9 s",
        ),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Loss) else "",
)
def test_loss_is_said_with_whom_when_and_how_much(loss: Loss, sentence: str) -> None:
    """A reader must know which numbers to doubt."""
    assert loss.sentence() == sentence


@pytest.mark.parametrize(
    ("losses", "allow_lost", "beyond"),
    [
        ((), 0, False),
        ((Loss("w1", 0, 0),), 0, True),
        ((Loss("w1", 0, 0),), 1, False),
        ((Loss("w1", 0, 0), Loss("w1", 9, 0)), 1, False),
        ((Loss("w1", 0, 0), Loss("w2", 9, 0)), 1, True),
        ((Loss("w1", 0, 0, LossKind.FENCED),), 0, True),
        ((Loss("w1", 0, 0, LossKind.RUNNER),), 0, True),
        ((Loss("w1", 0, 9, LossKind.RUNNER), Loss("w2", 0, 9, LossKind.RUNNER)), 1, False),
        ((Loss("", 0, 0, LossKind.NO_WORKER),), 5, True),
    ],
)
def test_losses_are_beyond_what_is_allowed_by_workers(
    losses: tuple[Loss, ...], allow_lost: int, *, beyond: bool
) -> None:
    """A worker counts once however often it was lost; time without any worker is never allowed."""
    assert is_beyond(losses, LossTerms(allow_lost=allow_lost)) is beyond


def test_worker_that_only_lost_a_runner_is_no_lost_worker() -> None:
    """`--on-worker-loss` is about whole workers."""
    assert lost_workers([Loss("w1", 0, 9, LossKind.RUNNER), Loss("w2", 0, 9)]) == {"w2"}


@pytest.mark.parametrize(
    ("ended_s", "expected_ms"),
    [(None, 10_000), (101.0, 2_000), (103.5, 4_500), (103.6, 10_000)],
)
def test_missing_samples_end_with_the_process_or_with_the_lease(
    ended_s: float | None, expected_ms: int
) -> None:
    """Never less than what may be missing."""
    assert missing_ms(reported_s=100, ended_s=ended_s, now_s=110, died_within_s=3.5) == expected_ms
