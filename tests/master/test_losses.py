"""What is said of a loss, and when losses are more than the operator allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_master.losses import (
    RECONNECT_S,
    SILENT_INTERVALS,
    LastSigns,
    Loss,
    LossKind,
    LossTerms,
    Missing,
    is_beyond,
    lost_workers,
    missing,
)


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (
            Loss("w1", 13_000, 1_250),
            "worker w1 lost, silent from 13 s on, up to 1250 ms of its samples missing",
        ),
        (
            Loss("w1", 13_000, 1_250, if_cut_off_ms=13_250),
            "worker w1 lost, silent from 13 s on, up to 1250 ms of its samples missing if it died then, "
            "up to 13250 ms if it lived on, cut off",
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


SIGNS = LastSigns(complete_s=99.75, heard_s=100.0, report_interval_s=1.0, ended_s=None, users_until_s=113.0)
"""Of a worker that was heard at 100 s and has users until 113 s at the latest."""

WHOLE = Missing(13_250)
"""Nobody knows when it died."""


@pytest.mark.parametrize(
    ("ended_s", "report_interval_s", "expected"),
    [
        (None, 1.0, WHOLE),
        (100.0, 1.0, Missing(1_250, 13_250)),
        (101.0, 1.0, Missing(2_250, 13_250)),
        (101.5, 1.0, Missing(2_750, 13_250)),
        (101.6, 1.0, WHOLE),
        (110.0, 1.0, WHOLE),
        (104.5, 3.0, Missing(5_750, 13_250)),
        (104.6, 3.0, WHOLE),
    ],
)
def test_missing_samples_end_with_the_connection_only_if_reports_came_until_then(
    ended_s: float | None, report_interval_s: float, expected: Missing
) -> None:
    """A worker that stood still already may live on when it is cut off: that end is not its own."""
    signs = replace(SIGNS, ended_s=ended_s, report_interval_s=report_interval_s)
    assert missing(signs) == expected


def test_worker_that_is_known_to_be_dead_did_not_live_on() -> None:
    """An embedded one ends with its master, however long nothing was heard of it."""
    assert missing(replace(SIGNS, ended_s=102.0, is_dead=True)) == Missing(3_250)


def test_connection_that_ends_when_users_have_ended_adds_nothing() -> None:
    """The run ends a moment after the connection: later samples are not of this run."""
    signs = replace(SIGNS, ended_s=101.0, users_until_s=101.5)
    assert missing(signs) == Missing(1_750)


instants = st.floats(0, 60)


@given(complete=instants, heard=instants, ended=st.none() | instants, died=instants, more=instants)
def test_loss_is_never_less_than_what_the_worker_gathered_whenever_it_died(
    complete: float, heard: float, ended: float | None, died: float, more: float
) -> None:
    """Its users end in the end. If it died with its connection, the first figure alone covers it."""
    signs = LastSigns(
        complete_s=complete,
        heard_s=max(heard, complete),
        report_interval_s=1.0,
        ended_s=ended,
        users_until_s=max(heard, complete) + more,
    )
    loss, gathered_s = missing(signs), min(died, signs.users_until_s) - complete
    assert max(loss.missing_ms, loss.if_cut_off_ms) >= gathered_s * 1_000
    if ended is not None and ended <= died <= ended + RECONNECT_S:
        assert loss.missing_ms >= gathered_s * 1_000
    if ended is not None and ended - signs.heard_s > SILENT_INTERVALS:
        assert loss.if_cut_off_ms == 0
