"""Tables for a terminal: what people read, to the letter."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_master.losses import Loss
from locust_master.outputs import console
from locust_master.outputs.report import FinalReport
from locust_master.outputs.text import plain
from locust_protocol.v1 import report_pb2, snapshot_pb2
from tests.master.outputs.runs_with_samples import CountingRun, Samples, report_of, shop_run

KIND_RUNNER = snapshot_pb2.RUN_EVENT_KIND_RUNNER

STATISTICS = """\
Type     Name                   # reqs          # fails |    Avg     Min     Max     Med |     req/s  failures/s
--------|--------------------|--------|-----------------|-------|-------|-------|--------|----------|-----------
GET      /                           3         0(0.00%) |     10     1.5      20      10 |      1.50        0.00
POST     /buy                        1       1(100.00%) |    250     250     250     250 |      0.50        0.50
WS       notify                      1         0(0.00%) |      0       0       0       0 |      0.50        0.00
--------|--------------------|--------|-----------------|-------|-------|-------|--------|----------|-----------
         Aggregated                  5        1(20.00%) |     70     1.5     250      10 |      2.50        0.50
""".splitlines()  # noqa: E501

SHARES = ("50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%")

LIST_RULE = f"{'-' * 18}|{'-' * 91}"
ERRORS = [
    "Error report",
    "# occurrences      Error",
    LIST_RULE,
    "1                  POST /buy: 500 Server Error",
    LIST_RULE,
]
EXCEPTIONS = [
    "Exceptions",
    "# occurrences      Exception",
    LIST_RULE,
    "2                  no stock (locustfile.py:7, on w1)",
    LIST_RULE,
]
INTERRUPTED = (
    "Interrupted: 2 requests were on the wire when the users were stopped; "
    "the target may have counted them, the tables do not"
)
LOST = "Degraded: worker w2 lost, silent from 9 s on, up to 4000 ms of its samples missing"

HOSTILE = "\x1b[2J\x1b]0;title\x07/a\r\nb\x9b31m\u202ec\x00\t\x7fd\u2028e"
"""Clears the screen, sets the title, breaks the line, colours, turns the direction of writing."""

STEERING = {"Cc", "Cf", "Zl", "Zp"}
"""Unicode categories of what makes a terminal do something else than show text."""

NAME = slice(9, 29)
"""Where the name stands in a line whose name column has the least width."""


def _steers(text: str) -> bool:
    return any(unicodedata.category(character) in STEERING for character in text)


def _lengths(lines: list[str]) -> set[int]:
    return {len(line) for line in lines}


def _report(name: str, request_type: str = "GET") -> FinalReport:
    counting = CountingRun()
    counting.count(0, Samples(name, request_type, successful_us=(2_000,)))
    return report_of(counting)


def test_statistics_table_reads_as_locusts_users_know_it() -> None:
    """Columns, units, failures in percent, and the aggregated row below the last rule."""
    assert console.statistics_table(report_of(shop_run()), width=20, current=False) == STATISTICS


def test_statistics_table_has_the_rates_of_the_last_seconds_while_the_run_goes() -> None:
    """A mean over an hour would hide that the target has just stopped answering."""
    counting = CountingRun()
    counting.count(0, Samples("/", successful_us=(1_000,) * 40))
    for second in range(1, 21):
        counting.count(second, Samples("/", successful_us=(1_000,)))
    report = report_of(counting)
    now = console.statistics_table(report, width=20, current=True)[-1]
    whole = console.statistics_table(report, width=20, current=False)[-1]
    assert now.split("|")[-1].split() == ["1.00", "0.00"]
    assert whole.split("|")[-1].split() == ["2.86", "0.00"]


def test_percentile_table_has_a_row_a_timed_name_and_the_aggregated_one() -> None:
    """Percentiles in ms under the headings of Locust's tables."""
    lines = console.percentile_table(report_of(shop_run()), width=20)
    assert lines[1].split() == ["Type", "Name", *SHARES, "#", "reqs"]
    assert lines[3].split() == ["GET", "/", "10", "10", *["20"] * 9, "3"]
    assert lines[4].split() == ["POST", "/buy", *["250"] * 11, "1"]
    assert lines[6].split() == ["Aggregated", "10", "20", "20", *["250"] * 8, "5"]
    assert len(_lengths(lines[1:])) == 1


def test_errors_and_exceptions_are_listed_with_their_counts() -> None:
    """What failed is said beside how often, and where it was raised."""
    report = report_of(shop_run())
    assert console.error_report(report) == ERRORS
    assert console.exception_report(report) == EXCEPTIONS


def test_commonest_errors_are_listed_and_the_rest_is_counted() -> None:
    """Hundreds of kinds would push the tables off the screen; none may vanish without a word."""
    counting = CountingRun()
    for number in range(console.MAX_LISTED + 3):
        failures = (1,) * (1 if number < 3 else 2)
        counting.count(0, Samples("/", failed_us=failures, error=f"kind {number:02}"))
    lines = console.error_report(report_of(counting))
    assert [line.split()[-1] for line in lines[3:-2]] == [
        f"{number:02}" for number in range(3, console.MAX_LISTED + 3)
    ]
    assert lines[-2].split(maxsplit=1) == ["3", "… in 3 further kinds, which the run store has"]


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (report_pb2.ERROR_ORIGIN_UNSPECIFIED, "GET /: refused"),
        (report_pb2.ERROR_ORIGIN_TARGET, "GET /: refused"),
        (report_pb2.ERROR_ORIGIN_GENERATOR, "[generator] GET /: refused"),
        (report_pb2.ERROR_ORIGIN_SCRIPT, "[locustfile] GET /: refused"),
    ],
)
def test_error_says_whose_fault_it_is_unless_it_is_the_targets(
    origin: report_pb2.ErrorOrigin.ValueType, said: str
) -> None:
    """A generator without descriptors must not be taken for a target that is down."""
    counting = CountingRun()
    counting.count(0, Samples("/", failed_us=(1,), error="refused", origin=origin))
    assert console.error_report(report_of(counting))[3].split(maxsplit=1) == ["1", said]


def test_summary_ends_with_what_the_numbers_leave_out() -> None:
    """Nobody takes a number for complete that is not."""
    shop = shop_run()
    shop.run.losses.append(Loss("w2", 9_000, 4_000))
    report = report_of(shop)
    assert console.remarks(report) == [INTERRUPTED, LOST]
    lines = console.summary(report, width=20)
    percentiles = console.percentile_table(report, width=20)
    assert lines == [*STATISTICS, "", *percentiles, "", *ERRORS, "", *EXCEPTIONS, "", INTERRUPTED, LOST, ""]


def test_losses_are_said_one_by_one_up_to_ten_and_then_together() -> None:
    """A fleet that dies must not scroll the table away."""
    counting = CountingRun()
    counting.run.losses += [Loss(f"w{number}", 0, 1_000) for number in range(13)]
    lines = console.remarks(report_of(counting))
    assert len(lines) == 11
    assert lines[-1] == "Degraded: 3 further losses, up to 3000 ms of samples missing"


def test_summary_of_an_empty_report_has_the_tables_and_nothing_else() -> None:
    """A run without a request still says so, with zeros."""
    report = report_of(CountingRun())
    table = console.statistics_table(report, width=20, current=False)
    assert table[-1].split() == ["Aggregated", "0", "0(0.00%)", "|", *"0000", "|", "0.00", "0.00"]
    assert console.error_report(report) == console.exception_report(report) == console.remarks(report) == []
    percentiles = console.percentile_table(report, width=20)
    assert console.summary(report, width=20) == [*table, "", *percentiles, ""]


@pytest.mark.parametrize("length", [19, 20, 21, 400])
def test_name_is_cut_to_its_column(length: int) -> None:
    """A long URL must not push the numbers off the screen; what was cut shows an ellipsis."""
    name = "/" + "x" * (length - 1)
    shown = name.ljust(20) if length <= 20 else f"{name[:19]}…"
    report = _report(name)
    for lines in (
        console.statistics_table(report, width=20, current=False),
        console.percentile_table(report, width=20)[1:],
    ):
        assert lines[2][NAME] == shown
        assert len(_lengths(lines)) == 1


def test_type_is_cut_to_its_column() -> None:
    """A locustfile names its types as it likes."""
    report = _report("/", "PROPPATCH")
    assert console.statistics_table(report, width=20, current=False)[2].startswith("PROPPAT… /")
    assert console.percentile_table(report, width=20)[3].startswith("PROPPAT… /")


@pytest.mark.parametrize("columns", [1, 80, 112, 113, 137, 138, 168, 169, 1_000, None])
def test_table_fits_the_terminal_that_has_room_for_it(columns: int | None) -> None:
    """A line that wraps is no table; below the least width of the name column it cannot be helped."""
    report, width = report_of(shop_run()), console.name_width(columns)
    widest = 168
    room = widest if columns is None else min(columns, widest)
    assert _lengths(console.statistics_table(report, width=width, current=False)) == {max(room, 112)}
    assert _lengths(console.percentile_table(report, width=width)[1:]) == {max(room, 137)}


def test_columns_stay_aligned_when_every_one_of_millions_of_requests_failed() -> None:
    """Counts, rates and times of a large run are wide, most of all where everything fails."""
    report = report_of(shop_run())
    big = replace(
        report.aggregated,
        requests=9_999_999,
        failures=9_999_999,
        total_rps=123_456.0,
        total_failures_per_second=123_456.0,
        quantiles_us=(3_600_000_000.0,) * 11,
    )
    lines = console.statistics_table(replace(report, aggregated=big), width=20, current=False)
    assert len(_lengths(lines)) == 1


def test_nothing_from_outside_steers_the_terminal() -> None:
    """Names, errors and exceptions come from other machines."""
    counting = CountingRun()
    counting.count(
        0,
        Samples(HOSTILE, HOSTILE, successful_us=(1,), failed_us=(1,), error=HOSTILE),
        exception=(HOSTILE, f"{HOSTILE}\n  {HOSTILE}"),
    )
    counting.run.losses.append(Loss(HOSTILE, 0, 1_000))
    lines = console.summary(report_of(counting), width=76)
    assert [line for line in lines if _steers(line)] == []
    assert sum("title/a  b" in line for line in lines) == 5, "two tables, an error, an exception and a loss"


@given(st.text())
def test_plain_text_is_one_line_that_steers_nothing(text: str) -> None:
    """Whatever a target answers."""
    assert not _steers(plain(text))


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_plain_text_keeps_what_only_shows(text: str) -> None:
    """Letters of any language are text."""
    assert plain(text) == text


def test_progress_line_says_how_the_run_goes() -> None:
    """Time, state, users and what they do, on one line."""
    report = replace(report_of(shop_run()), elapsed_ms=3_725_900)
    line = console.progress_line(report, state="spawning", users=4, target_users=10, workers=1)
    total = report.aggregated
    assert line == (
        "01:02:05 spawning: 4 of 10 users on 1 worker(s), "
        f"{total.current_rps:.1f} req/s, {total.current_failures_per_second:.1f} failures/s, "
        "5 requests, 1 failed, p95 250 ms"
    )


def test_progress_line_says_whom_it_waits_for() -> None:
    """Current figures stand still while a worker is silent, and look like a target that does."""
    assert console.waiting_for({}) == ""
    assert console.waiting_for({"w1": 4.2}) == "waiting for w1, silent for 4 s"
    many = {f"w{number}": float(number) for number in range(10)}
    assert console.waiting_for(many) == "waiting for w9, w8, w7 and 7 more, silent for 9 s"
    report = report_of(shop_run())
    line = console.progress_line(
        report, state="running", users=4, target_users=4, workers=1, waiting="waiting for w1\x1b[2J"
    )
    assert line.endswith("p95 250 ms; waiting for w1[2J")


def test_summary_says_which_runners_were_blocked_or_left_dead() -> None:
    """The figures of such a run are not those of a healthy one."""
    counting = CountingRun()
    events = counting.run.events
    for at_ms in (3_000, 9_000):
        events.add(KIND_RUNNER, "w1: runner 0 is blocked by user code in lf.py:7", at_ms=at_ms)
    events.add(snapshot_pb2.RUN_EVENT_KIND_UNSPECIFIED, "w1: runner 0 answers again", at_ms=9_500)
    events.add(KIND_RUNNER, "w1: runner 1 exited with code 1, and is left dead", at_ms=12_000)
    assert console.remarks(report_of(counting)) == [
        "Runners: w1: runner 0 is blocked by user code in lf.py:7, 2 times",
        "Runners: w1: runner 1 exited with code 1, and is left dead at 12 s",
    ]
    for number in range(14):
        events.add(KIND_RUNNER, f"w{number}: runner 5 exited", at_ms=20_000)
    lines = console.remarks(report_of(counting))
    assert len(lines) == 11
    assert lines[-1] == "Runners: 6 further kinds of trouble, which the run's events have"
