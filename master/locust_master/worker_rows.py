"""What screens are told of each worker, kept from one snapshot to the next and changed where it changed.

1,000 workers are shown to every reader each second, and most of what is said of them stays: to make a row
anew takes some 18 µs, to bring one up to date 1 µs.

Pure. A row must never differ from one that is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from locust_master.membership import Member
from locust_master.run import Run
from locust_protocol.v1 import report_pb2, snapshot_pb2

Moment = tuple[int, int | None]
"""Run time up to which rates are known, and that of the first of all samples."""


class WorkerRows:
    """Rows of all workers that are shown, by uid."""

    def __init__(self) -> None:
        self._rows: dict[bytes, _WorkerRow] = {}
        self._run: Run | None = None

    def messages(
        self, members: Iterable[Member], *, run: Run | None, complete_until_ms: int, now_ns: int
    ) -> list[snapshot_pb2.WorkerSummary]:
        """Returns a row for each member, to be copied before the next call."""
        fresh = self._fresh(members, run, complete_until_ms)
        self._rows.update((row.member.uid, row) for row in fresh)
        now_s, now_ms = now_ns / 1e9, now_ns / 1e6
        for row in fresh:
            member, message = row.member, row.message
            message.state = member.state(now_s)
            message.silent_ms = max(0, int(now_ms - member.heard_s * 1e3))
            if run is not None:
                message.acknowledged_sequence = run.ledger.stored.get(member.uid, 0)
        return [row.message for row in fresh]

    def forget_all_but(self, members: Sequence[Member]) -> None:
        """Forgets the rows of members that are not named."""
        if len(self._rows) > len(members):
            named = {member.uid for member in members}
            self._rows = {uid: row for uid, row in self._rows.items() if uid in named}

    def refresh(self, members: Iterable[Member], *, run: Run | None, complete_until_ms: int) -> None:
        """Does what is slow for some members, so that `messages` need not."""
        self._rows.update((row.member.uid, row) for row in self._fresh(members, run, complete_until_ms))

    def _fresh(self, members: Iterable[Member], run: Run | None, complete_until_ms: int) -> list[_WorkerRow]:
        if run is not self._run:
            self._rows, self._run = {}, run
        moment = (complete_until_ms, None if run is None else run.totals.total.first_ms)
        found = []
        for member in members:
            row = self._rows.get(member.uid)
            if row is None or row.member is not member:
                row = _WorkerRow(member)
            if row.has_news(moment):
                row.take_news(run, moment)
            found.append(row)
        return found


class _WorkerRow:
    """The row of one worker, and what its slow parts were made from."""

    __slots__ = ("_is_live", "_moment", "_status", "member", "message")

    def __init__(self, member: Member) -> None:
        self.member = member
        self._moment: Moment | None = None
        self._status: report_pb2.WorkerStatus | None = None
        self._is_live = True
        self.message = snapshot_pb2.WorkerSummary(
            name=member.name,
            worker_uid=member.uid,
            software_version=member.request.software_version,
            address=member.address,
            usable_cores=member.request.host.usable_cores,
            hostname=member.request.host.hostname,
        )

    def has_news(self, moment: Moment) -> bool:
        """True when the worker reported, came or went, or its rate is of other seconds."""
        member = self.member
        return (
            member.status is not self._status or moment != self._moment or member.is_live is not self._is_live
        )

    def take_news(self, run: Run | None, moment: Moment) -> None:
        """Takes over what the worker said last, and computes its rate."""
        member, message = self.member, self.message
        if member.status is not self._status or member.is_live is not self._is_live:
            message.status.CopyFrom(member.status)
            if not member.is_live:
                # What it said last is over: its lease has ended its users.
                del message.status.users[:]
                for runner in message.status.runners:
                    runner.users = 0
        is_counted = run is not None and member.is_live
        message.requests_per_second = (
            run.totals.worker_rate(member.key, moment[0]) if run is not None and is_counted else 0.0
        )
        self._moment, self._status, self._is_live = moment, member.status, member.is_live
