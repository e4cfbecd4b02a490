"""Strangers at the port of a master under load: each harms its own connection and nothing else."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from locust_protocol.channels import HANDSHAKE_TIMEOUT_MS
from locust_protocol.limits import MAX_MESSAGE_BYTES
from locust_protocol.v1 import control_service_pb2, master_service_pb2, report_pb2, snapshot_pb2
from tests.network.garbage import closed_by_peer, opening_lines, say, silent_connections
from tests.support.access import control_channel
from tests.support.cluster import Cluster
from tests.support.target import Target
from tests.support.wait import wait_until

pytestmark = pytest.mark.end_to_end

LOCUSTFILE = Path(__file__).parents[1] / "end_to_end" / "locustfiles" / "three_classes.py"
SEED = 24
USERS = 12
ROUNDS = 60 if os.environ.get("SLOW_TESTS") == "1" else 4
SILENT = 400
GROWTH_BYTES = 10 << 20
"""Memory that a master may gain from all of it."""

SERVICES = (master_service_pb2.DESCRIPTOR, control_service_pb2.DESCRIPTOR)
CALL_DEADLINE_S = 30.0
LET_GO_S = HANDSHAKE_TIMEOUT_MS / 1000 + 30.0
"""Seconds until silent connections are closed, on a busy machine."""


def test_garbage_under_load_harms_only_its_own_connection(tmp_path: Path) -> None:
    """A port scanner must not end a test, nor cost one sample."""
    with Target() as target, Cluster(tmp_path, LOCUSTFILE, workers=2, host=target.url) as cluster:
        cluster.client.start(users=USERS, spawn_rate=100)
        cluster.client.wait_users(USERS)
        chance = random.Random(SEED)
        send_everything(cluster, chance)
        process = psutil.Process(cluster.master.pid)
        warm_bytes = process.memory_info().rss
        for _ in range(ROUNDS):
            send_everything(cluster, chance)
        growth_bytes = process.memory_info().rss - warm_bytes
        let_go_s = stay_silent(cluster)

        assert growth_bytes < GROWTH_BYTES
        workers_did_not_notice(cluster)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        assert counts_by_path(cluster.client.snapshot()) == target.counts()
        print(f"seed {SEED}: memory +{growth_bytes / 2**20:.1f} MiB; silent ones let go in {let_go_s:.1f} s")


def test_report_that_breaks_the_rules_ends_its_stream_and_no_other(tmp_path: Path) -> None:
    """A broken worker is told so; those that work beside it go on."""
    with Target() as target, Cluster(tmp_path, LOCUSTFILE, workers=1, host=target.url) as cluster:
        cluster.client.start(users=USERS, spawn_rate=100)
        status = cluster.client.wait_users(USERS)
        run_id = status.run.run_id
        with control_channel(f"127.0.0.1:{cluster.port}") as channel:
            for report, code in (
                (malformed_report(run_id), grpc.StatusCode.INVALID_ARGUMENT),
                (oversized_report(run_id), grpc.StatusCode.RESOURCE_EXHAUSTED),
            ):
                assert send_report(channel, report) is code
        assert cluster.client.status().workers[0].name == status.workers[0].name
        workers_did_not_notice(cluster)
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        assert counts_by_path(cluster.client.snapshot()) == target.counts()


def counts_by_path(snapshot: snapshot_pb2.Snapshot) -> dict[str, int]:
    """Requests by "METHOD /path", those that a stop cut off included: the target counted them."""
    return {
        f"{row.definition.request_type} {row.definition.name}": row.requests + row.interrupted
        for row in snapshot.series
    }


def send_everything(cluster: Cluster, chance: random.Random) -> None:
    for words in opening_lines(chance):
        say(cluster.port, words)
        say(cluster.port, words, in_tls=True)
    for method, send in broken_calls(cluster.port, chance):
        with pytest.raises(grpc.RpcError) as refused:
            send()
        code = refused.value.code()  # type: ignore[attr-defined]
        assert code is not grpc.StatusCode.OK, method


def broken_calls(port: int, chance: random.Random) -> Iterator[tuple[str, Callable[[], object]]]:
    """A call of every method with a message that is cut off in the middle of a field."""
    channel = control_channel(f"127.0.0.1:{port}")
    with channel:
        for service in itertools.chain.from_iterable(file.services_by_name.values() for file in SERVICES):
            for method in service.methods:
                path = f"/{service.full_name}/{method.name}"
                cut_off = b"\x0a\xff\x7f" + chance.randbytes(chance.randrange(1, 64))
                kind = channel.stream_stream if method.client_streaming else channel.unary_stream
                call = kind(path, request_serializer=None, response_deserializer=None)
                sent = iter([cut_off]) if method.client_streaming else cut_off
                yield path, lambda call=call, sent=sent: list(call(sent, timeout=CALL_DEADLINE_S))  # type: ignore[misc]


def stay_silent(cluster: Cluster) -> float:
    """Opens hundreds of connections and says nothing; returns the seconds until they were closed."""
    began_s = time.monotonic()
    with silent_connections(cluster.port, SILENT) as connections:
        cluster.client.status()
        wait_until(
            lambda: closed_by_peer(connections) == SILENT,
            deadline_s=LET_GO_S,
            describe=lambda: f"{SILENT} closed; {closed_by_peer(connections)} are",
        )
    return time.monotonic() - began_s


def workers_did_not_notice(cluster: Cluster) -> None:
    """Every process is the one that was started, and no worker was ever away from its master."""
    assert cluster.master.exit_code is None
    cluster.client.wait_users(USERS)
    for worker in cluster.workers:
        assert worker.find_line("connection to the master lost|refused|died") is None
    own = len(cluster.workers)
    wait_until(
        lambda: all(worker.silent_ms < 1_500 for worker in cluster.client.status().workers[:own]),
        deadline_s=CALL_DEADLINE_S,
        describe=lambda: f"workers that are heard of; {cluster.client.status().workers}",
    )


def send_report(channel: grpc.Channel, report: report_pb2.Report) -> grpc.StatusCode:
    """Joins as a worker, sends one report and returns the status that ends the stream."""
    register = channel.unary_unary(
        "/locust.v1.MasterService/Register",
        request_serializer=master_service_pb2.RegisterRequest.SerializeToString,
        response_deserializer=master_service_pb2.RegisterResponse.FromString,
    )
    request = master_service_pb2.RegisterRequest(
        protocol_min=1, protocol_max=1, worker_uid=b"x" * 16, worker_name="stranger", runners=1
    )
    session_id = register(request, timeout=CALL_DEADLINE_S).session_id
    stream = channel.stream_unary(
        "/locust.v1.MasterService/StreamStats",
        request_serializer=master_service_pb2.StreamStatsRequest.SerializeToString,
        response_deserializer=master_service_pb2.StreamStatsResponse.FromString,
    )
    sent = iter([master_service_pb2.StreamStatsRequest(session_id=session_id, report=report)])
    goodbye = channel.unary_unary(
        "/locust.v1.MasterService/Goodbye",
        request_serializer=master_service_pb2.GoodbyeRequest.SerializeToString,
        response_deserializer=master_service_pb2.GoodbyeResponse.FromString,
    )
    try:
        stream(sent, timeout=CALL_DEADLINE_S)
    except grpc.RpcError as error:
        return error.code()  # type: ignore[attr-defined, no-any-return]
    finally:
        goodbye(master_service_pb2.GoodbyeRequest(session_id=session_id), timeout=CALL_DEADLINE_S)
    return grpc.StatusCode.OK


def malformed_report(run_id: bytes) -> report_pb2.Report:
    """Samples of a series that was never defined."""
    report = report_pb2.Report(run_id=run_id, sequence=1)
    report.slices.add(width_ms=1000, series_id=[77], requests=[5])
    return report


def oversized_report(run_id: bytes) -> report_pb2.Report:
    """20 MiB of error text."""
    report = report_pb2.Report(run_id=run_id, sequence=1)
    report.errors.add(id=1, message="x" * (20 << 20))
    assert report.ByteSize() > MAX_MESSAGE_BYTES
    return report
