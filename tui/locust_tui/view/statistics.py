"""What the statistics table shows. Pure.

Columns are dropped by priority until the rest fits, so the table never scrolls sideways; below 100 cells
the method is folded into the name. "Aggregated" is pinned below and takes no part in sorting or filters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from locust_protocol.v1.report_pb2 import SeriesDefinition
from locust_protocol.v1.snapshot_pb2 import SeriesRow
from locust_tui import formats
from locust_tui.model import Picture
from locust_tui.view.filters import RowFilter
from locust_tui.view.header import quantile_us
from locust_tui.view.shapes import Column, Piece, Row, Table, Tone

AGGREGATED = "Aggregated"

SPARK_CELLS = 12
NARROW_SPARK_CELLS = 8
NARROW = 100
"""Cells below which the method is folded into the name."""

_NAME_MIN = 26
_WIDE_NAME_MIN = 34

_DROP_ORDER = ("size", "max", "min", "mean", "failures_per_second", "failures", "last_minute", "p99", "type")
"""Columns in the order in which they give way."""


@dataclass(frozen=True, slots=True)
class Sort:
    """By which column, and which way."""

    column: str = "name"
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class _Measure:
    """A column that is computed of one series; `order` is what it sorts by."""

    key: str
    label: str
    width: int
    order: Callable[[SeriesRow], float]
    cell: Callable[[SeriesRow], Piece]


def _time(label: str, key: str, value: Callable[[SeriesRow], int | None]) -> _Measure:
    return _Measure(
        key,
        label,
        8,
        lambda row: _or_lowest(value(row)),
        lambda row: Piece(formats.response_time(value(row))),
    )


def _or_lowest(value: int | None) -> float:
    return -1.0 if value is None else float(value)


def _optional(row: SeriesRow, name: str) -> int | None:
    return int(getattr(row, name)) if row.HasField(name) else None  # type: ignore[arg-type]


def _bad_when(condition: bool, text: str) -> Piece:
    return Piece(text, Tone.BAD if condition else Tone.PLAIN)


_MEASURES: tuple[_Measure, ...] = (
    _Measure(
        "requests",
        "# reqs",
        11,
        lambda row: row.requests,
        lambda row: Piece(formats.count(row.requests, width=10)),
    ),
    _Measure(
        "failures",
        "# fails",
        10,
        lambda row: row.failures,
        lambda row: _bad_when(row.failures > 0, formats.count(row.failures, width=9)),
    ),
    _Measure(
        "fail_percent",
        "fail%",
        7,
        lambda row: row.failures / row.requests if row.requests else -1.0,
        lambda row: _bad_when(row.failures > 0, formats.percent(row.failures, row.requests)),
    ),
    _time("p50 ms", "p50", lambda row: quantile_us(row.quantiles, 0.5)),
    _time("p95 ms", "p95", lambda row: quantile_us(row.quantiles, 0.95)),
    _time("p99 ms", "p99", lambda row: quantile_us(row.quantiles, 0.99)),
    _time("avg ms", "mean", lambda row: _optional(row, "mean_us")),
    _time("min ms", "min", lambda row: _optional(row, "min_us")),
    _time("max ms", "max", lambda row: _optional(row, "max_us")),
    _Measure(
        "size",
        "avg B",
        10,
        lambda row: _or_lowest(_optional(row, "mean_bytes")),
        lambda row: Piece(
            formats.count(row.mean_bytes, width=9) if row.HasField("mean_bytes") else formats.NO_VALUE
        ),
    ),
    _Measure("rps", "rps", 9, lambda row: row.current_rps, lambda row: Piece(formats.rate(row.current_rps))),
    _Measure(
        "failures_per_second",
        "fail/s",
        8,
        lambda row: row.current_failures_per_second,
        lambda row: _bad_when(
            row.current_failures_per_second > 0, formats.rate(row.current_failures_per_second)
        ),
    ),
)
_BY_KEY = {measure.key: measure for measure in _MEASURES}


def statistics(
    picture: Picture, *, width: int, sort: Sort, row_filter: RowFilter, held_order: Sequence[str] = ()
) -> Table:
    """Returns the table for `width` cells; with `held_order`, keys it names keep that order."""
    columns = _columns(width, sort)
    rows = {
        str(series_id): (picture.definition(series_id), row)
        for series_id, row in picture.series.items()
        if not row_filter.text or row_filter.takes(_name(picture.definition(series_id)))
    }
    order = _order(rows, sort)
    if held_order:
        places = {key: place for place, key in enumerate(held_order)}
        order.sort(key=lambda key: places.get(key, len(places)))
    total = SeriesDefinition(name=AGGREGATED)
    return Table(
        columns=columns,
        rows=tuple(Row(key, partial(_cells, columns, *rows[key])) for key in order),
        pinned=Row("total", partial(_cells, columns, total, picture.total)) if picture.series else None,
        empty=_empty_text(picture, row_filter),
    )


def sortable(width: int) -> tuple[str, ...]:
    """Returns the keys of the columns that can be sorted by at this width, in the order shown."""
    return tuple(
        column.key for column in _columns(width, Sort()) if column.key not in ("last_minute", "type")
    )


def first_direction(column: str) -> Sort:
    """Returns the sort that a column starts with: names upwards, figures from the highest."""
    return Sort(column, is_descending=column != "name")


def _empty_text(picture: Picture, row_filter: RowFilter) -> str:
    if picture.series:
        return f"no request matches {row_filter.text}"
    return "no requests yet" if picture.has_run else "no run yet: press n to start one"


def _columns(width: int, sort: Sort) -> tuple[Column, ...]:
    spark = SPARK_CELLS if width >= NARROW else NARROW_SPARK_CELLS
    fixed = {measure.key: measure.width for measure in _MEASURES} | {"last_minute": spark + 2}
    if width >= NARROW:
        fixed["type"] = 9
    name_min = _WIDE_NAME_MIN if width >= NARROW else _NAME_MIN
    for key in _DROP_ORDER:
        if sum(fixed.values()) + name_min <= width:
            break
        fixed.pop(key, None)
    columns = [Column("type", "Type", fixed["type"], False)] if "type" in fixed else []
    columns.append(Column("name", "Name", max(8, width - sum(fixed.values())), False))
    columns += [Column(each.key, each.label, each.width) for each in _MEASURES if each.key in fixed]
    if "last_minute" in fixed:
        columns.append(Column("last_minute", "last min", fixed["last_minute"]))
    return tuple(_with_arrow(column, sort) for column in columns)


def _with_arrow(column: Column, sort: Sort) -> Column:
    if column.key != sort.column:
        return column
    label = column.label + ("▼" if sort.is_descending else "▲")
    return Column(column.key, label, column.width, column.is_right_aligned)


def _order(rows: Mapping[str, tuple[SeriesDefinition, SeriesRow]], sort: Sort) -> list[str]:
    by_name = sorted(rows, key=lambda key: (rows[key][0].name, rows[key][0].request_type, key))
    measure = _BY_KEY.get(sort.column)
    if measure is None:
        return by_name[::-1] if sort.is_descending else by_name
    return sorted(by_name, key=lambda key: measure.order(rows[key][1]), reverse=sort.is_descending)


def _name(definition: SeriesDefinition) -> str:
    return formats.plain(f"{definition.request_type} {definition.name}".strip())


def _cells(columns: Sequence[Column], definition: SeriesDefinition, row: SeriesRow) -> tuple[Piece, ...]:
    is_type_apart = any(column.key == "type" for column in columns)
    is_total = definition.name == AGGREGATED and not definition.request_type
    return tuple(_cell(column, definition, row, is_type_apart, is_total) for column in columns)


def _cell(
    column: Column, definition: SeriesDefinition, row: SeriesRow, is_type_apart: bool, is_total: bool
) -> Piece:
    if column.key == "type":
        return Piece(formats.plain(definition.request_type), Tone.MUTED)
    if column.key == "name":
        return Piece(
            formats.plain(definition.name) if is_type_apart else _name(definition),
            Tone.STRONG if is_total else Tone.PLAIN,
        )
    if column.key == "last_minute":
        return Piece(formats.sparkline(row.last_minute, column.width - 2), Tone.ACCENT)
    return _BY_KEY[column.key].cell(row)
