"""The master's end of the script host: every wait ends, and no answer is taken for another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from locust_master import script_host as script_host_module
from locust_master.bundle import Bundle, gather
from locust_master.script_host import LocustfileError, ScriptHost, load_failure
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import assignment_pb2
from tests.master.cluster_builders import manifest_of
from tests.support.wait import wait_until_async

From = link_pb2.FromRunner
STARTING, STOPPING = link_pb2.RUN_MOMENT_STARTING, link_pb2.RUN_MOMENT_STOPPING


class FakeProcess:
    """A child that says what it is told to say."""

    def __init__(self) -> None:
        self.sent: list[str | None] = []
        self.says: asyncio.Queue[From | None] = asyncio.Queue()
        self.exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def send(self, frame: link_pb2.ToRunner) -> None:
        self.sent.append(frame.WhichOneof("frame"))

    async def frames(self) -> AsyncIterator[From]:
        while (frame := await self.says.get()) is not None:
            yield frame

    async def wait_exit(self) -> int:
        return await asyncio.shield(self.exit_code)

    async def stop(self) -> int:
        self.die(0)
        return await self.exit_code

    def die(self, code: int, *, closes_stream: bool = True) -> None:
        if not self.exit_code.done():
            self.exit_code.set_result(code)
        if closes_stream:
            self.says.put_nowait(None)

    def kill(self) -> None:
        self.die(-9)


@asynccontextmanager
async def host_of(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ScriptHost, FakeProcess]]:
    """A script host on a fake child, both ended afterwards."""
    process = FakeProcess()

    class Starter:
        @staticmethod
        async def start() -> FakeProcess:
            return process

    monkeypatch.setattr(script_host_module, "RunnerProcess", Starter)
    async with asyncio.TaskGroup() as tasks:
        host = ScriptHost()
        await host.start(tasks)
        try:
            yield host, process
        finally:
            await host.stop()


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ScriptHost, FakeProcess]]:
    async with host_of(monkeypatch) as both:
        yield both


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    (tmp_path / "locustfile.py").write_text("")
    return gather([str(tmp_path / "locustfile.py")])


def done(moment: link_pb2.RunMoment.ValueType, exit_code: int | None = None) -> From:
    return From(run_phase_done=link_pb2.RunPhaseDone(moment=moment, process_exit_code=exit_code))


async def asked(process: FakeProcess, count: int) -> None:
    await wait_until_async(lambda: len(process.sent) >= count, deadline_s=5, describe="it is asked")


async def test_load_returns_what_the_locustfile_offers(
    pair: tuple[ScriptHost, FakeProcess], bundle: Bundle
) -> None:
    """The manifest as the host sent it."""
    host, process = pair
    process.says.put_nowait(From(loaded=link_pb2.Loaded(manifest=manifest_of("A"))))
    loading = asyncio.create_task(host.load(bundle, assignment_pb2.RunSettings()))
    await asked(process, 1)
    process.says.put_nowait(From(loaded=link_pb2.Loaded(manifest=manifest_of("A"))))
    assert await loading == manifest_of("A")


async def test_locustfile_that_raises_is_said_with_file_line_and_message(
    pair: tuple[ScriptHost, FakeProcess], bundle: Bundle
) -> None:
    """One clear line; the traceback is for those who look for it."""
    host, process = pair
    loading = asyncio.create_task(host.load(bundle, assignment_pb2.RunSettings()))
    await asked(process, 1)
    failed = link_pb2.LoadFailed(file="/x/locustfile.py", line=3, message="NameError: b")
    process.says.put_nowait(From(load_failed=failed))
    with pytest.raises(LocustfileError, match=r"^locustfile\.py:3: NameError: b$"):
        await loading


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        (link_pb2.LoadFailed(message="m"), "m"),
        (link_pb2.LoadFailed(file="mod", message="m"), "mod: m"),
        (link_pb2.LoadFailed(file="/a/b.py", line=1, message="m"), "b.py:1: m"),
    ],
)
def test_load_failure_names_as_much_as_is_known(failed: link_pb2.LoadFailed, text: str) -> None:
    """A failure without a place has none invented."""
    assert str(load_failure(failed)) == text


async def test_late_answer_to_one_moment_is_not_taken_for_another_s(
    pair: tuple[ScriptHost, FakeProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listeners that took too long at the start must not end the wait for those of the stop."""
    host, process = pair
    monkeypatch.setattr(script_host_module, "LISTENER_TIMEOUT_S", 0.01)
    await host.run_moment(link_pb2.RunPhase(moment=STARTING))
    monkeypatch.setattr(script_host_module, "LISTENER_TIMEOUT_S", 60)
    stopping = asyncio.create_task(host.run_moment(link_pb2.RunPhase(moment=STOPPING)))
    await asked(process, 2)
    process.says.put_nowait(done(STARTING, exit_code=9))
    process.says.put_nowait(done(STOPPING, exit_code=4))
    assert (await stopping).process_exit_code == 4


async def test_moment_whose_listeners_never_end_is_over_in_the_end(
    pair: tuple[ScriptHost, FakeProcess], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run starts and stops whatever user code does; that it was not waited for is said."""
    host, _ = pair
    monkeypatch.setattr(script_host_module, "LISTENER_TIMEOUT_S", 0.01)
    answer = await host.run_moment(link_pb2.RunPhase(moment=STARTING))
    assert answer == link_pb2.RunPhaseDone(moment=STARTING)
    assert "did not finish" in caplog.text


async def test_dead_host_holds_nothing_up_and_is_said_once(
    pair: tuple[ScriptHost, FakeProcess], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither who waits for it now nor who asks it later."""
    host, process = pair
    waiting = asyncio.create_task(host.run_moment(link_pb2.RunPhase(moment=STARTING)))
    await asked(process, 1)
    process.die(-11)
    async with asyncio.timeout(5):
        await waiting
        await host.run_moment(link_pb2.RunPhase(moment=STOPPING))
        assert await host.quit(0) is None
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == [
        "the script host ended: no listeners, no load shape here exit_code=-11"
    ]


async def test_exit_counts_even_when_the_stream_stays_open(
    pair: tuple[ScriptHost, FakeProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that user code started may hold the other end."""
    host, process = pair
    monkeypatch.setattr(script_host_module, "LAST_FRAMES_S", 0.01)
    waiting = asyncio.create_task(host.run_moment(link_pb2.RunPhase(moment=STARTING)))
    await asked(process, 1)
    process.die(1, closes_stream=False)
    async with asyncio.timeout(5):
        assert await waiting == link_pb2.RunPhaseDone(moment=STARTING)
        assert await host.quit(0) is None


async def test_last_words_of_a_host_that_ends_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer to Quit is followed by its exit at once."""
    async with host_of(monkeypatch) as (host, process):
        quitting = asyncio.create_task(host.quit(0))
        await asked(process, 1)
        process.says.put_nowait(From(quitting=link_pb2.Quitting(process_exit_code=7)))
        process.die(0)
        assert await quitting == 7


async def test_other_frames_go_to_whoever_listens(pair: tuple[ScriptHost, FakeProcess]) -> None:
    """Load shapes and wishes of user code come unasked."""
    host, process = pair
    heard: list[str | None] = []
    host.on_frame = lambda frame: heard.append(frame.WhichOneof("frame"))
    process.says.put_nowait(From(shape_tick=link_pb2.ShapeTick(users=1)))
    process.says.put_nowait(From(quit_requested=link_pb2.QuitRequested()))
    await wait_until_async(lambda: len(heard) == 2, deadline_s=5, describe="both frames")
    assert heard == ["shape_tick", "quit_requested"]
