"""Who belongs to the cluster: workers, their sessions, leases, names and runner indices.

Pure: every function takes `now_s`, a monotonic time in seconds. The worker counts its lease from when it sent
a report, the master from when it received it, so the worker always ends its users first; the master waits
`LEASE_REASSIGN_GRACE_S` more before it gives the share to others, and no load is ever placed twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from locust_master.refusals import TooMany
from locust_protocol.limits import LEASE_REASSIGN_GRACE_S, SUSPECT_AFTER_S
from locust_protocol.v1 import master_service_pb2, report_pb2

FORGET_AFTER_S = 600.0
"""Seconds for which a worker that left or was lost stays on screens."""

MAX_LIVE_MEMBERS = 4_000
"""Workers at one time: as many as the server takes connections."""

MAX_REMEMBERED_MEMBERS = 2 * MAX_LIVE_MEMBERS
"""Workers on screens, those that are gone included; a fleet that restarts for ever must not fill memory."""


@dataclass(slots=True)
class Member:
    """One life of an agent, as the master knows it."""

    uid: bytes
    name: str
    session_id: int
    request: master_service_pb2.RegisterRequest
    address: str
    runner_indices: tuple[int, ...]
    heard_s: float
    reported_s: float = 0.0
    """When the newest report that counts samples came, or when it joined."""
    stream_ended_s: float | None = None
    """When its stream of reports ended without a goodbye; None while it is there."""
    status: report_pb2.WorkerStatus = field(default_factory=report_pb2.WorkerStatus)
    is_live: bool = True
    has_left: bool = False
    gone_s: float | None = None

    @property
    def key(self) -> str:
        """Text that names the member in plans and merges."""
        return self.uid.hex()

    @property
    def runners(self) -> int:
        """Runners it offers: its capacity."""
        return len(self.runner_indices)

    def state(self, now_s: float) -> report_pb2.WorkerState.ValueType:
        """State for screens."""
        if not self.is_live:
            return report_pb2.WORKER_STATE_GONE if self.has_left else report_pb2.WORKER_STATE_MISSING
        if now_s - self.heard_s > SUSPECT_AFTER_S:
            return report_pb2.WORKER_STATE_MISSING
        return self.status.state or report_pb2.WORKER_STATE_READY


class Membership:
    """All members of the cluster, by uid and by session."""

    def __init__(self, *, lease_ttl_s: float, first_session_id: int) -> None:
        self.lease_ttl_s = lease_ttl_s
        self._members: dict[bytes, Member] = {}
        self._by_session: dict[int, Member] = {}
        self._session_ids: Iterator[int] = itertools.count(first_session_id)

    def admit(
        self, request: master_service_pb2.RegisterRequest, *, address: str, now_s: float
    ) -> tuple[Member, Member | None]:
        """Admits a worker or takes its own session over; returns it and what it was before, if known.

        Raises `TooMany` when there is no room for a new one.
        """
        previous = self._members.get(request.worker_uid)
        is_live = previous is not None and previous.is_live
        if not is_live and len(self.live()) >= MAX_LIVE_MEMBERS:
            raise TooMany(f"the master has {MAX_LIVE_MEMBERS} workers already", remedy="start fewer")
        if previous is not None and is_live:
            name, indices = previous.name, previous.runner_indices
        else:
            wanted = previous.name if previous else request.worker_name or request.host.hostname
            name, indices = self._unique_name(wanted), ()
        if len(indices) != request.runners:
            indices = self._free_indices(request.runners, but=previous)
        member = Member(
            uid=request.worker_uid,
            name=name,
            session_id=next(self._session_ids),
            request=request,
            address=address,
            runner_indices=indices,
            heard_s=now_s,
            reported_s=now_s if previous is None else previous.reported_s,
        )
        # Whoever comes back after a loss joins anew, behind the others; a live one keeps its place.
        if previous is not None and not is_live:
            del self._members[member.uid]
        self._members[member.uid] = member
        if previous is not None:
            self._by_session.pop(previous.session_id, None)
        self._by_session[member.session_id] = member
        self._forget_oldest()
        return member, previous

    def by_session(self, session_id: int) -> Member | None:
        """Returns the live member of a session, or None when it was taken over, left or lost."""
        member = self._by_session.get(session_id)
        return member if member is not None and member.is_live else None

    def by_uid(self, uid: bytes) -> Member | None:
        """Returns a member, live or not."""
        return self._members.get(uid)

    def live(self) -> list[Member]:
        """Members that hold a share, in the order in which they joined."""
        return [member for member in self._members.values() if member.is_live]

    def all(self) -> list[Member]:
        """All members that are shown."""
        return list(self._members.values())

    def runner_count(self) -> int:
        """Runners of all live members."""
        return sum(member.runners for member in self.live())

    def leave(self, member: Member, now_s: float) -> None:
        """Records that a worker said goodbye."""
        member.is_live, member.has_left, member.gone_s = False, True, now_s

    def expire(self, now_s: float) -> list[Member]:
        """Gives up members whose lease ran out; returns them. Forgets those that are long gone."""
        for member in self.all():
            if member.gone_s is not None and now_s - member.gone_s > FORGET_AFTER_S:
                self._forget(member)
        lost = [m for m in self.live() if now_s - m.heard_s > self.lease_ttl_s + LEASE_REASSIGN_GRACE_S]
        for member in lost:
            member.is_live, member.gone_s = False, now_s
        return lost

    def _forget(self, member: Member) -> None:
        del self._members[member.uid]
        self._by_session.pop(member.session_id, None)

    def _forget_oldest(self) -> None:
        gone = [member for member in self._members.values() if member.gone_s is not None]
        for member in sorted(gone, key=lambda member: member.gone_s or 0.0):
            if len(self._members) <= MAX_REMEMBERED_MEMBERS:
                return
            self._forget(member)

    def _free_indices(self, count: int, *, but: Member | None) -> tuple[int, ...]:
        """Returns the lowest runner indices that nobody else holds, so that they stay dense."""
        others = (member for member in self.live() if member is not but)
        taken = {index for member in others for index in member.runner_indices}
        return tuple(itertools.islice((i for i in itertools.count() if i not in taken), count))

    def _unique_name(self, wanted: str) -> str:
        taken = {member.name for member in self._members.values() if member.is_live}
        if wanted not in taken:
            return wanted
        return next(name for i in itertools.count(2) if (name := f"{wanted}#{i}") not in taken)
