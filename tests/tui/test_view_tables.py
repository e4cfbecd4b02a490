"""What the tables show: columns that fit, rows in order, awkward texts made harmless."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from locust_protocol.v1.report_pb2 import SeriesDefinition
from locust_protocol.v1.snapshot_pb2 import RunEventKind, Warning, WarningKind
from locust_tui.model import Picture, apply
from locust_tui.once import snapshot_text
from locust_tui.view.charts import charts
from locust_tui.view.events import event_text, events, newest_event
from locust_tui.view.filters import RowFilter
from locust_tui.view.problems import exception_text, exceptions, failure_text, failures
from locust_tui.view.shapes import Table
from locust_tui.view.statistics import Sort, first_direction, sortable, statistics
from locust_tui.view.workers import worker_text, workers
from tests.tui.builders import running_snapshot, series_row

ALL = RowFilter()


def picture() -> Picture:
    return apply(Picture(), running_snapshot())


def keys(table: Table) -> list[str]:
    return [row.key for row in table.rows]


def names(table: Table) -> list[str]:
    place = [column.key for column in table.columns].index("name")
    return [row.cells[place].text for row in table.rows]


def test_statistics_at_80_cells_fold_the_method_into_the_name() -> None:
    """Name, count, failures, three percentiles and rate remain."""
    table = statistics(picture(), width=77, sort=Sort(), row_filter=ALL)
    assert [column.key for column in table.columns] == [
        "name",
        "requests",
        "fail_percent",
        "p50",
        "p95",
        "p99",
        "rps",
    ]
    assert names(table) == ["GET /", "POST /cart", "GET /search"]


def test_statistics_on_a_wide_screen_have_all_columns() -> None:
    """Locust's columns, and the last minute."""
    table = statistics(picture(), width=180, sort=Sort(), row_filter=ALL)
    assert [column.label for column in table.columns] == [
        "Type", "Name▲", "# reqs", "# fails", "fail%", "p50 ms", "p95 ms", "p99 ms",
        "avg ms", "min ms", "max ms", "avg B", "rps", "fail/s", "last min",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [40, 77, 99, 100, 120, 159, 200, 300])
def test_statistics_never_need_more_than_the_width(width: int) -> None:
    """A table that scrolls sideways hides what matters; below 80 only the name gives way."""
    table = statistics(picture(), width=width, sort=Sort(), row_filter=ALL)
    assert sum(column.width for column in table.columns) == max(width, 51)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (Sort(), ["1", "3", "2"]),
        (Sort("name", is_descending=True), ["2", "3", "1"]),
        (Sort("requests", is_descending=True), ["1", "2", "3"]),
        (Sort("fail_percent", is_descending=True), ["3", "2", "1"]),
        (Sort("p50"), ["1", "2", "3"]),
        (Sort("rps", is_descending=True), ["1", "2", "3"]),
    ],
)
def test_statistics_sort_by_any_column(sort: Sort, order: list[str]) -> None:
    """Figures from the highest, names from the first."""
    assert keys(statistics(picture(), width=120, sort=sort, row_filter=ALL)) == order


def test_held_order_keeps_rows_where_they_are_and_adds_new_ones_below() -> None:
    """Nobody's row runs away under the cursor."""
    table = statistics(picture(), width=120, sort=Sort("rps", True), row_filter=ALL, held_order=("3", "1"))
    assert keys(table) == ["3", "1", "2"]


def test_every_sortable_column_is_shown_and_starts_in_its_direction() -> None:
    """`o` goes round what is seen."""
    shown = {column.key for column in statistics(picture(), width=77, sort=Sort(), row_filter=ALL).columns}
    assert set(sortable(77)) <= shown
    assert first_direction("name") == Sort("name", is_descending=False)
    assert first_direction("rps") == Sort("rps", is_descending=True)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("cart", ["3"]),
        ("GET", ["1", "2"]),
        ("!GET", ["3"]),
        ("^post", ["3"]),
        ("[", []),
        ("!", ["1", "3", "2"]),
    ],
)
def test_filter_takes_text_expressions_and_their_opposite(text: str, order: list[str]) -> None:
    """An expression that is being typed is not an error."""
    table = statistics(picture(), width=120, sort=Sort(), row_filter=RowFilter(text))
    assert keys(table) == order
    assert table.pinned is not None
    if not order:
        assert table.empty == f"no request matches {text}"


def test_awkward_names_are_harmless_and_fit() -> None:
    """Names come from a locustfile, errors from a server."""
    snapshot = running_snapshot()
    for number, name in enumerate(("\x1b[2J\r\nboo", "漢" * 200, "[red]x[/]", "🙂" * 90, ""), start=10):
        row = series_row(number, requests=0)
        row.definition.CopyFrom(SeriesDefinition(id=number, request_type="GET", name=name))
        row.ClearField("quantiles")
        row.ClearField("last_minute")
        row.ClearField("mean_us")
        snapshot.series.append(row)
    table = statistics(apply(Picture(), snapshot), width=180, sort=Sort(), row_filter=ALL)
    assert all("\x1b" not in name and "\n" not in name for name in names(table))
    text = snapshot_text(snapshot, target="m:1", width=120)
    assert max(cell_len(line) for line in text.splitlines()) <= 120
    assert "nan" not in text
    assert "[red]x[/]" in text


def test_a_billion_requests_fit_their_column() -> None:
    """Long runs are what this is for."""
    snapshot = running_snapshot()
    snapshot.series[0].requests = 10**9
    for table in (
        statistics(apply(Picture(), snapshot), width=w, sort=Sort(), row_filter=ALL) for w in (77, 180)
    ):
        for cells in (row.cells for row in table.rows):
            for piece, column in zip(cells, table.columns, strict=True):
                assert column.key == "name" or cell_len(piece.text) < column.width


def test_failures_come_with_the_most_frequent_first() -> None:
    """And their share of all."""
    table = failures(picture(), width=120, row_filter=ALL)
    assert keys(table) == ["1", "2"]
    assert [piece.text for piece in table.rows[0].cells[:4]] == ["456", "90.5", " POST", "/cart"]


@pytest.mark.parametrize("build", [failures, exceptions, workers, events])
@pytest.mark.parametrize("width", [77, 100, 157])
def test_lists_never_need_more_than_the_width(build: object, width: int) -> None:
    """Columns give way by priority."""
    table: Table = build(picture(), width=width, row_filter=ALL)  # type: ignore[operator]
    assert sum(column.width for column in table.columns) <= width
    assert table.rows


def test_lists_say_why_they_are_empty() -> None:
    """An empty table is a question."""
    assert failures(Picture(), width=80, row_filter=ALL).empty == "no failures"
    assert workers(Picture(), width=80, row_filter=ALL).empty == "no worker yet: start locust-worker"
    assert failures(picture(), width=80, row_filter=RowFilter("zzz")).empty == "nothing matches zzz"


def test_rows_open_to_all_that_is_known() -> None:
    """What was cut can be read."""
    assert "500 Server Error: Internal Server Error" in failure_text(picture(), "1")
    assert "host-1, host-2" in failure_text(picture(), "1")
    assert 'File "locustfile.py", line 31, in buy' in exception_text(picture(), "1")
    key = keys(workers(picture(), width=80, row_filter=ALL))[0]
    assert "runner 1 (pid 4001) READY: 30 users" in worker_text(picture(), key)
    assert "all 120 users run" in event_text(picture(), "event 2")


@pytest.mark.parametrize("text_of", [failure_text, exception_text])
def test_a_row_that_is_gone_has_no_text(text_of: object) -> None:
    """It may be reset between the look and the key."""
    assert text_of(picture(), "99") == ""  # type: ignore[operator]


def test_events_show_warnings_first_and_the_newest_next() -> None:
    """What holds now stands above what was."""
    snapshot = running_snapshot()
    snapshot.warnings.append(Warning(kind=WarningKind.WARNING_KIND_DEGRADED, text="worker host-3 lost"))
    shown = events(apply(Picture(), snapshot), width=100, row_filter=ALL)
    assert [row.cells[1].text.strip() for row in shown.rows] == ["DEGRADED", "spawned", "started"]
    newest = newest_event(picture())
    assert newest is not None
    assert newest.text == "00:00:12 spawned: all 120 users run"


def test_charts_join_seconds_to_means_and_leave_gaps() -> None:
    """A second without requests has no response time, which is not zero."""
    snapshot = running_snapshot()
    snapshot.history[3].ClearField("quantiles")
    snapshot.events[1].kind = RunEventKind.RUN_EVENT_KIND_MARK
    users, requests, times = charts(apply(Picture(), snapshot), max_points=1_000)
    assert len(users.curves[0].values) == 192
    assert len(times.curves[0].values) == 191
    assert requests.marks == (12.0,)
    joined, _, _ = charts(picture(), max_points=50)
    assert len(joined.curves[1].values) == 48
    assert joined.curves[1].values[0] == 25.0


def test_charts_of_nothing_are_empty() -> None:
    """Before the first second."""
    assert all(not curve.values for chart in charts(Picture(), max_points=10) for curve in chart.curves)


def test_once_prints_header_statistics_and_failures() -> None:
    """One snapshot as text, the same figures as on the screen."""
    text = snapshot_text(running_snapshot(), target="m:1", width=120)
    lines = text.splitlines()
    assert lines[0].startswith(" RUNNING      https://shop.test")
    assert any(line.startswith("POST     /cart") and "23,990" in line for line in lines)
    assert any("Aggregated" in line and "119,972" in line for line in lines)
    assert any("500 Server Error" in line for line in lines)
