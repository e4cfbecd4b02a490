"""Who may join and on which terms: what a worker says of itself is checked before anything is kept of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf import duration_pb2

from locust_master.membership import Member
from locust_master.refusals import Refused
from locust_protocol import versions
from locust_protocol.limits import MAX_REPORT_BYTES, MAX_UNACKED_REPORTS
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import manifest_pb2, master_service_pb2, report_pb2

WORKER_UID_BYTES = 16

MAX_RUNNERS_PER_WORKER = 1_024
"""Runners of one agent; no machine has as many cores, so more is a fault of the peer."""

MAX_WORKER_NAME_CHARS = 100
"""Characters in a worker's name: it stands in tables and log lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """What is the same for all sessions of one life of the master; times in seconds."""

    master_epoch: int
    lease_ttl_s: float
    report_interval_s: float


def check_registration(
    request: master_service_pb2.RegisterRequest, *, manifest: manifest_pb2.Manifest
) -> int:
    """Returns the protocol version to speak with a worker.

    Raises `versions.IncompatibleProtocol`, `UsageError` for values that are off, or `Refused` when the
    worker's own locustfile has other user classes than `manifest`.
    """
    protocol = versions.negotiate(
        versions.OUR_RANGE,
        versions.ProtocolRange(request.protocol_min, request.protocol_max),
        my_name="master",
        their_name=f"worker {request.worker_name}",
    )
    _check_values(request)
    _check_own_locustfile(request, manifest)
    return protocol


def admission(
    member: Member, terms: SessionTerms, *, protocol: int, notices: Sequence[str], received_ns: int
) -> master_service_pb2.RegisterResponse:
    """Returns the answer to a worker that is admitted; what is known of its statistics is not in it yet."""
    return master_service_pb2.RegisterResponse(
        protocol=protocol,
        session_id=member.session_id,
        master_epoch=terms.master_epoch,
        lease_ttl=_duration(terms.lease_ttl_s),
        report_interval=_duration(terms.report_interval_s),
        max_unacked_reports=MAX_UNACKED_REPORTS,
        runner_indices=member.runner_indices,
        max_report_bytes=MAX_REPORT_BYTES,
        worker_name=member.name,
        resume_token=member.resume_token,
        notices=notices,
        clock=report_pb2.ClockSample(
            worker_sent_ns=member.request.sent_ns,
            master_received_ns=received_ns,
            master_sent_ns=time.monotonic_ns(),
        ),
    )


def _check_values(request: master_service_pb2.RegisterRequest) -> None:
    if len(request.worker_uid) != WORKER_UID_BYTES:
        raise UsageError(f"the worker's uid has {len(request.worker_uid)} bytes, not {WORKER_UID_BYTES}")
    if not 1 <= request.runners <= MAX_RUNNERS_PER_WORKER:
        raise UsageError(
            f"{request.runners} runners are not between 1 and {MAX_RUNNERS_PER_WORKER}",
            remedy="start the worker with fewer --processes",
        )
    name = request.worker_name
    if len(name) > MAX_WORKER_NAME_CHARS or not name.isprintable():
        raise UsageError(
            f"the worker's name is over {MAX_WORKER_NAME_CHARS} characters, or not printable",
            remedy="give it a shorter, plain one",
        )


def _check_own_locustfile(
    request: master_service_pb2.RegisterRequest, manifest: manifest_pb2.Manifest
) -> None:
    if not request.HasField("own_manifest") or not manifest.user_classes:
        return
    theirs = {user_class.name for user_class in request.own_manifest.user_classes}
    ours = {user_class.name for user_class in manifest.user_classes}
    if theirs != ours:
        raise Refused(
            f"worker {request.worker_name} has user classes {', '.join(sorted(theirs)) or 'none'}, "
            f"the master has {', '.join(sorted(ours))}",
            remedy="start the worker without -f, or with the master's locustfile",
        )


def session_settings(report_interval_s: float) -> master_service_pb2.SessionSettings:
    """Returns what a worker is told when its settings change within a session."""
    return master_service_pb2.SessionSettings(report_interval=_duration(report_interval_s))


def _duration(seconds: float) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=int(seconds), nanos=round((seconds % 1) * 1e9))
