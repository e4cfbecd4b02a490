"""Counts requests: the hot path of a runner, and the deltas that its reports are made of.

Samples go into the open slice, one second of the run's timeline. `drain` takes what has come since the last
time, with the names that are new; each sample is in exactly one drain. Outside of a run samples are
dropped.

Nothing here may block, switch greenlets or raise into a client.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import Final

from locust_protocol.histogram import MAX_BUCKET_INDEX, MAX_VALUE_US, PRECISION_BITS
from locust_protocol.limits import MAX_NAME_CHARS, MAX_PENDING_SLICES, MAX_SERIES_NAMES, SLICE_WIDTH_MS
from locust_protocol.v1.report_pb2 import Report
from locust_runtime.run.dictionary import OTHER
from locust_runtime.run.failure_texts import (
    error_origin,
    error_text,
    exception_text,
    shortened,
    traceback_text,
)
from locust_runtime.run.names import RunNames
from locust_runtime.run.slices import OpenSlice, Row, joined, slice_message, whole_number

_EXACT_BITS: Final = PRECISION_BITS + 1
_EXACT_BELOW_US: Final = 1 << _EXACT_BITS
_NEVER_NS: Final = 0
"""End of a slice that is over at any time: the next sample has to open one."""


class RunRecorder:
    """The recorder of a runner; `environment.recorder` is set to it."""

    def __init__(self, *, max_series: int = 0) -> None:
        """`max_series` limits the request names; 0 is the default limit."""
        self._max_series = max_series or MAX_SERIES_NAMES
        self._run_start_ns: int | None = None
        self._stats_epoch = 0
        self._slice_end_ns = _NEVER_NS
        self._open = OpenSlice(0, 0)
        self._rows: dict[tuple[str, str], Row] = {}
        """Rows of the open slice by request type and name as they are passed in: one look-up a request."""
        self._closed: list[OpenSlice] = []
        self.joined_slices = 0
        """Slices that were joined with a neighbour since the run began."""
        self.dropped_samples = 0
        """Requests that ended outside of a run, since the process began."""
        self._names = RunNames(max_series=self._max_series)

    def start_run(self, *, run_start_ns: int, stats_epoch: int) -> None:
        """Begin a run whose time zero is `run_start_ns` on this machine's monotonic clock."""
        self.end_run()
        self._names = RunNames(max_series=self._max_series)
        self._run_start_ns = run_start_ns
        self._stats_epoch = stats_epoch
        self.joined_slices = 0

    def set_start(self, run_start_ns: int) -> None:
        """Take over a better estimate of the run's time zero for what is recorded from now on."""
        if self._run_start_ns is not None and run_start_ns != self._run_start_ns:
            self._close_slice()
            self._run_start_ns = run_start_ns

    def set_epoch(self, stats_epoch: int) -> None:
        """Record under another epoch of the statistics from now on."""
        if stats_epoch != self._stats_epoch:
            self._close_slice()
            self._stats_epoch = stats_epoch

    def end_run(self) -> None:
        """End the run: what was not drained is forgotten, and samples are dropped from now on."""
        self._run_start_ns = None
        self._slice_end_ns = _NEVER_NS
        self._rows = {}
        self._open = OpenSlice(0, 0)
        self._closed = []

    @property
    def is_recording(self) -> bool:
        """Whether a run is on."""
        return self._run_start_ns is not None

    @property
    def has_samples(self) -> bool:
        """Whether there is something to drain."""
        return bool(self._closed) or not self._open.is_empty

    @property
    def is_over_series_limit(self) -> bool:
        """Whether samples of this run were counted under "(other)"."""
        return self._names.series.is_over_limit

    def run_time_ms(self) -> int:
        """The present moment on the run's timeline; 0 outside of a run."""
        return 0 if self._run_start_ns is None else (monotonic_ns() - self._run_start_ns) // 1_000_000

    def record(
        self,
        request_type: str,
        name: str,
        response_time_ms: float | None,
        response_length: int,
        exception: BaseException | str | None = None,
    ) -> None:
        """Count a request that has an outcome; see `environment.Recorder`."""
        # Once for every request. Histogram.record is written out for the case that matters: 1.0 µs a request
        # against 1.6 µs with the call (tests/runtime/run/test_recorder.py holds both to the same answers, and
        # prints the figure with -s).
        now_ns = monotonic_ns()
        if now_ns >= self._slice_end_ns and not self._open_slice(now_ns):
            return
        try:
            row = self._rows[request_type, name]
        except (KeyError, TypeError):
            row = self._row(request_type, name)
        if exception or response_time_ms is None:
            self._record_unusual(row, response_time_ms, response_length, exception)
            return
        try:
            value_us = int(response_time_ms * 1000.0 + 0.5)
            if response_length:
                row.response_bytes += response_length
        except (TypeError, ValueError, OverflowError):
            self._record_unusual(row, response_time_ms, response_length, None)
            return
        if value_us < _EXACT_BELOW_US:
            if value_us < 0:
                value_us = 0
            bucket = value_us
        elif value_us < MAX_VALUE_US:
            exponent = value_us.bit_length() - _EXACT_BITS
            bucket = (exponent << PRECISION_BITS) + (value_us >> exponent)
        else:
            bucket = MAX_BUCKET_INDEX
        histogram = row.successful
        counts = histogram.counts
        try:
            counts[bucket] += 1
        except KeyError:
            counts[bucket] = 1
        if value_us > histogram.max_us:
            histogram.max_us = value_us
        if value_us < histogram.min_us or not histogram.count:
            histogram.min_us = value_us
        histogram.count += 1
        histogram.total_us += value_us

    def record_interrupted(self, request_type: str, name: str) -> None:
        """Count a request that a stop cut off: in no percentile and no failure."""
        now_ns = monotonic_ns()
        if now_ns >= self._slice_end_ns and not self._open_slice(now_ns):
            return
        self._row(request_type, name).interrupted += 1

    def record_exception(self, exception: BaseException, formatted_traceback: str) -> None:
        """Count an exception of user code."""
        now_ns = monotonic_ns()
        if now_ns >= self._slice_end_ns and not self._open_slice(now_ns):
            return
        number = self._names.exceptions.number(
            (exception_text(exception), traceback_text(formatted_traceback))
        )
        counts = self._open.exceptions
        counts[number] = counts.get(number, 0) + 1

    def drain(self) -> Report:
        """Return what was recorded since the last call: slices, and definitions of what is new in them."""
        self._close_slice()
        closed, self._closed = self._closed, []
        report = Report(slices=[slice_message(each) for each in closed])
        self._names.define_into(report)
        return report

    def _open_slice(self, now_ns: int) -> bool:
        """Open the slice that `now_ns` falls into; False when no run is on."""
        if self._run_start_ns is None:
            self.dropped_samples += 1
            return False
        self._close_slice()
        width_ns = SLICE_WIDTH_MS * 1_000_000
        # A request before time zero (from a test_start listener) counts in the first second.
        number = max(0, now_ns - self._run_start_ns) // width_ns
        self._open = OpenSlice(number * SLICE_WIDTH_MS, self._stats_epoch)
        self._slice_end_ns = self._run_start_ns + (number + 1) * width_ns
        return True

    def _close_slice(self) -> None:
        if not self._open.is_empty:
            self._closed.append(self._open)
            if len(self._closed) > MAX_PENDING_SLICES:
                self.joined_slices += len(self._closed)
                self._closed = joined(self._closed)
                self.joined_slices -= len(self._closed)
        self._open = OpenSlice(0, self._stats_epoch)
        self._rows = {}
        self._slice_end_ns = _NEVER_NS

    def _row(self, request_type: object, name: object) -> Row:
        # A locustfile may pass anything for a name; what two names are cut to the same counts as one.
        key = (_name_text(request_type), _name_text(name))
        number = self._names.series.number(key)
        rows = self._open.rows
        row = rows.get(number)
        if row is None:
            row = rows[number] = Row(number)
        if number != OTHER and type(request_type) is str and type(name) is str:
            self._rows[request_type, name] = row
        return row

    def _record_unusual(
        self,
        row: Row,
        response_time_ms: float | None,
        response_length: object,
        exception: BaseException | str | None,
    ) -> None:
        """Count a request that failed, or has no response time that is a number."""
        row.response_bytes += whole_number(response_length)
        value_us = None if response_time_ms is None else _microseconds(response_time_ms)
        if exception:
            number = self._names.errors.number(
                (row.series_id, error_origin(exception), error_text(exception))
            )
            errors = self._open.errors
            errors[number] = errors.get(number, 0) + 1
        if value_us is None:
            row.untimed += 1
            row.untimed_failures += bool(exception)
        elif exception:
            row.failed.record(value_us)
        else:
            row.successful.record(value_us)


def _name_text(name: object) -> str:
    return shortened(name if isinstance(name, str) else str(name), MAX_NAME_CHARS)


def _microseconds(response_time_ms: float) -> int | None:
    try:
        return int(response_time_ms * 1000.0 + 0.5)
    except (TypeError, ValueError, OverflowError):
        return None
