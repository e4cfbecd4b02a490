"""Reports that are read together count as each would by itself, whichever of them are refused."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from locust_master.merging.ahead import read_ahead, read_part
from locust_master.merging.arrays import MAX_TOGETHER
from locust_master.merging.totals import RunTotals
from locust_protocol.v1 import report_pb2
from tests.master.agents import Agent
from tests.master.merging.test_arrays import rows_of
from tests.master.merging.test_columns import facts
from tests.master.merging.test_totals_laws import Sample, samples

KINDS = (report_pb2.SERIES_KIND_REQUEST, report_pb2.SERIES_KIND_REQUEST, report_pb2.SERIES_KIND_CHECK)

each_agents_samples = st.lists(st.tuples(samples, st.sampled_from(KINDS)), max_size=5)


def reports_of(agents: list[Agent], scripts: list[list[tuple[Sample, int]]]) -> list[report_pb2.Report]:
    """One report of each agent."""
    made = []
    for agent, script in zip(agents, scripts, strict=True):
        for each, kind in script:
            agent.record(
                each.value_us,
                name=each.name,
                second=each.second,
                width_s=each.width_s,
                error=each.error,
                kind=kind,  # type: ignore[arg-type]
            )
        made += agent.reports()
    return made


@given(
    turns=st.lists(
        st.tuples(st.lists(each_agents_samples, min_size=4, max_size=4), st.sets(st.integers(0, 3))),
        min_size=1,
        max_size=4,
    ),
    looks=st.sets(st.integers(0, 3)),
)
@settings(max_examples=150, deadline=None)
def test_totals_are_the_same_read_together_or_one_by_one(
    turns: list[tuple[list[list[tuple[Sample, int]]], set[int]]], looks: set[int]
) -> None:
    """Some are refused, and somebody looks in the middle of a turn: what counts is what was taken."""
    together, alone = RunTotals(), RunTotals()
    agents = [Agent(number + 1) for number in range(4)]
    gone: set[int] = set()
    for scripts, refused in turns:
        reports = reports_of(agents, scripts)
        # What comes after a report that was refused has a gap before it, and is not taken either.
        gone |= refused
        for number, (report, ahead) in enumerate(zip(reports, read_ahead(reports), strict=True)):
            agents[number].accept(report.sequence)
            if number in gone:
                continue
            for totals, part in ((together, ahead), (alone, None)):
                totals.apply(agents[number].key, "w", report, at_ms=10_000, ahead=part)
            if number in looks:
                together.settle()
    assert facts(together) == facts(alone)


@given(
    scripts=st.lists(st.lists(samples, min_size=1, max_size=6), min_size=1, max_size=12),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_chosen_slices_are_those_that_would_be_read_alone(
    scripts: list[list[Sample]], data: st.DataObject
) -> None:
    """The others of a block leave nothing in what is counted."""
    agents = [Agent(number + 1) for number in range(len(scripts))]
    kind = report_pb2.SERIES_KIND_REQUEST
    reports = reports_of(agents, [[(each, kind) for each in script] for script in scripts])
    for report, ahead in zip(reports, read_ahead(reports), strict=True):
        own = read_part(report.slices) if len(report.slices) <= MAX_TOGETHER else None
        if ahead is None or own is None:
            assert ahead is None or own is not None
            continue
        places = data.draw(st.sets(st.integers(ahead.first, ahead.end - 1), min_size=1))
        chosen = sorted(places)
        rows = rows_of(own.block.arrays)
        assert rows_of(ahead.block.arrays.chosen(chosen)) == [rows[place - ahead.first] for place in chosen]
        assert ahead.block.counts[ahead.first : ahead.end] == own.block.counts
        assert ahead.messages == list(report.slices)


def test_one_odd_report_makes_the_others_of_its_block_be_read_alone_and_counts_none_of_it() -> None:
    """What cannot be read together is read by itself, where it is refused by name."""
    agents = [Agent(1), Agent(2)]
    for agent in agents:
        agent.record(1_000)
    (sound,), (odd,) = (agent.reports() for agent in agents)
    odd.slices[0].requests[0] = 2
    assert read_ahead([sound, odd]) == [None, None]
    totals = RunTotals()
    totals.apply(agents[0].key, "w", sound, ahead=None)
    assert totals.total.sums.requests == 1


def test_reports_without_slices_and_snapshots_are_not_read_ahead() -> None:
    """A snapshot replaces; a heartbeat has nothing."""
    agent = Agent(1)
    agent.record(1_000)
    (report,) = agent.reports()
    snapshot = report_pb2.Report()
    snapshot.CopyFrom(report)
    snapshot.snapshot = True
    parts = read_ahead([report_pb2.Report(), report, snapshot])
    assert [part is None for part in parts] == [True, False, True]
