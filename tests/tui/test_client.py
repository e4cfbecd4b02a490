"""The client against a real server of gRPC: it watches, loses, finds again, and wishes with guards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from locust_protocol.channels import MasterChannel
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.roles import AccessRole
from locust_protocol.v1.control_service_pb2 import RunOptions
from locust_protocol.v1.snapshot_pb2 import Snapshot
from locust_tui.client import MasterClient
from locust_tui.connection import Link, LinkPhase, MasterSilent, PlanChanged, Trouble, WishRefused
from tests.support.ports import free_port
from tests.support.wait import wait_until_async
from tests.tui.builders import manifest, ready_snapshot, running_snapshot
from tests.tui.fake_master import FakeMaster

DEADLINE_S = 40.0


class Witness:
    """Notes what a client tells."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.links: list[Link] = []

    def snapshot_arrived(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def link_changed(self, link: Link) -> None:
        self.links.append(link)

    @property
    def phases(self) -> list[LinkPhase]:
        return [link.phase for link in self.links]


@contextlib.asynccontextmanager
async def client_of(target: str) -> AsyncIterator[MasterClient]:
    client = MasterClient(MasterChannel(target, AccessTerms(AccessRole.CONTROL)), actor="tui@test")
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def following(client: MasterClient) -> AsyncIterator[Witness]:
    witness = Witness()
    task = asyncio.create_task(client.follow(witness))
    try:
        yield witness
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def wait_for(condition: Callable[[], object], awaited: str, witness: Witness) -> None:
    await wait_until_async(
        condition,
        deadline_s=DEADLINE_S,
        describe=lambda: f"{awaited}; links={witness.links} snapshots={len(witness.snapshots)}",
    )


async def test_client_streams_snapshots_as_they_are_pushed() -> None:
    """The first is whole, the rest is what changed."""
    async with (
        FakeMaster(running_snapshot(), manifest()) as master,
        client_of(master.target) as client,
        following(client) as witness,
    ):
        await wait_for(lambda: witness.snapshots, "the first snapshot", witness)
        master.push(Snapshot(revision=500))
        await wait_for(lambda: len(witness.snapshots) == 2, "a change", witness)
        assert witness.snapshots[0].complete
        assert witness.snapshots[1].revision == 500
        assert witness.phases == [LinkPhase.CONNECTED]


async def test_client_says_refused_once_and_connects_when_a_master_starts() -> None:
    """A TUI may be started before its master."""
    port = free_port()
    async with client_of(f"127.0.0.1:{port}") as client, following(client) as witness:
        await wait_for(lambda: witness.links, "the refusal", witness)
        assert witness.links[0].trouble is Trouble.REFUSED
        assert not witness.links[0].was_connected
        async with FakeMaster(ready_snapshot(), manifest(), port=port):
            await wait_for(lambda: witness.snapshots, "the first snapshot", witness)
            assert witness.phases == [LinkPhase.LOST, LinkPhase.CONNECTED]


async def test_client_survives_a_restart_of_the_master() -> None:
    """It goes on by itself with what the new one sends."""
    async with FakeMaster(running_snapshot(), manifest()) as master:
        port = master.port
        async with client_of(master.target) as client, following(client) as witness:
            await wait_for(lambda: witness.snapshots, "the first snapshot", witness)
            await master.__aexit__(None, None, None)
            await wait_for(lambda: LinkPhase.LOST in witness.phases, "the loss", witness)
            assert witness.links[-1].was_connected
            async with FakeMaster(running_snapshot(epoch=8), manifest(), port=port):
                await wait_for(lambda: len(witness.snapshots) == 2, "the new master's snapshot", witness)
                assert witness.links[-1].phase is LinkPhase.CONNECTED
                assert witness.snapshots[-1].master_epoch == 8


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Trouble.TOO_MANY_WATCHERS),
        (grpc.StatusCode.UNIMPLEMENTED, Trouble.NOT_A_MASTER),
        (grpc.StatusCode.INTERNAL, Trouble.OTHER),
    ],
)
async def test_client_tells_why_watching_is_refused(code: grpc.StatusCode, trouble: Trouble) -> None:
    """Each has a remedy of its own."""
    async with FakeMaster(running_snapshot(), manifest()) as master, client_of(master.target) as client:
        master.refusals["Watch"] = (code, "no")
        async with following(client) as witness:
            await wait_for(lambda: witness.links, "the refusal", witness)
            assert witness.links[0].trouble is trouble


async def test_commands_carry_request_id_generation_and_actor() -> None:
    """The master tells who it was, and takes no wish twice."""
    async with FakeMaster(running_snapshot(), manifest()) as master, client_of(master.target) as client:
        assert await client.start_run(RunOptions(users=3), expected_generation=5) == 6
        await client.edit_run(users=9, spawn_rate=2.5, expected_generation=6)
        await client.stop_run(expected_generation=7)
        await client.reset_statistics(expected_generation=7)
        await client.mark_run("deployed v2")
        await client.shut_down(expected_generation=None)
        guards = [
            request.precondition
            for requests in (
                master.started, master.edited, master.stopped, master.resets, master.marks, master.shut_downs
            )
            for request in requests
        ]  # fmt: skip
        assert {guard.actor for guard in guards} == {"tui@test"}
        assert len({guard.request_id for guard in guards}) == 6
        assert [guard.expected_generation for guard in guards[:4]] == [5, 6, 7, 7]
        assert not any(guard.HasField("expected_generation") for guard in guards[4:])
        assert (master.edited[0].users, master.edited[0].spawn_rate) == (9, 2.5)
        assert master.marks[0].text == "deployed v2"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.ABORTED, PlanChanged),
        (grpc.StatusCode.FAILED_PRECONDITION, WishRefused),
        (grpc.StatusCode.INVALID_ARGUMENT, WishRefused),
    ],
)
async def test_refusals_keep_the_words_of_the_master(code: grpc.StatusCode, kind: type[Exception]) -> None:
    """It knows best why."""
    async with FakeMaster(running_snapshot(), manifest()) as master, client_of(master.target) as client:
        master.refusals["StartRun"] = (code, "no host: give one with --host")
        with pytest.raises(kind, match="no host: give one with --host"):
            await client.start_run(RunOptions(), expected_generation=None)


async def test_a_wish_that_breaks_is_sent_again_as_the_same_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request id stays, so the master does it once."""
    monkeypatch.setattr("locust_tui.client.CALL_DEADLINE_S", 2.0)
    async with FakeMaster(running_snapshot(), manifest()) as master, client_of(master.target) as client:
        master.refusals["StopRun"] = (grpc.StatusCode.UNAVAILABLE, "connection reset")
        with pytest.raises(MasterSilent, match="did not answer"):
            await client.stop_run(expected_generation=5)
        assert len(master.stopped) > 1
        assert len({request.precondition.request_id for request in master.stopped}) == 1


async def test_a_wish_without_a_master_ends_with_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key must not hang for ever."""
    monkeypatch.setattr("locust_tui.client.CALL_DEADLINE_S", 0.3)
    async with client_of(f"127.0.0.1:{free_port()}") as client:
        with pytest.raises(MasterSilent, match=r"did not answer within 0\.3 s"):
            await client.stop_run(expected_generation=None)


async def test_one_snapshot_can_be_fetched() -> None:
    """What --once prints."""
    async with FakeMaster(running_snapshot(), manifest()) as master, client_of(master.target) as client:
        assert (await client.fetch_snapshot(timeout_s=DEADLINE_S)).total.requests == 119_972


async def test_fetching_without_a_master_names_address_and_remedy() -> None:
    """A script's log says what to do."""
    target = f"127.0.0.1:{free_port()}"
    async with client_of(target) as client:
        with pytest.raises(MasterSilent, match=f"no master at {target}: connection refused; start one there"):
            await client.fetch_snapshot(timeout_s=5)
