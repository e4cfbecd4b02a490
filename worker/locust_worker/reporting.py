"""What goes up to the master: takes runners' reports in, gives the agent's reports out.

One run has one outbox, from its first assignment until another run's. Outside of a run, and while the window
is full, heartbeats go out instead: they carry the status, count nothing and renew the lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from locust_protocol.limits import MAX_REPORT_BYTES, MAX_SERIES_NAMES, MAX_UNACKED_REPORTS
from locust_protocol.v1 import master_service_pb2, report_pb2
from locust_worker.combine import combine
from locust_worker.extras import Extras
from locust_worker.outbox import Outbox
from locust_worker.pool import Runner

logger = logging.getLogger(__name__)


class Reporting:
    """The worker's side of the statistics."""

    def __init__(self) -> None:
        self.extras = Extras()
        self.outbox: Outbox | None = None
        self._window = MAX_UNACKED_REPORTS
        self._max_report_bytes = MAX_REPORT_BYTES
        self._has_said_limit = False

    def begin_run(self, run_id: bytes, *, max_names: int = 0) -> None:
        """A run is assigned, maybe the present one again; an empty id leaves the last outbox as it is.

        `max_names` limits the request names that are told apart; 0 is the limit that is built in.
        """
        if not run_id or (self.outbox is not None and self.outbox.run_id == run_id):
            return
        if self.outbox is not None and not self.outbox.is_settled and self.outbox.last_sequence:
            logger.warning(
                "reports of an older run were never acknowledged and are dropped run=%s reports=%d",
                self.outbox.run_id.hex(),
                self.outbox.unacked,
            )
        self.outbox = Outbox(
            run_id,
            window=self._window,
            max_report_bytes=self._max_report_bytes,
            max_series=max_names or MAX_SERIES_NAMES,
        )
        self._has_said_limit = False

    def admitted(self, response: master_service_pb2.RegisterResponse) -> None:
        """A session began: takes its limits, and prepares what is to be sent again in it."""
        self._window = response.max_unacked_reports or MAX_UNACKED_REPORTS
        self._max_report_bytes = response.max_report_bytes or MAX_REPORT_BYTES
        if self.outbox is not None:
            self.outbox.resume(
                self.extras,
                stats_known=response.stats_known,
                acknowledged_sequence=response.acknowledged_sequence,
            )

    def take(self, runner: Runner, report: report_pb2.Report) -> None:
        """Takes a runner's report in. Raises ValueError when it is malformed; then nothing of it counts."""
        outbox = self.outbox
        if report.slices and (outbox is None or report.run_id != outbox.run_id):
            logger.warning("samples of a run that is over are dropped slot=%d", runner.slot)
        elif outbox is not None and report.run_id == outbox.run_id:
            combine(outbox.open, outbox.dictionary, runner.names, report)
            outbox.join_pending()
            for exemplar in report.exemplars:
                exemplar.series_id = runner.names.our_series(exemplar.series_id)
                self.extras.put("exemplars", exemplar)
            self._say_limit(outbox)
        else:
            runner.names.learn(report)
        self._take_rest(runner, report)

    def acknowledge(self, run_id: bytes, sequence: int) -> None:
        """The master has stored reports of a run."""
        if self.outbox is not None and self.outbox.run_id == run_id:
            self.outbox.acknowledge(sequence)

    def shrink(self) -> bool:
        """The master refuses a report as too large; False when smaller ones are no use."""
        if self.outbox is None or not self.outbox.shrink():
            return False
        self._max_report_bytes = max(1, self._max_report_bytes // 2)
        return True

    def resync(self, request: master_service_pb2.Resync) -> None:
        """The master lacks an earlier report."""
        if self.outbox is not None and self.outbox.run_id == request.run_id:
            logger.warning(
                "the master lacks a report, everything is sent again expected=%d", request.expected_sequence
            )
            self.outbox.resync(self.extras, expected_sequence=request.expected_sequence)

    def finish(self) -> bool:
        """Freezes the final report, when users have ended; False when the window has no room for it yet."""
        outbox = self.outbox
        if outbox is None or (outbox.is_final and not outbox.open):
            return True
        if not outbox.can_freeze:
            return False
        self._say_dropped()
        outbox.freeze(self.extras, final=True)
        return True

    def due(
        self, status: Callable[[], report_pb2.WorkerStatus], *, is_interval_over: bool
    ) -> list[report_pb2.Report]:
        """Returns the reports to send now, with their status; times are set by who sends them."""
        outbox = self.outbox
        if is_interval_over:
            self._say_dropped()
            # After a final report there are samples only when the master made the run go on.
            if outbox is not None and outbox.can_freeze and (outbox.open or not outbox.is_final):
                outbox.freeze(self.extras)
        due = [_copied(report) for report in outbox.take_due()] if outbox is not None else []
        if not due and is_interval_over:
            due = [self._heartbeat()]
        if due:
            for report in due:
                report.status.CopyFrom(status())
        return due

    def _heartbeat(self) -> report_pb2.Report:
        heartbeat = report_pb2.Report()
        if self.outbox is None or self.outbox.is_settled:
            for field, piece in self.extras.take():
                getattr(heartbeat, field).append(piece)
        return heartbeat

    def _take_rest(self, runner: Runner, report: report_pb2.Report) -> None:
        for data in report.user_data:
            data.runner_index = runner.index
            self.extras.put("user_data", data)
        for event in report.events:
            event.slot = runner.slot
            self.extras.put("events", event)
        for record in report.logs:
            record.source = f"runner {runner.slot}"
            self.extras.put("logs", record)
        for message in report.messages:
            message.from_runner = runner.index
            self.extras.put("messages", message)

    def _say_limit(self, outbox: Outbox) -> None:
        if outbox.dictionary.is_limited and not self._has_said_limit:
            self._has_said_limit = True
            text = "too many request names: further ones are counted under (other)"
            self.extras.put(
                "events",
                report_pb2.WorkerEvent(kind=report_pb2.WORKER_EVENT_KIND_NAMES_LIMITED, text=text),
            )

    def _say_dropped(self) -> None:
        for sentence in self.extras.take_dropped():
            logger.warning("%s", sentence)


def _copied(report: report_pb2.Report) -> report_pb2.Report:
    """Returns a copy to put status and time into: the frozen one is to be sent again as it is."""
    copy = report_pb2.Report()
    copy.CopyFrom(report)
    return copy
