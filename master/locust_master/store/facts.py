"""What the store keeps of a run beside its samples, so that another life of the master can take it up. Pure.

`Progress` is about the run as a whole and small, as it is written every second; the rest is written when it
changes. `StoredRun` is all of it, read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locust_master.lifecycle import RunState
from locust_master.losses import Loss
from locust_master.planning.plan import PlanBasis
from locust_protocol.v1 import assignment_pb2, control_service_pb2, master_service_pb2, snapshot_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is. `start_ns` is run time zero on the monotonic clock of the master's machine."""

    start_ns: int
    generation: int
    session_id: int
    state: RunState
    stats_epoch: int
    deadline_us: int | None
    stop_timeout_ms: int
    stop_requested_us: int | None
    last_actor: str


@dataclass(frozen=True, slots=True)
class StoredMember:
    """A worker that has a place in the cluster, or had one and was lost."""

    uid: bytes
    is_live: bool
    name: str
    address: str
    runner_indices: tuple[int, ...]
    request: master_service_pb2.RegisterRequest


@dataclass(frozen=True, slots=True)
class SecondUsers:
    """Users in one second of the run, and how many the plan wanted."""

    second: int
    users: int
    planned_users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is to be written together; None: as it was."""

    progress: Progress
    plan: PlanBasis | None = None
    members: tuple[StoredMember, ...] | None = None
    losses: tuple[Loss, ...] | None = None
    users: tuple[SecondUsers, ...] = ()


def newest_of(many: Sequence[Facts]) -> Facts:
    """Returns the one set of facts that says what these, in this order, come to."""

    def last(name: str) -> Any:
        return next((value for each in reversed(many) if (value := getattr(each, name)) is not None), None)

    return Facts(
        progress=many[-1].progress,
        plan=last("plan"),
        members=last("members"),
        losses=last("losses"),
        users=tuple(users for each in many for users in each.users),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """When something was last written: by the wall clock, and by the monotonic clock of one boot."""

    wall_ms: int
    ns: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class ReportMark:
    """The newest report of a worker that is stored; `at_ms` is the run time until which its samples are here,
    or earlier."""

    sequence: int
    is_final: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run that had not ended when its master did. `reports` are by worker uid."""

    path: Path
    run_id: bytes
    options: control_service_pb2.RunOptions
    defaults: control_service_pb2.RunOptions
    settings: assignment_pb2.RunSettings
    bundle_digest: bytes
    summary: snapshot_pb2.RunSummary
    written: Written
    progress: Progress
    plan: PlanBasis
    members: tuple[StoredMember, ...]
    losses: tuple[Loss, ...]
    reports: Mapping[bytes, ReportMark]
