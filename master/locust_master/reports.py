"""What becomes of a report: judged by the ledger, merged, stored, and only then acknowledged.

Must never acknowledge what the store does not have, nor merge anything twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from locust_master.ledger import Verdict
from locust_master.losses import Loss, LossKind
from locust_master.mailboxes import Mailboxes
from locust_master.membership import Member
from locust_master.merging.ahead import SlicePart
from locust_master.merging.errors import UnknownContribution
from locust_master.run import Run
from locust_protocol.v1 import master_service_pb2, report_pb2

logger = logging.getLogger(__name__)


MAX_LATE_REMEMBERED = 1_000
"""Workers and runs whose late reports were said; a forgotten one is said again."""


class ReportSink(Protocol):
    """What the cluster tells the outside."""

    def store_report(
        self, worker_uid: bytes, sequence: int, payload: bytes, on_stored: Callable[[], None]
    ) -> None:
        """Writes a report; `on_stored` is called on the loop once it is committed."""

    def stored_reports(self, worker_uid: bytes) -> Sequence[report_pb2.Report]:
        """Returns all reports of a worker that were handed to `store_report`, in order, folded or not."""

    def take_extras(self, member: Member, report: report_pb2.Report) -> None:
        """Hands on logs, messages, user data and events."""

    def worker_connected(self, member: Member) -> None:
        """A worker joined."""


class ReportDesk:
    """Takes reports in."""

    def __init__(self, mailboxes: Mailboxes, sink: ReportSink) -> None:
        self._mailboxes = mailboxes
        self._sink = sink
        self._late: dict[tuple[bytes, bytes], None] = {}

    def take(
        self,
        run: Run | None,
        member: Member,
        report: report_pb2.Report,
        now_ns: int,
        *,
        ahead: SlicePart | None = None,
    ) -> None:
        """Counts a report once, or acknowledges it again, or asks for a snapshot.

        `ahead` are its slices, where they were read already. Raises what the merge raises for a report that
        breaks the rules; then nothing of it counts.
        """
        if report.sequence == 0:
            self._take_heartbeat(member, report, now_ns)
        elif run is None or report.run_id != run.record.run_id:
            self._say_late(member, report)
            self._acknowledge(member, report.run_id, report.sequence, report.sent_ns, now_ns)
        else:
            self._count(run, member, report, now_ns, ahead)

    def _say_late(self, member: Member, report: report_pb2.Report) -> None:
        """A run that is over takes no samples any more: said once for a worker and a run."""
        late = (member.uid, report.run_id)
        if late in self._late:
            return
        if len(self._late) >= MAX_LATE_REMEMBERED:
            self._late.pop(next(iter(self._late)))
        self._late[late] = None
        logger.warning(
            "late reports of another run are dropped worker=%s run=%s", member.name, report.run_id.hex()[:8]
        )

    def _take_heartbeat(self, member: Member, report: report_pb2.Report, now_ns: int) -> None:
        self._sink.take_extras(member, report)
        self._acknowledge(member, b"", 0, report.sent_ns, now_ns)

    def _count(
        self, run: Run, member: Member, report: report_pb2.Report, now_ns: int, ahead: SlicePart | None
    ) -> None:
        ledger = run.ledger
        verdict = ledger.judge(
            worker_uid=member.uid,
            run_id=report.run_id,
            sequence=report.sequence,
            is_snapshot=report.snapshot,
        )
        if verdict in (Verdict.APPLY, Verdict.REPLACE):
            self._merge(run, member, report, now_ns, ahead)
            ledger.note_applied(member.uid, report.sequence, is_final=report.final)
            self._sink.take_extras(member, report)
            self._store(run, member, report, now_ns)
        elif verdict is Verdict.DUPLICATE:
            stored = ledger.stored.get(member.uid, 0)
            self._acknowledge(member, report.run_id, stored, report.sent_ns, now_ns)
        else:
            expected = ledger.applied.get(member.uid, 0) + 1
            logger.warning(
                "gap in reports worker=%s expected=%d got=%d", member.name, expected, report.sequence
            )
            resync = master_service_pb2.Resync(run_id=report.run_id, expected_sequence=expected)
            self._mailboxes.put_resync(member, resync)

    def _merge(
        self, run: Run, member: Member, report: report_pb2.Report, now_ns: int, ahead: SlicePart | None
    ) -> None:
        earlier = partial(self._sink.stored_reports, member.uid)
        try:
            run.count(member, report, now_ns=now_ns, earlier=earlier, ahead=ahead)
        except UnknownContribution as error:
            logger.error("a snapshot is not counted, samples are missing worker=%s: %s", member.name, error)
            at_ms = run.now_us(now_ns) // 1_000
            run.losses.append(Loss(member.name, at_ms, at_ms, LossKind.UNREADABLE))

    def _store(self, run: Run, member: Member, report: report_pb2.Report, now_ns: int) -> None:
        sequence, sent_ns = report.sequence, report.sent_ns

        def on_stored() -> None:
            run.ledger.note_stored(member.uid, sequence)
            self._acknowledge(member, run.record.run_id, sequence, sent_ns, now_ns)

        self._sink.store_report(member.uid, sequence, report.SerializeToString(), on_stored)

    def _acknowledge(self, member: Member, run_id: bytes, sequence: int, sent_ns: int, now_ns: int) -> None:
        acknowledgement = master_service_pb2.ReportAcknowledgement(
            run_id=run_id,
            sequence=sequence,
            clock=report_pb2.ClockSample(
                worker_sent_ns=sent_ns, master_received_ns=now_ns, master_sent_ns=time.monotonic_ns()
            ),
        )
        self._mailboxes.put_acknowledgement(member, acknowledgement)
