"""One snapshot as plain text, for scripts, logs and terminals without screens. Pure."""

from __future__ import annotations

from locust_protocol.v1.snapshot_pb2 import Snapshot
from locust_tui import formats
from locust_tui.connection import Link, LinkPhase
from locust_tui.model import Picture, apply
from locust_tui.view.filters import RowFilter
from locust_tui.view.header import header
from locust_tui.view.problems import failures
from locust_tui.view.shapes import Line, Row, Table, text_of
from locust_tui.view.statistics import Sort, statistics


def snapshot_text(snapshot: Snapshot, *, target: str, width: int) -> str:
    """Returns header, warnings, statistics and failures in lines of at most `width` cells."""
    picture = apply(Picture(), snapshot)
    link = Link(target, LinkPhase.CONNECTED, 0.0)
    top = header(picture, link, now_s=0.0, news_s=0.0, width=width)
    lines = [_line(top.first), _line(top.second)]
    lines += [formats.plain(f"! {warning.text}") for warning in picture.warnings]
    everything = RowFilter()
    lines += ["", *_table_lines(statistics(picture, width=width, sort=Sort(), row_filter=everything))]
    if picture.errors:
        lines += ["", *_table_lines(failures(picture, width=width, row_filter=everything))]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _line(line: Line) -> str:
    return text_of(line)


def _table_lines(table: Table) -> list[str]:
    if not table.rows:
        return [table.empty]
    heading = "".join(_cell(column.label, column.width, column.is_right_aligned) for column in table.columns)
    rows = [*table.rows, *([table.pinned] if table.pinned else [])]
    return [heading, *(_row_text(row, table) for row in rows)]


def _row_text(row: Row, table: Table) -> str:
    return "".join(
        _cell(piece.text, column.width, column.is_right_aligned)
        for piece, column in zip(row.cells, table.columns, strict=True)
    )


def _cell(text: str, width: int, is_right_aligned: bool) -> str:
    return formats.fit(text, width, right=True) if is_right_aligned else formats.fit(text, width - 1) + " "
