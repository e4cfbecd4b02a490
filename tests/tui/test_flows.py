"""Each thing that a person does, key by key, against a master over real gRPC."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

import grpc
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from locust_protocol.v1.control_service_pb2 import GetManifestResponse
from locust_protocol.v1.snapshot_pb2 import RunEvent, RunEventKind, RunState, Snapshot
from locust_tui import connection
from locust_tui.app import LocustTui
from locust_tui.widgets.live_table import LiveTable
from tests.support.ports import free_port
from tests.support.wait import wait_until_async
from tests.tui.builders import manifest, ready_snapshot, running_snapshot, series_row
from tests.tui.fake_master import FakeMaster
from tests.tui.rendered import DEADLINE_S, screen_text, wait_for_screen, wait_for_text

NARROW = (80, 24)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A master is called silent neither for having nothing new to say nor for sharing a slow machine."""
    monkeypatch.setattr(connection, "SILENT_AFTER_S", 3_600.0)
    monkeypatch.setattr("locust_tui.client.CALL_DEADLINE_S", 60.0)


@contextlib.asynccontextmanager
async def screens_on(
    snapshot: Snapshot, offer: GetManifestResponse | None = None, *, size: tuple[int, int] = NARROW
) -> AsyncIterator[tuple[FakeMaster, Pilot[None]]]:
    """The application on a fake master, once it shows something of it."""
    async with FakeMaster(snapshot, offer or manifest()) as master:
        app = LocustTui(master.target)
        async with app.run_test(size=size, notifications=True) as pilot:
            await wait_until_async(
                lambda: app.session.picture.is_known, deadline_s=DEADLINE_S, describe="the first snapshot"
            )
            yield master, pilot


async def wait_until_asked(requests: Sequence[object], pilot: Pilot[None]) -> None:
    await wait_until_async(
        lambda: requests, deadline_s=DEADLINE_S, describe=lambda: f"a request; {screen_text(pilot.app)}"
    )


async def type_into(pilot: Pilot[None], selector: str, text: str) -> None:
    """As a person does who replaces what stands there."""
    pilot.app.screen.query_one(f"{selector} Input", Input).value = ""
    pilot.app.screen.query_one(f"{selector} Input", Input).focus()
    await pilot.press(*text)


async def test_start_form_opens_by_itself_where_nothing_was_run() -> None:
    """The first thing to do stands there, filled with the command line's values."""
    async with screens_on(ready_snapshot()) as (_, pilot):
        filled = ("120", "10m", "as the classes have it: https://shop.test", "Browser", "weight 3")
        await wait_for_text(pilot, "2 workers ready", *filled)


async def test_run_screen_opens_where_a_run_goes_on() -> None:
    """A second person joins in the middle."""
    async with screens_on(running_snapshot()) as (_, pilot):
        text = await wait_for_text(pilot, "GET /search", "RUNNING")
        assert "New run" not in text


async def test_enter_starts_a_run_with_what_was_typed() -> None:
    """From the form to the request to the numbers."""
    async with screens_on(ready_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "Enter starts")
        await type_into(pilot, "#start-users", "25")
        await type_into(pilot, "#start-host", "http://target.test")
        await type_into(pilot, "#start-time", "90s")
        await pilot.press("enter")
        await wait_until_asked(master.started, pilot)
        options = master.started[0].options
        assert (options.users, options.spawn_rate, options.run_time_ms) == (25, 10.0, 90_000)
        assert options.host == "http://target.test"
        assert master.started[0].precondition.expected_generation == 1
        master.push(running_snapshot())
        await wait_for_text(pilot, "RUNNING")


async def test_invalid_field_says_why_and_keeps_start_grey() -> None:
    """Nothing is sent that cannot be meant."""
    async with screens_on(ready_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "Enter starts")
        await type_into(pilot, "#start-users", "many")
        await wait_for_text(pilot, "✗ a whole number")
        await pilot.press("enter")
        assert pilot.app.screen.query_one("#start").disabled
        assert not master.started


async def test_start_is_grey_without_workers_and_says_what_to_start() -> None:
    """The command can be pasted; it turns green by itself when a worker joins."""
    async with screens_on(ready_snapshot(with_workers=False)) as (master, pilot):
        await wait_for_text(pilot, "no worker is connected", "locust-worker")
        await pilot.press("enter")
        assert not master.started
        master.push(ready_snapshot())
        await wait_for_text(pilot, "2 workers ready")


async def test_refused_start_shows_the_reason_and_keeps_the_form() -> None:
    """What was typed is not lost."""
    async with screens_on(ready_snapshot(), manifest(with_host=False)) as (master, pilot):
        master.refusals["StartRun"] = (grpc.StatusCode.FAILED_PRECONDITION, "no host: give one with -H")
        await wait_for_text(pilot, "a class has no host")
        await type_into(pilot, "#start-users", "7")
        await pilot.press("enter")
        await wait_for_text(pilot, "no host: give one with -H", "New run")
        del master.refusals["StartRun"]
        await pilot.press("enter")
        await wait_until_async(
            lambda: len(master.started) == 2, deadline_s=DEADLINE_S, describe="a second try"
        )
        assert master.started[1].options.users == 7


async def test_locustfile_that_cannot_be_loaded_is_named() -> None:
    """File and line, in the master's words."""
    async with FakeMaster(ready_snapshot(), manifest()) as master:
        master.refusals["GetManifest"] = (
            grpc.StatusCode.FAILED_PRECONDITION,
            "locustfile.py:3: NameError: x",
        )
        async with LocustTui(master.target).run_test(size=NARROW) as pilot:
            await wait_for_text(pilot, "locustfile.py:3: NameError: x")


async def test_edit_sends_users_and_rate_on_the_generation_seen() -> None:
    """And says before what will be."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("e")
        await type_into(pilot, "#edit-users", "200")
        await wait_for_text(pilot, "120 → 200 users, in 8 s")
        await pilot.press("enter")
        await wait_until_asked(master.edited, pilot)
        request = master.edited[0]
        assert (request.users, request.spawn_rate) == (200, 10.0)
        assert request.precondition.expected_generation == 5
        await wait_for_text(pilot, "GET /search")


async def test_edit_that_came_too_late_says_what_changed_and_asks_again() -> None:
    """Two people edit one run."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("e")
        await wait_for_text(pilot, "Edit the run")
        newer = running_snapshot()
        newer.generation, newer.run.target_users, newer.run.last_actor = 6, 300, "tui@ann"
        master.push(newer)
        await wait_until_async(
            lambda: pilot.app.session.picture.generation == 6,  # type: ignore[attr-defined]
            deadline_s=DEADLINE_S,
            describe="the newer plan",
        )
        master.refusals["EditRun"] = (grpc.StatusCode.ABORTED, "generation is 6")
        await pilot.press("enter")
        await wait_for_text(pilot, "tui@ann changed the run meanwhile to 300 users")
        del master.refusals["EditRun"]
        await pilot.press("enter")
        await wait_until_async(
            lambda: len(master.edited) == 2, deadline_s=DEADLINE_S, describe="the second try"
        )
        assert master.edited[1].precondition.expected_generation == 6


@pytest.mark.parametrize(
    ("keys", "is_stopped"), [(("x", "y"), True), (("x", "n"), False), (("x", "enter"), False)]
)
async def test_stop_asks_first_and_its_default_is_safe(keys: tuple[str, ...], is_stopped: bool) -> None:
    """Enter by habit stops nothing."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press(keys[0])
        await wait_for_text(pilot, "Stop 120 users on 2 workers?")
        await pilot.press(*keys[1:])
        await wait_for_text(pilot, "GET /search")
        if is_stopped:
            await wait_until_asked(master.stopped, pilot)
        assert bool(master.stopped) is is_stopped


async def test_reset_mark_and_shut_down_reach_the_master() -> None:
    """Each with its dialog."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("R", "y")
        await wait_until_asked(master.resets, pilot)
        await pilot.press("m")
        await wait_for_text(pilot, "Mark this moment")
        await pilot.press(*"v2", "enter")
        await wait_until_asked(master.marks, pilot)
        assert master.marks[0].text == "v2"
        await pilot.press("Q")
        await wait_for_text(pilot, "Shut down the master at 127.0.0.1")
        await pilot.press("y")
        await wait_until_asked(master.shut_downs, pilot)


async def test_a_key_that_can_do_nothing_says_why() -> None:
    """Greyed keys are not silent."""
    snapshot = running_snapshot()
    snapshot.run.state = RunState.RUN_STATE_STOPPED
    async with screens_on(snapshot) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("x")
        await wait_for_text(pilot, "no run goes on")
        assert not master.stopped


async def test_refusal_of_a_wish_is_told_as_it_stands() -> None:
    """Markup in it is text."""
    async with screens_on(running_snapshot()) as (master, pilot):
        master.refusals["StopRun"] = (grpc.StatusCode.FAILED_PRECONDITION, "[red]not[/] now")
        await wait_for_text(pilot, "GET /search")
        await pilot.press("x", "y")
        await wait_for_text(pilot, "[red]not[/] now")


async def test_numbers_move_and_the_cursor_stays_on_its_row() -> None:
    """Rows re-sort around the one that is read."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("o", "down", "down")
        table = pilot.app.screen.query_one("#statistics LiveTable", LiveTable)
        assert table.selected_key == "3"
        table.release_order()
        master.push(
            Snapshot(
                master_epoch=7,
                generation=5,
                run=running_snapshot().run,
                series=[series_row(3, requests=99_999)],
            )
        )
        await wait_for_text(pilot, "99,999")
        await wait_until_async(
            lambda: (table.selected_key, table.cursor_row) == ("3", 0),
            deadline_s=DEADLINE_S,
            describe=lambda: f"row 3 on top under the cursor; {table.selected_key}, {table.cursor_row}",
        )


async def test_filter_narrows_the_list_and_escape_brings_it_back() -> None:
    """Learned once, the same in every list."""
    async with screens_on(running_snapshot()) as (_, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("slash", *"cart")
        kept = ("POST /cart", "Aggregated")
        await wait_for_screen(
            pilot,
            lambda shown: "GET /search" not in shown and all(text in shown for text in kept),
            "the filtered list",
        )
        await pilot.press("enter", "escape")
        await wait_for_text(pilot, "GET /search")


async def test_sort_goes_round_the_columns_and_shows_its_arrow() -> None:
    """o for the next column, O for the other way."""
    async with screens_on(running_snapshot()) as (_, pilot):
        await wait_for_text(pilot, "Name▲")
        await pilot.press("o")
        await wait_for_text(pilot, "# reqs▼")
        await pilot.press("O")
        await wait_for_text(pilot, "# reqs▲")


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("2", ("Requests per second", "Response time, ms", "━ p95")),
        ("3", ("500 Server Error", "timed out")),
        ("4", ("KeyError: 'basket'", "locustfile.py, line 31")),
        ("5", ("host-1", "RUNNING", "2/2")),
        ("6", ("spawned", "all 120 users run", "started")),
    ],
)
async def test_number_keys_go_to_the_tabs(key: str, texts: tuple[str, ...]) -> None:
    """Each tab holds what its name says."""
    async with screens_on(running_snapshot()) as (_, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press(key)
        await wait_for_screen(pilot, lambda shown: all(text in shown for text in texts), str(texts))


async def test_enter_opens_the_whole_of_a_row() -> None:
    """A message is cut in the table and whole below."""
    async with screens_on(running_snapshot()) as (_, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("4")
        await wait_for_text(pilot, "KeyError")
        await pilot.press("enter")
        await wait_for_text(pilot, 'File "locustfile.py", line 31, in buy')
        await pilot.press("escape")
        await wait_for_text(pilot, "4 Exceptions")


async def test_new_failures_mark_their_tab_until_it_is_looked_at() -> None:
    """Trouble shows from wherever one is."""
    async with screens_on(running_snapshot()) as (_, pilot):
        await wait_for_text(pilot, "3 Failures•")
        await pilot.press("3")
        await wait_for_screen(pilot, lambda shown: "3 Failures•" not in shown, "no mark")


async def test_master_restart_keeps_the_numbers_as_stale_and_goes_on() -> None:
    """Nobody has to press a key."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await master.__aexit__(None, None, None)
        await wait_for_text(pilot, "STALE master lost", "GET /search")
        async with FakeMaster(running_snapshot(elapsed_s=200, epoch=8), manifest(), port=master.port):
            await wait_for_screen(
                pilot, lambda shown: "00:03:20 elapsed" in shown and "STALE" not in shown, "its numbers"
            )


async def test_without_a_master_a_sentence_with_the_remedy_stands_there() -> None:
    """It keeps trying, and connects when one starts."""
    port = free_port()
    async with LocustTui(f"127.0.0.1:{port}").run_test(size=NARROW) as pilot:
        sentence = f"no master at 127.0.0.1:{port}"
        await wait_for_text(pilot, sentence, "connection refused", "locust-master -f locustfile.py")
        async with FakeMaster(running_snapshot(), manifest(), port=port):
            await wait_for_text(pilot, "GET /search")


async def test_first_paint_says_whom_it_connects_to() -> None:
    """Never an empty screen."""
    async with LocustTui("127.0.0.1:1").run_test(size=NARROW) as pilot:
        first = await wait_for_screen(pilot, lambda shown: bool(shown.strip()), "a first paint")
        assert "127.0.0.1:1" in first


async def test_help_is_made_of_the_bindings() -> None:
    """It cannot say what is not so."""
    async with screens_on(running_snapshot()) as (_, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("question_mark")
        await wait_for_text(pilot, "stop the run, after a question", "new run: opens the form")


async def test_leaving_touches_nothing_on_the_master() -> None:
    """The run is the master's."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "GET /search")
        await pilot.press("q")
        await wait_until_async(
            lambda: not pilot.app.is_running, deadline_s=DEADLINE_S, describe="the end of the application"
        )
        assert not master.stopped
        assert not master.shut_downs


async def test_newest_event_stands_above_the_keys() -> None:
    """With who did it."""
    async with screens_on(running_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "00:00:12 spawned: all 120 users run")
        mark = RunEvent(
            id=3, at_ms=193_000, kind=RunEventKind.RUN_EVENT_KIND_MARK, text="v2", actor="tui@ann"
        )
        master.push(Snapshot(master_epoch=7, generation=5, run=running_snapshot().run, events=[mark]))
        await wait_for_text(pilot, "00:03:13 mark: v2 (by tui@ann)")


async def test_keys_typed_at_once_reach_their_fields() -> None:
    """Over a slow line a whole form arrives in one piece."""
    async with screens_on(ready_snapshot()) as (master, pilot):
        await wait_for_text(pilot, "Enter starts")
        await pilot.press(*"40", "tab", *"20", "enter")
        await wait_until_asked(master.started, pilot)
        assert (master.started[0].options.users, master.started[0].options.spawn_rate) == (40, 20.0)
