"""What the tables of failures and exceptions show, and the whole of a row when Enter opens it. Pure."""

from __future__ import annotations

from locust_protocol.v1.report_pb2 import ErrorOrigin
from locust_protocol.v1.snapshot_pb2 import ErrorRow, ExceptionRow
from locust_tui import formats
from locust_tui.model import Picture
from locust_tui.view.filters import RowFilter
from locust_tui.view.layout import Field, table, text_piece
from locust_tui.view.shapes import Piece, Table, Tone


def failures(picture: Picture, *, width: int, row_filter: RowFilter) -> Table:
    """Returns the failures, the most frequent first."""
    total = max(1, sum(row.count for row in picture.errors.values()))
    fields: tuple[Field[ErrorRow], ...] = (
        Field("count", "#", 9, lambda row: Piece(formats.count(row.count, width=8), Tone.BAD)),
        Field("share", "%", 7, lambda row: Piece(formats.percent(row.count, total)), drop=1),
        Field(
            "type",
            " Method",
            9,
            lambda row: text_piece(f" {row.request_type}", Tone.MUTED),
            is_right_aligned=False,
        ),
        Field("name", "Name", 0, lambda row: text_piece(row.name), is_right_aligned=False),
        Field(
            "message",
            "Message",
            0,
            lambda row: text_piece(_error_text(row)),
            is_right_aligned=False,
            least=30,
        ),
        Field("first", "first", 10, lambda row: Piece(formats.duration(row.first_ms), Tone.MUTED), drop=3),
        Field("last", "last", 10, lambda row: Piece(formats.duration(row.last_ms), Tone.MUTED), drop=2),
        Field("workers", "workers", 9, lambda row: Piece(str(len(row.workers)), Tone.MUTED), drop=4),
    )
    ordered = sorted(picture.errors.items(), key=lambda item: (-item[1].count, item[0]))
    return table(
        fields,
        [(str(key), row) for key, row in ordered],
        width=width,
        row_filter=row_filter,
        empty="no failures",
    )


def _error_text(row: ErrorRow) -> str:
    prefix = {
        ErrorOrigin.ERROR_ORIGIN_GENERATOR: "[generator] ",
        ErrorOrigin.ERROR_ORIGIN_SCRIPT: "[locustfile] ",
    }.get(row.origin, "")
    return prefix + row.message


def failure_text(picture: Picture, key: str) -> str:
    """Returns one failure in full."""
    row = picture.errors.get(int(key))
    if row is None:
        return ""
    return formats.plain_lines(
        f"{row.request_type} {row.name}\n\n{_error_text(row)}\n\n"
        f"{formats.count(row.count)} times, first at {formats.duration(row.first_ms)}, "
        f"last at {formats.duration(row.last_ms)}\nseen by {', '.join(row.workers) or formats.NO_VALUE}"
    )


def exceptions(picture: Picture, *, width: int, row_filter: RowFilter) -> Table:
    """Returns the exceptions of user code, the most frequent first."""
    fields: tuple[Field[ExceptionRow], ...] = (
        Field("count", "#", 9, lambda row: Piece(formats.count(row.count, width=8), Tone.BAD)),
        Field(
            "message",
            " Message",
            0,
            lambda row: text_piece(f" {row.message}"),
            is_right_aligned=False,
            least=30,
        ),
        Field(
            "at",
            "Where",
            0,
            lambda row: text_piece(_where(row.traceback), Tone.MUTED),
            is_right_aligned=False,
        ),
        Field("workers", "workers", 9, lambda row: Piece(str(len(row.workers)), Tone.MUTED), drop=3),
        Field("first", "first", 10, lambda row: Piece(formats.duration(row.first_ms), Tone.MUTED), drop=2),
        Field("last", "last", 10, lambda row: Piece(formats.duration(row.last_ms), Tone.MUTED), drop=1),
    )
    ordered = sorted(picture.exceptions.items(), key=lambda item: (-item[1].count, item[0]))
    return table(
        fields,
        [(str(key), row) for key, row in ordered],
        width=width,
        row_filter=row_filter,
        empty="no exceptions",
    )


def _where(traceback: str) -> str:
    frames = [line.strip() for line in traceback.splitlines() if line.strip().startswith("File ")]
    return frames[-1].removeprefix("File ").replace('"', "") if frames else ""


def exception_text(picture: Picture, key: str) -> str:
    """Returns one exception with its traceback."""
    row = picture.exceptions.get(int(key))
    if row is None:
        return ""
    return formats.plain_lines(
        f"{row.message}\n\n{row.traceback.rstrip()}\n\n{formats.count(row.count)} times, "
        f"seen by {', '.join(row.workers) or formats.NO_VALUE}"
    )
