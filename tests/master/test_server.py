"""The real server on a free port: what it says to peers that speak to it by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from locust_master.server import MasterServer
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import (
    assignment_pb2,
    bundle_pb2,
    control_service_pb2,
    master_service_pb2,
)
from tests.master.cluster_builders import registration, report
from tests.master.master_builders import Master, channel_to, control_stub, running_master, worker_stub
from tests.support.wait import wait_until_async

TIMEOUT_S = 30.0


@pytest.fixture
async def master(tmp_path: Path) -> AsyncIterator[Master]:
    async with running_master(tmp_path, serves=True) as running:
        yield running


@pytest.fixture
async def channel(master: Master) -> AsyncIterator[grpc.aio.Channel]:
    async with channel_to(master) as open_channel:
        yield open_channel


async def status_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), raised.value.details() or ""


async def read(call: Any, *kinds: str) -> list[master_service_pb2.CommandsResponse]:
    """Reads commands until the last of `kinds` came; fails when others come."""
    commands = []
    async with asyncio.timeout(TIMEOUT_S):
        for _ in kinds:
            commands.append(await call.read())
    assert [each.WhichOneof("command") for each in commands] == list(kinds)
    return commands


async def test_second_master_on_a_port_says_which(master: Master) -> None:
    """gRPC shares ports by default; workers would be spread over two masters."""
    assert master.server is not None
    port = master.server.port
    with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{port}: the port is in use.*--bind-port"):
        MasterServer(host="127.0.0.1", port=port, protection=None)


@pytest.mark.parametrize(
    "service",
    ["", "locust.v1.MasterService", "locust.v1.ControlService"],
)
async def test_health_check_says_serving(service: str, channel: grpc.aio.Channel) -> None:
    """Probes need nothing else."""
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_lists_both_services(channel: grpc.aio.Channel) -> None:
    """grpcurl works as it is."""
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(timeout=TIMEOUT_S)
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    call.cancel()
    names = {each.name for each in answer.list_services_response.service}
    assert {"locust.v1.MasterService", "locust.v1.ControlService", "grpc.health.v1.Health"} <= names


async def test_worker_s_life_by_hand(master: Master, channel: grpc.aio.Channel) -> None:
    """Register, commands, reports, acknowledgement after the store has them, goodbye."""
    stub = worker_stub(channel)
    admitted = await stub.Register(registration(), timeout=TIMEOUT_S)
    session = admitted.session_id
    commands = stub.Commands(master_service_pb2.CommandsRequest(session_id=session))
    (first,) = await read(commands, "assignment")
    assert first.assignment.phase == assignment_pb2.PHASE_PREPARE
    stats = stub.StreamStats()
    beat = report(0, run_id=b"", generation=first.assignment.generation)
    await stats.write(master_service_pb2.StreamStatsRequest(session_id=session, report=beat))
    await read(commands, "acknowledgement")

    started = await control_stub(channel).StartRun(start_request(users=3), timeout=TIMEOUT_S)
    run_id = started.result.run_id
    (told,) = await read(commands, "assignment")
    assert told.assignment.phase == assignment_pb2.PHASE_RUN
    assert told.assignment.run_id == run_id
    made = report(1, run_id=run_id, requests=5)
    await stats.write(master_service_pb2.StreamStatsRequest(session_id=session, report=made))
    (acknowledged,) = await read(commands, "acknowledgement")
    assert acknowledged.acknowledgement.sequence == 1
    assert master.cluster.run is not None
    assert master.cluster.run.totals.total.sums.requests == 5

    await stub.Goodbye(
        master_service_pb2.GoodbyeRequest(session_id=session, reason="done"), timeout=TIMEOUT_S
    )
    async with asyncio.timeout(TIMEOUT_S):
        assert await commands.read() is grpc.aio.EOF
    assert master.cluster.membership.live() == []
    again = master_service_pb2.GoodbyeRequest(session_id=session)
    await stub.Goodbye(again, timeout=TIMEOUT_S)
    await stats.done_writing()
    await stats


def start_request(users: int = 1, request_id: str = "start") -> control_service_pb2.StartRunRequest:
    return control_service_pb2.StartRunRequest(
        precondition=control_service_pb2.Precondition(request_id=request_id, actor="test"),
        options=control_service_pb2.RunOptions(users=users, spawn_rate=10),
    )


async def test_stream_that_ends_is_no_goodbye(master: Master, channel: grpc.aio.Channel) -> None:
    """A killed worker looks like one that finished; only the lease tells."""
    stub = worker_stub(channel)
    session = (await stub.Register(registration(), timeout=TIMEOUT_S)).session_id
    commands = stub.Commands(master_service_pb2.CommandsRequest(session_id=session))
    await read(commands, "assignment")
    stats = stub.StreamStats()
    beat = master_service_pb2.StreamStatsRequest(session_id=session, report=report(0, run_id=b""))
    await stats.write(beat)
    await read(commands, "acknowledgement")
    await stats.done_writing()
    await stats
    commands.cancel()
    assert [member.name for member in master.cluster.membership.live()] == ["w1"]


async def test_session_that_was_taken_over_is_told_so(channel: grpc.aio.Channel) -> None:
    """The worker registers again; what it sends in the old session must not count."""
    stub = worker_stub(channel)
    session = (await stub.Register(registration(), timeout=TIMEOUT_S)).session_id
    await stub.Register(registration(), timeout=TIMEOUT_S)
    commands = stub.Commands(master_service_pb2.CommandsRequest(session_id=session), timeout=TIMEOUT_S)
    assert (await status_of(commands.read()))[0] is grpc.StatusCode.FAILED_PRECONDITION
    stats = stub.StreamStats(timeout=TIMEOUT_S)
    await stats.write(master_service_pb2.StreamStatsRequest(session_id=session, report=report(1)))
    assert (await status_of(stats))[0] is grpc.StatusCode.FAILED_PRECONDITION


async def test_malformed_report_ends_its_stream_and_nothing_else(
    master: Master, channel: grpc.aio.Channel
) -> None:
    """The peer's fault has the peer's status."""
    stub = worker_stub(channel)
    session = (await stub.Register(registration(), timeout=TIMEOUT_S)).session_id
    member = master.cluster.membership.live()[0]
    master.beat(member)
    run_id = (await control_stub(channel).StartRun(start_request(), timeout=TIMEOUT_S)).result.run_id
    bad = report(1, run_id=run_id, requests=1)
    bad.slices[0].requests.append(7)
    stats = stub.StreamStats(timeout=TIMEOUT_S)
    await stats.write(master_service_pb2.StreamStatsRequest(session_id=session, report=bad))
    assert (await status_of(stats))[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert master.cluster.membership.by_session(session) is member


async def test_bundle_is_fetched_from_any_offset(master: Master, channel: grpc.aio.Channel) -> None:
    """The manifest first, then the contents."""
    stub = worker_stub(channel)
    session = (await stub.Register(registration(), timeout=TIMEOUT_S)).session_id
    bundle = master.locustfile.bundle
    for offset in (0, 5):
        request = master_service_pb2.FetchBundleRequest(
            session_id=session, digest=bundle.digest, offset=offset
        )
        parts = [part async for part in stub.FetchBundle(request, timeout=TIMEOUT_S)]
        assert parts[0].manifest == bundle.manifest
        assert b"".join(part.data for part in parts[1:]) == b"".join(bundle.contents)[offset:]
    request = master_service_pb2.FetchBundleRequest(session_id=session, digest=b"other")
    assert (await status_of(stub.FetchBundle(request, timeout=TIMEOUT_S).read()))[
        0
    ] is grpc.StatusCode.NOT_FOUND


async def test_client_s_wishes_have_the_documented_statuses(
    master: Master, channel: grpc.aio.Channel
) -> None:
    """A script acts on the code, a person on the sentence."""
    stub = control_stub(channel)
    code, text = await status_of(stub.StartRun(start_request(), timeout=TIMEOUT_S))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "no worker is connected" in text
    code, _ = await status_of(stub.StartRun(start_request(users=2**31, request_id="x"), timeout=TIMEOUT_S))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    stale = control_service_pb2.StopRunRequest()
    stale.precondition.request_id = "stop"
    stale.precondition.expected_generation = 1
    code, _ = await status_of(stub.StopRun(stale, timeout=TIMEOUT_S))
    assert code is grpc.StatusCode.ABORTED
    export = stub.Export(control_service_pb2.ExportRequest(), timeout=TIMEOUT_S)
    assert (await status_of(export.read()))[0] is grpc.StatusCode.NOT_FOUND


async def test_repeated_start_is_answered_again(master: Master, channel: grpc.aio.Channel) -> None:
    """A client that lost the answer starts nothing twice."""
    master.join()
    stub = control_stub(channel)
    first = await stub.StartRun(start_request(), timeout=TIMEOUT_S)
    second = await stub.StartRun(start_request(), timeout=TIMEOUT_S)
    assert not first.result.replayed
    assert second.result.replayed
    assert second.result.run_id == first.result.run_id


async def test_watchers_are_bounded_and_a_place_is_free_when_one_goes(
    master: Master, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema says RESOURCE_EXHAUSTED; a screen that was killed must not keep its place."""
    monkeypatch.setattr("locust_master.services.control.MAX_WATCHERS", 1)
    stub = control_stub(channel)
    first = stub.Watch(control_service_pb2.WatchRequest())
    assert (await first.read()).snapshot.complete
    full = stub.Watch(control_service_pb2.WatchRequest(), timeout=TIMEOUT_S)
    assert (await status_of(full.read()))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    first.cancel()

    async def is_free() -> bool:
        call = stub.Watch(control_service_pb2.WatchRequest(), timeout=TIMEOUT_S)
        try:
            return isinstance(await call.read(), control_service_pb2.WatchResponse)
        except grpc.aio.AioRpcError:
            return False
        finally:
            call.cancel()

    await wait_until_async(is_free, deadline_s=10, describe="the place is free again")


async def test_logs_and_manifest_are_there_for_clients(master: Master, channel: grpc.aio.Channel) -> None:
    """What a start form and a log pane open with."""
    stub = control_stub(channel)
    answer = await stub.GetManifest(control_service_pb2.GetManifestRequest(), timeout=TIMEOUT_S)
    assert [each.name for each in answer.manifest.user_classes] == ["A"]
    assert answer.defaults.users == 1
    status = await stub.GetStatus(control_service_pb2.GetStatusRequest(), timeout=TIMEOUT_S)
    assert status.snapshot.generation == master.cluster.generation
    assert status.software_version


async def test_new_bundle_is_offered_to_workers_that_stayed(
    master: Master, channel: grpc.aio.Channel
) -> None:
    """An edited locustfile reaches them as a new assignment."""
    stub = worker_stub(channel)
    session = (await stub.Register(registration(), timeout=TIMEOUT_S)).session_id
    commands = stub.Commands(master_service_pb2.CommandsRequest(session_id=session))
    await read(commands, "assignment")
    edited = bundle_pb2.BundleReference(digest=b"e" * 32)
    master.cluster.offer(master.locustfile.manifest, edited, assignment_pb2.RunSettings())
    (told,) = await read(commands, "assignment")
    assert told.assignment.bundle == edited
    commands.cancel()
