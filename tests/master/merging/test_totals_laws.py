"""Whatever way samples take to the master, the totals are those of one histogram that saw them all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging.totals import RunTotals
from locust_protocol.histogram import Histogram
from tests.master.agents import Agent

NAMES = ("/", "/a", "/b")
ERRORS = (None, None, "refused", "timed out")
WORKERS = 3


@dataclass(frozen=True)
class Sample:
    worker: int
    name: str
    second: int
    width_s: int
    value_us: int | None
    error: str | None


samples = st.builds(
    Sample,
    worker=st.integers(0, WORKERS - 1),
    name=st.sampled_from(NAMES),
    second=st.integers(0, 9),
    width_s=st.sampled_from((1, 1, 1, 2, 4)),
    value_us=st.one_of(st.none(), st.integers(0, 2), st.integers(0, 4_000_000), st.just(2 * 3_600_000_000)),
    error=st.sampled_from(ERRORS),
)
deeds = st.one_of(samples, st.tuples(st.sampled_from(("report", "lose")), st.integers(0, WORKERS - 1)))


def merge(script: list[object]) -> tuple[RunTotals, list[Sample]]:
    """Plays a script of samples, reports and lost reports; in the end everybody has reported."""
    totals, agents, taken = RunTotals(), [Agent(number + 1) for number in range(WORKERS)], []
    lost = [False] * WORKERS
    for deed in script:
        if isinstance(deed, Sample):
            taken.append(deed)
            agents[deed.worker].record(
                deed.value_us, name=deed.name, second=deed.second, width_s=deed.width_s, error=deed.error
            )
            continue
        kind, number = deed  # type: ignore[misc]
        agent = agents[number]
        if kind == "lose" and not lost[number]:
            agent.reports()
            lost[number] = True
        elif lost[number]:
            agent.deliver(totals, agent.snapshot())
            lost[number] = False
        else:
            agent.flush(totals)
    for number, agent in enumerate(agents):
        if lost[number]:
            agent.deliver(totals, agent.snapshot())
        agent.flush(totals, final=True)
    return totals, taken


def histogram(values: list[int]) -> Histogram:
    fed = Histogram()
    for value in values:
        fed.record(value)
    return fed


@given(script=st.lists(deeds, max_size=60))
@settings(max_examples=150, deadline=None)
def test_totals_equal_one_histogram_that_was_fed_with_every_sample(script: list[object]) -> None:
    """The reason to merge histograms at all; snapshots, joined slices and lost reports included."""
    totals, taken = merge(script)
    rows = {row.key.name: row.sums for row in totals.series if row.sums.requests}
    assert set(rows) == {sample.name for sample in taken}
    for name, sums in [*rows.items(), (None, totals.total.sums)]:
        mine = [sample for sample in taken if name in (None, sample.name)]
        timed = [sample for sample in mine if sample.value_us is not None]
        assert sums.requests == len(mine)
        assert sums.failures == sum(sample.error is not None for sample in mine)
        assert sums.untimed == len(mine) - len(timed)
        assert sums.successful == histogram([s.value_us for s in timed if s.error is None])  # type: ignore[misc]
        assert sums.failed == histogram([s.value_us for s in timed if s.error is not None])  # type: ignore[misc]


@given(script=st.lists(deeds, max_size=60))
@settings(max_examples=60, deadline=None)
def test_errors_are_counted_once_by_kind_and_worker(script: list[object]) -> None:
    """A snapshot names every error again."""
    totals, taken = merge(script)
    expected = Counter((s.name, s.error, f"{s.worker + 1:032x}") for s in taken if s.error is not None)
    counted = {
        (row.kind.name, row.kind.message, worker): count
        for row in totals.errors
        for worker, count in row.by_worker.items()
    }
    assert counted == dict(expected)


@given(script=st.lists(samples, max_size=60))
@settings(max_examples=60, deadline=None)
def test_seconds_of_the_run_add_up_to_the_totals(script: list[object]) -> None:
    """A joined slice is dealt to its seconds, no request is lost or doubled on the way."""
    totals, taken = merge(script)
    seconds = totals.history.between(0, 100_000)
    assert sum(second.requests for second in seconds) == len(taken)
    assert sum(second.failures for second in seconds) == totals.failure_count
    assert sum(second.timed.count for second in seconds if second.timed) == totals.total.sums.timed().count
    assert sum(totals.total.timeline.requests().values()) == len(taken)
