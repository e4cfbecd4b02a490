"""What stands above every screen, and what a person may do."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from locust_protocol.v1.report_pb2 import WorkerState
from locust_protocol.v1.snapshot_pb2 import RunState, Snapshot, Warning, WarningKind
from locust_tui import connection
from locust_tui.connection import Link, LinkPhase, Trouble
from locust_tui.model import Picture, apply
from locust_tui.view import permissions
from locust_tui.view.header import Header, header
from locust_tui.view.shapes import Tone, text_of
from tests.tui.builders import ready_snapshot, running_snapshot

TARGET = "127.0.0.1:5557"
CONNECTED = Link(TARGET, LinkPhase.CONNECTED, 0.0)
LOST = Link(TARGET, LinkPhase.LOST, 90.0, Trouble.REFUSED, was_connected=True)
NOW_S = 100.0


def shown(
    snapshot: Snapshot | None, *, link: Link = CONNECTED, news_s: float = NOW_S, width: int = 80
) -> Header:
    picture = apply(Picture(), snapshot) if snapshot else Picture()
    return header(picture, link, now_s=NOW_S, news_s=news_s, width=width)


def test_header_of_a_run_at_80_cells() -> None:
    """State and target stand top left, figures at the right, in exactly the width."""
    result = shown(running_snapshot())
    assert text_of(result.first) == (
        " RUNNING      https://shop.test     120/120 users   460.2 rps  0.4% fail  2/2 w "
    )
    assert text_of(result.second) == (
        " 00:03:12 elapsed · 00:06:48 left            p50 38 ms    p95 210 ms            "
    )
    assert result.banner == ()


@pytest.mark.parametrize("width", [80, 100, 160, 250])
@pytest.mark.parametrize("users", [0, 9, 120, 4_000_000])
def test_header_lines_fill_the_width_and_no_more(width: int, users: int) -> None:
    """A line that wraps pushes the screen down."""
    snapshot = running_snapshot(users=users)
    snapshot.run.host = "https://a-very-long-host-name.example.test/with/a/path?and=a&query=too"
    result = shown(snapshot, width=width)
    assert cell_len(text_of(result.first)) == width
    assert cell_len(text_of(result.second)) == width


@pytest.mark.parametrize(
    ("state", "word", "tone"),
    [
        (RunState.RUN_STATE_UNSPECIFIED, "READY", Tone.READY_STATE),
        (RunState.RUN_STATE_READY, "READY", Tone.READY_STATE),
        (RunState.RUN_STATE_SPAWNING, "SPAWNING", Tone.SPAWNING_STATE),
        (RunState.RUN_STATE_RUNNING, "RUNNING", Tone.RUNNING_STATE),
        (RunState.RUN_STATE_STOPPING, "STOPPING", Tone.STOPPING_STATE),
        (RunState.RUN_STATE_STOPPED, "STOPPED", Tone.STOPPED_STATE),
    ],
)
def test_each_state_has_its_word_and_tone(state: RunState.ValueType, word: str, tone: Tone) -> None:
    """Colour is never the only sign."""
    snapshot = running_snapshot()
    snapshot.run.state = state
    badge = shown(snapshot).first[0]
    assert (badge.text.strip(), badge.tone) == (word, tone)


def test_lost_master_makes_everything_stale() -> None:
    """Old numbers must never look like new ones."""
    result = shown(running_snapshot(), link=LOST)
    assert result.first[0].text.strip() == "STALE"
    assert "STALE master lost 10 s ago: connection refused" in text_of(result.banner)


@pytest.mark.parametrize(
    ("state", "silent_s", "is_stale"),
    [
        (RunState.RUN_STATE_RUNNING, 3.0, False),
        (RunState.RUN_STATE_RUNNING, 7.0, True),
        (RunState.RUN_STATE_STOPPED, 7.0, False),
    ],
)
def test_silence_is_stale_only_while_news_is_due(
    state: RunState.ValueType, silent_s: float, is_stale: bool
) -> None:
    """An idle master has nothing to say."""
    snapshot = running_snapshot()
    snapshot.run.state = state
    assert ("STALE" in text_of(shown(snapshot, news_s=NOW_S - silent_s).first)) is is_stale


def test_banner_shows_the_gravest_warning_and_counts_the_rest() -> None:
    """One line for what changes decisions; INSECURE has a slot of its own."""
    snapshot = running_snapshot()
    for kind in (
        WarningKind.WARNING_KIND_INSECURE,
        WarningKind.WARNING_KIND_GENERATOR_BOUND,
        WarningKind.WARNING_KIND_DEGRADED,
    ):
        snapshot.warnings.append(Warning(kind=kind, text="worker host-3\x1b[31m lost"))
    result = shown(snapshot)
    assert text_of(result.banner).startswith(" DEGRADED worker host-3[31m lost (+1 more: 6)")
    assert "INSECURE" in text_of(result.second)


def test_missing_workers_are_counted_against_those_wanted() -> None:
    """A worker that is silent is not here."""
    snapshot = running_snapshot()
    snapshot.workers[0].state = WorkerState.WORKER_STATE_MISSING
    assert "1/2 w" in text_of(shown(snapshot).first)


def test_without_values_there_are_dashes() -> None:
    """Never 0 or nan for what has no meaning."""
    result = shown(ready_snapshot())
    assert "– fail" in text_of(result.first)
    assert "p50 –" in text_of(result.second)
    assert "no run yet" in text_of(result.second)


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        (Link(TARGET, LinkPhase.CONNECTING, 0.0), "connecting to 127.0.0.1:5557"),
        (
            Link(TARGET, LinkPhase.LOST, 88.0, Trouble.REFUSED),
            "no master at 127.0.0.1:5557 for 12 s: connection refused",
        ),
        (LOST, "master lost 10 s ago: connection refused"),
        (CONNECTED, ""),
    ],
)
def test_connection_is_told_in_one_sentence(link: Link, sentence: str) -> None:
    """What is the matter, and since when."""
    assert connection.headline(link, NOW_S) == sentence


@pytest.mark.parametrize("trouble", list(Trouble))
def test_every_trouble_has_a_cause_and_a_remedy(trouble: Trouble) -> None:
    """A person is never left with a code."""
    link = Link(TARGET, LinkPhase.LOST, 0.0, trouble, "detail")
    assert connection.cause(link)
    assert connection.remedy(link)


def test_start_needs_connection_workers_and_no_run() -> None:
    """Start greyed says why."""
    ready, empty = apply(Picture(), ready_snapshot()), apply(Picture(), ready_snapshot(with_workers=False))
    running = apply(Picture(), running_snapshot())
    assert permissions.why_not_start(ready, CONNECTED, now_s=0) == ""
    assert "locust-worker --master-host 127.0.0.1 --master-port 5557" in permissions.why_not_start(
        empty, CONNECTED, now_s=0
    )
    assert "stop it first" in permissions.why_not_start(running, CONNECTED, now_s=0)
    assert "connection refused" in permissions.why_not_start(ready, LOST, now_s=NOW_S)


def test_edit_and_stop_need_a_run_that_goes_on() -> None:
    """A stopped run has nothing to edit; its statistics can still be reset."""
    running = apply(Picture(), running_snapshot())
    stopped_snapshot = running_snapshot()
    stopped_snapshot.run.state = RunState.RUN_STATE_STOPPED
    stopped = apply(Picture(), stopped_snapshot)
    for rule in (permissions.why_not_edit, permissions.why_not_stop):
        assert rule(running, CONNECTED, now_s=0) == ""
        assert rule(stopped, CONNECTED, now_s=0) != ""
    assert permissions.why_not_touch_run(stopped, CONNECTED, now_s=0) == ""
    assert permissions.why_not_touch_run(Picture(), CONNECTED, now_s=0) != ""


def test_worker_command_takes_ipv6_out_of_its_brackets() -> None:
    """It is pasted as it stands."""
    assert permissions.worker_command("[::1]:5557") == "locust-worker --master-host ::1 --master-port 5557"
