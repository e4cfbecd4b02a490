"""The CSV tables are Locust's: same columns, same order, and nothing in them runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from locust_master.outputs.csv import exceptions_csv, failures_csv, history_csv, stats_csv
from locust_master.outputs.report import FinalReport
from locust_master.outputs.text import spreadsheet_cell
from tests.master.outputs.runs_with_samples import TRACEBACK, CountingRun, Samples, report_of, shop_run

PERCENTILES = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%"

HEADERS = {
    stats_csv: "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,"
    "Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s," + PERCENTILES,
    failures_csv: "Method,Name,Error,Occurrences,First Seen,Last Seen",
    exceptions_csv: "Count,Message,Traceback,Nodes",
    history_csv: f"Timestamp,User Count,Type,Name,Requests/s,Failures/s,{PERCENTILES},Total Request Count,"
    "Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response Time,"
    "Total Max Response Time,Total Average Content Size",
}

Format = Callable[[FinalReport], str]


def _rows(write: Format, counting: CountingRun) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(write(report_of(counting)), newline="")))


@pytest.mark.parametrize(("write", "header"), HEADERS.items())
def test_first_line_is_locusts(write: Format, header: str) -> None:
    """Scripts and spreadsheets find columns by name and by place."""
    for counting in (shop_run(), CountingRun()):
        assert write(report_of(counting)).splitlines()[0] == header


def test_statistics_are_in_milliseconds_and_end_with_the_aggregated_row() -> None:
    """The last row is all requests together, without a type."""
    rows = _rows(stats_csv, shop_run())
    assert [(row["Type"], row["Name"]) for row in rows] == [
        ("GET", "/"),
        ("POST", "/buy"),
        ("WS", "notify"),
        ("", "Aggregated"),
    ]
    page, total = rows[0], rows[-1]
    assert (page["Request Count"], page["Failure Count"]) == ("3", "0")
    assert float(page["Median Response Time"]) == pytest.approx(10.0, rel=0.001)
    assert float(page["Average Response Time"]) == pytest.approx(10.5)
    assert (float(page["Min Response Time"]), float(page["Max Response Time"])) == (1.5, 20.0)
    assert (float(page["Average Content Size"]), float(page["Requests/s"])) == (120.0, 1.5)
    assert float(page["100%"]) == 20.0
    assert (total["Request Count"], total["Failure Count"], total["Failures/s"]) == ("5", "1", "0.5")
    assert float(total["99.99%"]) == pytest.approx(250.0, rel=0.001)


@pytest.mark.parametrize("counting", [CountingRun(), shop_run()], ids=["no request", "none timed"])
def test_percentiles_without_a_response_time_are_not_available_and_figures_are_zero(
    counting: CountingRun,
) -> None:
    """As in Locust: whoever reads the averages as numbers may go on doing so."""
    row = next(row for row in _rows(stats_csv, counting) if row["Name"] != "/" and row["Type"] != "POST")
    assert {row[share] for share in PERCENTILES.split(",")} == {"N/A"}
    for column in ("Median", "Average", "Min", "Max"):
        assert float(row[f"{column} Response Time"]) == 0


def test_failures_have_their_moments_in_utc() -> None:
    """The wall clock of the run's start plus run time."""
    assert _rows(failures_csv, shop_run()) == [
        {
            "Method": "POST",
            "Name": "/buy",
            "Error": "500 Server Error",
            "Occurrences": "1",
            "First Seen": "2023-11-14T22:13:20Z",
            "Last Seen": "2023-11-14T22:13:21Z",
        }
    ]


def test_exceptions_keep_the_lines_of_a_traceback() -> None:
    """A traceback on one line cannot be read."""
    assert _rows(exceptions_csv, shop_run()) == [
        {"Count": "2", "Message": "no stock", "Traceback": TRACEBACK, "Nodes": "w1"}
    ]


def test_history_has_a_row_a_second_with_the_totals_until_its_end() -> None:
    """Rates and percentiles are those of the second, totals those since the start."""
    first, second, *_ = _rows(history_csv, shop_run())
    assert (first["Timestamp"], second["Timestamp"]) == ("1700000000", "1700000001")
    assert (first["Type"], first["Name"]) == ("", "Aggregated")
    assert (first["Requests/s"], first["Failures/s"]) == ("3", "1")
    assert (second["Requests/s"], second["Failures/s"]) == ("2", "0")
    assert float(first["100%"]) == 250.0
    assert float(second["100%"]) == 1.5
    assert (first["Total Request Count"], second["Total Request Count"]) == ("3", "5")
    assert (second["Total Failure Count"], float(second["Total Max Response Time"])) == ("1", 250.0)
    assert (float(first["Total Min Response Time"]), float(second["Total Min Response Time"])) == (10.0, 1.5)
    assert float(second["Total Average Response Time"]) == pytest.approx(281.5 / 4)
    assert float(second["Total Average Content Size"]) == 72.0


def test_history_shows_the_users_of_the_second() -> None:
    """The report at a second's end says how many users ran."""
    users = {row["Timestamp"]: row["User Count"] for row in _rows(history_csv, shop_run())}
    assert (users["1700000001"], users["1700000002"]) == ("3", "4")


def test_history_of_a_second_without_response_times_is_not_available_and_zero() -> None:
    """Seconds in which nothing ended belong to the history too."""
    counting = CountingRun()
    counting.count(0, Samples("notify", untimed=1))
    row = _rows(history_csv, counting)[0]
    assert {row[share] for share in PERCENTILES.split(",")} == {"N/A"}
    for column in ("Median", "Average", "Min", "Max"):
        assert float(row[f"Total {column} Response Time"]) == 0


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_text_from_outside_is_a_formula(start: str) -> None:
    """A target that answers `=cmd|...` must not run it on the machine of whoever opens the file."""
    formula = f'{start}HYPERLINK("http://evil")'
    counting = CountingRun(worker_name=formula)
    counting.count(
        0,
        Samples(formula, request_type=formula, failed_us=(1,), error=formula),
        exception=(formula, formula),
    )
    for write, columns in (
        (stats_csv, ("Type", "Name")),
        (failures_csv, ("Method", "Name", "Error")),
        (exceptions_csv, ("Message", "Traceback", "Nodes")),
    ):
        row = _rows(write, counting)[0]
        assert [row[column] for column in columns] == [f"'{formula}"] * len(columns)


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "\n=1", " =1", "\x1b=1", "\x00=1"])
def test_nothing_before_a_formula_hides_it(text: str) -> None:
    """Some spreadsheets trim cells before they look, and what cannot be shown is dropped here."""
    assert spreadsheet_cell(text).startswith("'")


def test_number_is_never_quoted() -> None:
    """A quoted number is text, and no spreadsheet sums it."""
    assert "'" not in stats_csv(report_of(shop_run()))


def test_control_characters_are_in_no_table() -> None:
    """Files are looked at in terminals too; line breaks in a traceback are the one exception."""
    hostile = "a\x1b[31m\x9b\u202e\x00b"
    counting = CountingRun()
    counting.count(
        0, Samples(hostile, failed_us=(1,), error=hostile), exception=(hostile, f"{hostile}\n  {hostile}")
    )
    for write in HEADERS:
        text = write(report_of(counting))
        assert all(character.isprintable() or character in "\r\n" for character in text)
    assert _rows(exceptions_csv, counting)[0]["Traceback"] == "a[31mb\n  a[31mb"
