"""How snapshots change the picture: nothing of another run, life or epoch is mixed in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.v1.report_pb2 import SeriesDefinition
from locust_protocol.v1.snapshot_pb2 import HistoryPoint, RunEvent, RunState, RunSummary, SeriesRow, Snapshot
from locust_tui.model import MAX_EVENTS, MAX_HISTORY_POINTS, Picture, acknowledge, apply
from tests.tui.builders import EPOCH, RUN_ID, ready_snapshot, running_snapshot, series_row


def changed(**fields: object) -> Snapshot:
    """A change of the run of `running_snapshot`."""
    run = RunSummary(run_id=RUN_ID, state=RunState.RUN_STATE_RUNNING, stats_epoch=1)
    return Snapshot(**{"master_epoch": EPOCH, "generation": 5, "run": run} | fields)  # type: ignore[arg-type]


def test_changed_rows_replace_theirs_and_leave_the_rest() -> None:
    """A stream carries what changed."""
    before = apply(Picture(), running_snapshot())
    after = apply(before, changed(series=[series_row(2, requests=50_000)]))
    assert after.series[2].requests == 50_000
    assert after.series[1] == before.series[1]
    assert after.definition(2).name == "/search"
    assert after.errors == before.errors


def test_a_whole_snapshot_replaces_everything() -> None:
    """What it does not hold is gone."""
    before = apply(Picture(), running_snapshot())
    after = apply(before, ready_snapshot())
    assert not after.series
    assert not after.events
    assert not after.history


def test_a_new_life_of_the_master_replaces_everything_though_not_whole() -> None:
    """Its numbers for rows and generations are its own."""
    before = apply(Picture(), running_snapshot())
    after = apply(before, Snapshot(master_epoch=EPOCH + 1, generation=1, series=[series_row(1, requests=3)]))
    assert set(after.series) == {1}
    assert after.generation == 1
    assert after.definition(1).name == "series 1"


def test_a_new_run_drops_the_rows_of_the_old_one() -> None:
    """Row numbers belong to a run."""
    before = apply(Picture(), running_snapshot())
    run = RunSummary(run_id=b"another run here", state=RunState.RUN_STATE_SPAWNING)
    after = apply(before, Snapshot(master_epoch=EPOCH, generation=6, run=run))
    assert not after.series
    assert not after.errors
    assert after.generation == 6


def test_a_reset_drops_statistics_and_keeps_names_and_charts() -> None:
    """Names are sent once in a stream, and the run goes on."""
    before = apply(Picture(), running_snapshot())
    run = RunSummary(run_id=RUN_ID, state=RunState.RUN_STATE_RUNNING, stats_epoch=2)
    after = apply(before, changed(run=run, series=[series_row(1, requests=1)]))
    assert set(after.series) == {1}
    assert after.definition(1).name == "/"
    assert not after.errors
    assert after.history == before.history


def test_workers_and_warnings_are_replaced_each_time() -> None:
    """The schema says so: each time all of them."""
    before = apply(Picture(), running_snapshot())
    assert len(before.workers) == 2
    assert apply(before, changed()).workers == ()


def test_series_zero_needs_no_definition() -> None:
    """It is where names over the limit are counted."""
    assert Picture().definition(0).name == "(other)"


def test_history_and_events_are_bounded() -> None:
    """A long run must not fill the memory of who watches it."""
    points = [HistoryPoint(start_ms=1_000 * second) for second in range(MAX_HISTORY_POINTS + 5)]
    events = [RunEvent(id=number) for number in range(1, MAX_EVENTS + 6)]
    picture = apply(Picture(), changed(history=points, events=events))
    assert min(picture.history) == 5_000
    assert min(picture.events) == 6


def test_generation_never_goes_back_within_a_life() -> None:
    """The answer to a command may be ahead of the stream."""
    picture = acknowledge(apply(Picture(), running_snapshot()), 9)
    assert apply(picture, changed()).generation == 9


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 100)), max_size=20), st.integers(0, 20))
def test_changes_in_any_pieces_come_to_the_same(rows: list[tuple[int, int]], cut: int) -> None:
    """A slow reader gets several changes in one message."""
    messages = [
        SeriesRow(id=number, requests=requests, definition=SeriesDefinition(id=number, name=str(number)))
        for number, requests in rows
    ]
    start = apply(Picture(), running_snapshot())
    at_once = apply(start, changed(series=messages))
    in_two = apply(apply(start, changed(series=messages[:cut])), changed(series=messages[cut:]))
    assert at_once == in_two
