"""Who belongs to the cluster: workers, their sessions, leases, names and runner indices.

Pure: every function takes `now_s`, a monotonic time in seconds. The worker counts its lease from when it sent
a report, the master from when it received it, so the worker always ends its users first; the master waits
`LEASE_REASSIGN_GRACE_S` more before it gives the share to others, and no load is ever placed twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from locust_master.refusals import Refused, TooMany
from locust_protocol.limits import LEASE_REASSIGN_GRACE_S, REPORT_INTERVAL_S, SUSPECT_AFTER_S
from locust_protocol.v1 import master_service_pb2, report_pb2

FORGET_AFTER_S = 600.0
"""Seconds for which a worker that left or was lost stays on screens."""

LATE_REPORT_INTERVALS = 2.0
"""Report intervals of silence after which the next reports may be old ones."""

READ_AGAIN_S = 0.5
"""Seconds after the master was late in which it reads what has waited for it."""

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
    told_s: float = 0.0
    """When its newest report was sent; `heard_s` may be later: nobody is blamed for the master's lateness."""
    reported_s: float = 0.0
    """Until when its samples are here: those of the newest report that counts some, or when it joined."""
    doubted_until_s: float = 0.0
    """Until then reports may be older than they seem: they waited for a connection, or for the master."""
    dead_slots: frozenset[int] = frozenset()
    """Runners that the newest report calls dead; one that is started again is dead for less than that."""
    usable_runners: int = 0
    """Runners that are not left dead: the share is by these."""
    stream_ended_s: float | None = None
    """When its stream of reports ended without a goodbye; None while it is there."""
    report_interval_s: float = REPORT_INTERVAL_S
    """How often it is to report, as it was when it was heard last."""
    suspect_after_s: float = SUSPECT_AFTER_S
    """Seconds of silence after which it is shown as missing; more when it reports less often."""
    status: report_pb2.WorkerStatus = field(default_factory=report_pb2.WorkerStatus)
    """What it said last: a new message for each report, never changed."""
    users: tuple[tuple[str, int], ...] = ()
    """Users by class that run, as the status says."""
    placed_users: int = 0
    """Users that run or ended by themselves, as the status says."""
    is_live: bool = True
    is_awaited: bool = False
    """True when it is of an earlier life of the master, and has not registered in this one."""
    has_left: bool = False
    gone_s: float | None = None
    resume_token: bytes = b""
    """Known to the one process that it was given to; empty: any process may come in its name."""
    key: str = field(init=False)
    """Text that names the member in plans and merges."""
    host: str = field(init=False)
    """What tells its machine from others."""
    usable_cores: int = field(init=False)
    """Cores of its machine that it may use; 0: it does not say."""

    def __post_init__(self) -> None:
        self.usable_runners = len(self.runner_indices)
        self.key = self.uid.hex()
        self.host = self.request.host.host_id or self.name
        self.usable_cores = self.request.host.usable_cores

    def note_report(self, report: report_pb2.Report, now_s: float, *, interval_s: float) -> bool:
        """Takes note of a report that came; True when the number of usable runners has changed."""
        if now_s - self.heard_s > LATE_REPORT_INTERVALS * interval_s:
            self.doubted_until_s = now_s + interval_s
        self.heard_s, self.stream_ended_s = now_s, None
        self.report_interval_s = interval_s
        self._take_status(report.status)
        if now_s >= self.doubted_until_s:
            self.told_s = now_s
            if report.sequence:
                self.reported_s = now_s - _behind_s(report.status)
        dead = frozenset(
            each.slot for each in report.status.runners if each.state == report_pb2.RUNNER_STATE_DEAD
        )
        usable = self.runners - len(dead & self.dead_slots)
        has_changed = usable != self.usable_runners
        self.dead_slots, self.usable_runners = dead, usable
        return has_changed

    def _take_status(self, status: report_pb2.WorkerStatus) -> None:
        # A copy: a part of a report holds all of it in memory, samples included.
        self.status = report_pb2.WorkerStatus()
        self.status.CopyFrom(status)
        counts = [(count.user_class, count.running, count.ended) for count in self.status.users]
        self.users = tuple([(name, running) for name, running, _ in counts])
        self.placed_users = sum([running + ended for _, running, ended in counts])

    def revive(self) -> None:
        """A new run begins, for which runners that were left dead are started again."""
        self.dead_slots, self.usable_runners = frozenset(), self.runners

    @property
    def runners(self) -> int:
        """Runners it offers: its capacity."""
        return len(self.runner_indices)

    def state(self, now_s: float) -> report_pb2.WorkerState.ValueType:
        """State for screens."""
        if not self.is_live:
            return report_pb2.WORKER_STATE_GONE if self.has_left else report_pb2.WORKER_STATE_MISSING
        if self.is_awaited or now_s - self.heard_s > self.suspect_after_s:
            return report_pb2.WORKER_STATE_MISSING
        return self.status.state or report_pb2.WORKER_STATE_READY


class Membership:
    """All members of the cluster, by uid and by session."""

    def __init__(self, *, lease_ttl_s: float, first_session_id: int) -> None:
        self.lease_ttl_s = lease_ttl_s
        self._members: dict[bytes, Member] = {}
        self._by_session: dict[int, Member] = {}
        self._session_ids: Iterator[int] = itertools.count(first_session_id)
        self.newest_session_id = first_session_id - 1

    def admit(
        self, request: master_service_pb2.RegisterRequest, *, address: str, now_s: float
    ) -> tuple[Member, Member | None]:
        """Admits a worker or takes its own session over; returns it and what it was before, if known.

        Raises `TooMany` when there is no room for a new one, and `Refused` for a process whose place was
        taken by a newer one.
        """
        previous = self._members.get(request.worker_uid)
        is_live = previous is not None and previous.is_live
        if previous is not None and is_live and _is_another(request.resume_token, previous.resume_token):
            raise Refused(
                f"another process took the session of worker {previous.name} over ({previous.address})",
                remedy="start the worker anew, so that it has a name of its own",
            )
        if not is_live and len(self.live()) >= MAX_LIVE_MEMBERS:
            raise TooMany(f"the master has {MAX_LIVE_MEMBERS} workers already", remedy="start fewer")
        if previous is not None and is_live:
            name, indices = previous.name, previous.runner_indices
        else:
            wanted = previous.name if previous else request.worker_name or request.host.hostname
            name, indices = self._unique_name(wanted), ()
        if len(indices) != request.runners:
            indices = self._free_indices(request.runners, but=previous)
        session_id = next(self._session_ids)
        member = Member(
            uid=_uid(request, previous, session_id),
            name=name,
            session_id=session_id,
            request=request,
            address=address,
            runner_indices=indices,
            heard_s=now_s,
            reported_s=now_s if previous is None else previous.reported_s,
            # What comes first in a session may be what was sent in the one before.
            doubted_until_s=0.0 if previous is None else now_s + REPORT_INTERVAL_S,
            resume_token=request.resume_token or session_id.to_bytes(8, "big"),
        )
        self.newest_session_id = member.session_id
        # Whoever comes back after a loss joins anew, behind the others; a live one keeps its place.
        if previous is not None and not is_live:
            del self._members[request.worker_uid]
        self._members[request.worker_uid] = member
        if previous is not None:
            self._by_session.pop(previous.session_id, None)
        self._by_session[member.session_id] = member
        self._forget_oldest()
        return member, previous

    def restore(self, members: Sequence[Member], *, newest_session_id: int) -> None:
        """Takes the members of an earlier life of the master in, which gave sessions up to that number."""
        self._members.update((member.request.worker_uid, member) for member in members)
        self.newest_session_id = max(self.newest_session_id, newest_session_id + MAX_LIVE_MEMBERS)
        self._session_ids = itertools.count(self.newest_session_id + 1)

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

    def set_suspect_after(self, suspect_after_s: float) -> None:
        """Sets the silence after which live members are shown as missing."""
        for member in self.live():
            member.suspect_after_s = suspect_after_s

    def forgive(self, late_s: float, now_s: float) -> None:
        """Takes time out of every silence in which the master could not hear."""
        for member in self.live():
            member.heard_s = min(now_s, member.heard_s + late_s)
            # What was read just now, and what is read next, came while the master did not look.
            member.told_s = min(member.told_s, now_s - late_s)
            member.doubted_until_s = max(member.doubted_until_s, now_s + READ_AGAIN_S)

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
        del self._members[member.request.worker_uid]
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


def _uid(request: master_service_pb2.RegisterRequest, previous: Member | None, session_id: int) -> bytes:
    """Returns what a worker's statistics are known by: the uid that it says, unless another process has it.

    Reports are numbered by each process, so those of a clone must not be taken for more of the first one's.
    A process that took part in a run says so. A clone was never told anything; nor was a process that did not
    hear the answer, but that one has not reported yet.
    """
    if previous is None:
        return request.worker_uid
    is_told = bool(request.resume_token or request.progress.run_id)
    if previous.told_s and previous.resume_token and not is_told:
        return request.worker_uid[:8] + session_id.to_bytes(8, "big")
    return previous.uid


def _behind_s(status: report_pb2.WorkerStatus) -> float:
    """Seconds by which the slowest runner is behind its worker's report: what it holds is not in there."""
    return max([each.lag_max_us for each in status.runners], default=0) / 1e6


def _is_another(token: bytes, known: bytes) -> bool:
    """True for a token that was given to another process than the one that is known."""
    return bool(token) and bool(known) and token != known
