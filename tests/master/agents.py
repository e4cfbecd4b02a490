"""An agent without processes: its own outbox and dictionary, joined back to back with the master's totals."""

from __future__ import annotations

from locust_master.merging.totals import RunTotals
from locust_protocol.v1 import report_pb2
from locust_worker.extras import Extras
from locust_worker.outbox import Outbox
from locust_worker.slices import SliceKey, SliceTotals

RUN_ID = bytes(range(16))


class Agent:
    """Records samples and hands over the reports that a real agent would send."""

    def __init__(self, number: int, *, run_id: bytes = RUN_ID) -> None:
        self.uid = number.to_bytes(16, "big")
        self.name = f"w{number}"
        self.outbox = Outbox(run_id)
        self.extras = Extras()
        self.applied = 0
        self.counted: list[report_pb2.Report] = []

    @property
    def key(self) -> str:
        return self.uid.hex()

    def record(
        self,
        value_us: int | None,
        *,
        name: str = "/",
        request_type: str = "GET",
        second: int = 0,
        width_s: int = 1,
        epoch: int = 1,
        error: str | None = None,
        response_bytes: int = 0,
        kind: report_pb2.SeriesKind.ValueType = report_pb2.SERIES_KIND_REQUEST,
        times: int = 1,
    ) -> None:
        """One request that ended in a second; `value_us` None: without a response time."""
        slice_totals = self._slice(second, width_s, epoch)
        definition = report_pb2.SeriesDefinition(kind=kind, request_type=request_type, name=name)
        series_id = self.outbox.dictionary.series_id(definition, labels=(), parent_id=None)
        row = slice_totals.row(series_id)
        row.requests += times
        row.response_bytes += response_bytes * times
        if error is not None:
            row.failures += times
            said = report_pb2.ErrorDefinition(origin=report_pb2.ERROR_ORIGIN_TARGET, message=error)
            error_id = self.outbox.dictionary.error_id(said, series_id=series_id)
            slice_totals.errors[error_id] = slice_totals.errors.get(error_id, 0) + times
        if value_us is None:
            row.untimed += times
        else:
            (row.successful if error is None else row.failed).record(value_us, times)

    def interrupt(self, *, name: str = "/", second: int = 0) -> None:
        """A request that a stop cut off."""
        definition = report_pb2.SeriesDefinition(request_type="GET", name=name)
        series_id = self.outbox.dictionary.series_id(definition, labels=(), parent_id=None)
        self._slice(second, 1, 1).row(series_id).interrupted += 1

    def raise_in_user_code(self, message: str, *, second: int = 0) -> None:
        """An exception of user code."""
        said = report_pb2.ExceptionDefinition(message=message, traceback=f"Traceback …\n{message}")
        number = self.outbox.dictionary.exception_id(said)
        counts = self._slice(second, 1, 1).exceptions
        counts[number] = counts.get(number, 0) + 1

    def reports(self, *, final: bool = False) -> list[report_pb2.Report]:
        """Closes what was recorded and returns it as it travels: parsed from bytes."""
        self.outbox.freeze(self.extras, final=final)
        return self._take()

    def snapshot(self) -> list[report_pb2.Report]:
        """Answers a Resync: everything since the run began."""
        self.outbox.resync(self.extras, expected_sequence=self.applied + 1)
        return self._take()

    def flush(self, totals: RunTotals, *, at_ms: int | None = None, final: bool = False) -> None:
        """Reports to the totals."""
        self.deliver(totals, self.reports(final=final), at_ms=at_ms)

    def deliver(
        self, totals: RunTotals, reports: list[report_pb2.Report], *, at_ms: int | None = None
    ) -> None:
        """Counts reports and acknowledges them."""
        for report in reports:
            totals.apply(self.key, self.name, report, at_ms=at_ms, earlier=lambda: self.counted)
            self.counted.append(report)
            self.accept(report.sequence)

    def accept(self, sequence: int) -> None:
        """The master has stored up to a sequence."""
        self.applied = sequence
        self.outbox.acknowledge(sequence)

    def _take(self) -> list[report_pb2.Report]:
        return [report_pb2.Report.FromString(each.SerializeToString()) for each in self.outbox.take_due()]

    def _slice(self, second: int, width_s: int, epoch: int) -> SliceTotals:
        width_ms = width_s * 1_000
        start_ms = second * 1_000 - second * 1_000 % width_ms
        return self.outbox.open.setdefault(SliceKey(start_ms, width_ms, epoch), SliceTotals())
