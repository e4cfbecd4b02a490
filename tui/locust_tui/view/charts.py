"""What the charts show: users, requests and failures, response times, over one time axis. Pure."""

from __future__ import annotations

from collections.abc import Callable

from locust_protocol.v1.snapshot_pb2 import HistoryPoint, RunEventKind
from locust_tui.model import Picture
from locust_tui.view.header import quantile_us
from locust_tui.view.shapes import Chart, Curve, Tone

_MARKING = frozenset(
    {
        RunEventKind.RUN_EVENT_KIND_MARK,
        RunEventKind.RUN_EVENT_KIND_EDITED,
        RunEventKind.RUN_EVENT_KIND_RESET,
        RunEventKind.RUN_EVENT_KIND_STAGE,
        RunEventKind.RUN_EVENT_KIND_WORKER_LOST,
    }
)
"""Kinds of events that charts show as vertical lines."""


def charts(picture: Picture, *, max_points: int) -> tuple[Chart, Chart, Chart]:
    """Returns the charts of all seconds that are known, joined to at most `max_points` means each."""
    seconds = [picture.history[key] for key in sorted(picture.history)]
    marks = _marks(picture, seconds)
    size = max(1, -(-len(seconds) // max(1, max_points)))
    points = [seconds[start : start + size] for start in range(0, len(seconds), size)]
    return (
        Chart(
            "Users",
            (
                _curve("wanted", Tone.MUTED, points, lambda point: float(point.planned_users)),
                _curve("running", Tone.ACCENT, points, lambda point: float(point.users)),
            ),
            marks,
        ),
        Chart(
            "Requests per second",
            (
                _curve("requests", Tone.GOOD, points, lambda point: _per_second(point, point.requests)),
                _curve("failures", Tone.BAD, points, lambda point: _per_second(point, point.failures)),
            ),
            marks,
        ),
        Chart(
            "Response time, ms",
            (
                _curve("p95", Tone.WARN, points, lambda point: _millis(point, 0.95)),
                _curve("p50", Tone.ACCENT, points, lambda point: _millis(point, 0.5)),
            ),
            marks,
        ),
    )


def _curve(
    label: str, tone: Tone, points: list[list[HistoryPoint]], value: Callable[[HistoryPoint], float | None]
) -> Curve:
    """A curve of means; where no second has a value there is no point, not a zero."""
    known = []
    for joined in points:
        values = [found for point in joined if (found := value(point)) is not None]
        if values:
            known.append((joined[0].start_ms / 1_000, sum(values) / len(values)))
    return Curve(label, tone, [second for second, _ in known], [found for _, found in known])


def _per_second(point: HistoryPoint, count: int) -> float:
    return 1_000 * count / (point.width_ms or 1_000)


def _millis(point: HistoryPoint, share: float) -> float | None:
    micros = quantile_us(point.quantiles, share)
    return None if micros is None else micros / 1_000


def _marks(picture: Picture, points: list[HistoryPoint]) -> tuple[float, ...]:
    if not points:
        return ()
    first, last = points[0].start_ms, points[-1].start_ms
    return tuple(
        event.at_ms / 1_000
        for event in picture.events.values()
        if event.kind in _MARKING and first <= event.at_ms <= last
    )
