"""Every sample reaches the master's books exactly once, whatever is lost on the way."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locust_protocol.histogram import bucket_index
from locust_protocol.limits import MAX_DEALT_MS
from locust_protocol.v1 import report_pb2, value_pb2
from locust_worker.combine import RunDictionary, RunnerNames, combine
from locust_worker.extras import Extras
from locust_worker.outbox import Outbox
from tests.worker.samples import ModelMaster, Sample, runner_report

RUN = b"r" * 16

samples = st.lists(
    st.tuples(st.sampled_from(["/", "/cart", "/a"]), st.integers(0, 5), st.integers(0, 5_000_000)),
    max_size=6,
)

steps = st.one_of(
    st.tuples(st.just("samples"), samples),
    st.tuples(st.just("report"), st.booleans()),
    st.tuples(st.just("acknowledge"), st.just(None)),
    st.tuples(st.just("cut"), st.booleans()),
    st.tuples(st.just("master restart"), st.sampled_from(["keeps", "loses", "older"])),
)


class Cluster:
    """An outbox, its master, and the reports and acknowledgements under way between them."""

    def __init__(self, *, max_report_bytes: int = 1 << 20) -> None:
        self.outbox = Outbox(RUN, max_report_bytes=max_report_bytes, max_pending_slices=4)
        self.extras = Extras()
        self.names = RunnerNames()
        self.numbers: dict[str, int] = {}
        self.master = ModelMaster()
        self.backups = [ModelMaster()]
        self.recorded: Counter[tuple[str, int]] = Counter()
        self.user_data = 0

    def record(self, batch: list[Sample]) -> None:
        combine(
            self.outbox.open,
            self.outbox.dictionary,
            self.names,
            runner_report(RUN, batch, names=self.numbers),
        )
        self.outbox.join_pending()
        for name, _, response_us in batch:
            self.recorded[name, bucket_index(response_us)] += 1

    def add_user_data(self) -> None:
        self.user_data += 1
        data = report_pb2.RunnerData(data=value_pb2.Value(int_value=self.user_data))
        self.extras.put("user_data", data)

    def report(self, *, arrives: bool = True, final: bool = False) -> None:
        """One interval: freeze if there is room, send; without `arrives` the connection swallows it."""
        if self.outbox.can_freeze:
            self.outbox.freeze(self.extras, final=final)
        for report in self.outbox.take_due():
            copy = report_pb2.Report.FromString(report.SerializeToString())
            if arrives and not self.master.take(copy):
                self.outbox.resync(self.extras, expected_sequence=self.master.last_sequence + 1)
        self.backups.append(deepcopy(self.master))

    def acknowledge(self) -> None:
        self.outbox.acknowledge(self.master.last_sequence)

    def reconnect(self) -> None:
        self.outbox.resume(
            self.extras,
            stats_known=self.master.last_sequence > 0 or self.outbox.last_sequence == 0,
            acknowledged_sequence=self.master.last_sequence,
        )

    def restart_master(self, memory: str) -> None:
        if memory == "loses":
            self.master = ModelMaster()
        elif memory == "older":
            self.master = deepcopy(self.backups[len(self.backups) // 2])
        self.reconnect()

    def finish(self) -> None:
        """Lets everything through until the run is settled."""
        self.reconnect()
        for _ in range(50):
            if self.outbox.is_settled:
                return
            self.report(final=True)
            self.acknowledge()
        raise AssertionError("the run does not come to an end")


def run_steps(cluster: Cluster, script: list[tuple[str, object]]) -> None:
    for what, value in script:
        if what == "samples":
            assert isinstance(value, list)
            cluster.record(value)
        elif what == "report":
            # What a connection swallows is only ever followed by a new one.
            cluster.report(arrives=bool(value))
            if not value:
                cluster.reconnect()
        elif what == "acknowledge":
            cluster.acknowledge()
        elif what == "cut":
            cluster.reconnect()
        else:
            cluster.restart_master(str(value))


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=25))
def test_outbox_delivers_every_sample_once_in_any_order_of_losses(script: list[tuple[str, object]]) -> None:
    """The law of the statistics: per name and bucket, the master's sums are what was recorded."""
    cluster = Cluster()
    run_steps(cluster, script)
    cluster.finish()
    assert cluster.master.buckets == cluster.recorded
    assert cluster.master.is_final


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=15))
def test_outbox_delivers_every_sample_once_when_reports_are_split(script: list[tuple[str, object]]) -> None:
    """Splitting at a size, even a tiny one, is no reason to lose or double anything."""
    cluster = Cluster(max_report_bytes=60)
    run_steps(cluster, script)
    cluster.finish()
    assert cluster.master.buckets == cluster.recorded


@given(st.lists(st.sampled_from(["data", "report", "lost", "ack", "cut"]), max_size=30))
def test_outbox_delivers_listener_data_once_when_the_master_lives(script: list[str]) -> None:
    """report_to_master data is counted as samples are."""
    cluster = Cluster()
    for what in script:
        if what == "data":
            cluster.add_user_data()
        elif what == "report":
            cluster.report()
        elif what == "lost":
            cluster.report(arrives=False)
            cluster.reconnect()
        elif what == "ack":
            cluster.acknowledge()
        else:
            cluster.reconnect()
    cluster.finish()
    assert cluster.master.user_data == list(range(1, cluster.user_data + 1))


def test_outbox_never_alters_a_report_once_it_is_frozen() -> None:
    """A report that arrived and is sent again must be the same, or its sequence names two things."""
    cluster = Cluster()
    cluster.record([("/", 0, 10)])
    cluster.outbox.freeze(cluster.extras)
    (first,) = cluster.outbox.take_due()
    before = first.SerializeToString(deterministic=True)
    cluster.record([("/", 0, 20), ("/cart", 1, 30)])
    cluster.outbox.resume(cluster.extras, stats_known=True, acknowledged_sequence=0)
    (again,) = cluster.outbox.take_due()
    assert again.SerializeToString(deterministic=True) == before


def test_outbox_sends_a_snapshot_again_as_it_is_when_the_master_may_have_applied_it() -> None:
    """A master acknowledges what is on disk: what it has in memory must not come under another sequence."""
    cluster = Cluster()
    cluster.add_user_data()
    cluster.report(arrives=False)
    cluster.outbox.resume(cluster.extras, stats_known=False, acknowledged_sequence=0)
    (snapshot,) = cluster.outbox.take_due()
    assert cluster.master.take(snapshot)
    cluster.outbox.resume(cluster.extras, stats_known=True, acknowledged_sequence=0)
    (again,) = cluster.outbox.take_due()
    assert again == snapshot
    cluster.finish()
    assert cluster.master.user_data == [1]


def test_outbox_keeps_to_its_window_and_merges_what_comes_meanwhile() -> None:
    """A slow master bounds memory: two reports under way, everything else in one open delta."""
    cluster = Cluster()
    for _ in range(10):
        cluster.record([("/", 0, 10)])
        if cluster.outbox.can_freeze:
            cluster.outbox.freeze(cluster.extras)
    assert cluster.outbox.unacked == 2
    assert [report.sequence for report in cluster.outbox.take_due()] == [1, 2]
    assert len(cluster.outbox.open) == 1


def test_outbox_joins_neighbours_when_many_slices_wait() -> None:
    """Back-pressure costs resolution in time, never a count."""
    cluster = Cluster()
    cluster.record([("/", second, 10) for second in range(40)])
    assert len(cluster.outbox.open) <= 4
    assert cluster.outbox.joined_slices >= 36
    assert all(key.start_ms % key.width_ms == 0 for key in cluster.outbox.open)
    cluster.finish()
    assert cluster.master.requests == {"/": 40}


def test_outbox_answers_a_resync_with_one_snapshot() -> None:
    """A master that asks twice, because two reports came behind a gap, gets one answer."""
    cluster = Cluster()
    cluster.record([("/", 0, 10)])
    cluster.report(arrives=False)
    cluster.record([("/", 1, 10)])
    cluster.outbox.freeze(cluster.extras)
    cluster.outbox.resync(cluster.extras, expected_sequence=1)
    cluster.outbox.resync(cluster.extras, expected_sequence=1)
    (snapshot,) = cluster.outbox.take_due()
    assert (snapshot.snapshot, snapshot.sequence) == (True, 3)
    assert cluster.master.take(snapshot)
    assert cluster.master.requests == {"/": 2}


def test_snapshot_is_one_slice_an_epoch_too_wide_to_be_dealt_to_seconds() -> None:
    """Its size does not grow with the length of the run; its seconds are in what it replaces or nowhere."""
    cluster = Cluster()
    for second in range(5):
        cluster.record([("/", second, 10)])
        cluster.report()
        cluster.acknowledge()
    cluster.restart_master("loses")
    (snapshot,) = cluster.outbox.take_due()
    assert [(each.start_ms, each.width_ms) for each in snapshot.slices] == [(0, 2 * MAX_DEALT_MS)]


@pytest.mark.parametrize("applied", [0, 1, 2])
def test_outbox_sends_a_refused_report_in_smaller_parts_and_loses_nothing(applied: int) -> None:
    """Whichever of the reports under way were applied: sequences go on, the snapshot replaces."""
    cluster = Cluster(max_report_bytes=256 * 1024)
    for batch in range(2):
        cluster.record([(f"/{batch}/{number}", 0, 10) for number in range(900)])
        cluster.outbox.freeze(cluster.extras)
    first, second = cluster.outbox.take_due()
    for report in (first, second)[:applied]:
        assert cluster.master.take(report)
    assert cluster.outbox.shrink()
    cluster.reconnect()
    cluster.acknowledge()
    parts = cluster.outbox.take_due() if applied < 2 else []
    assert all(part.sequence > second.sequence for part in parts)
    assert all(part.ByteSize() < max(first.ByteSize(), 100_000) for part in parts)
    for part in parts:
        assert cluster.master.take(part)
    cluster.finish()
    assert cluster.master.buckets == cluster.recorded


def test_outbox_stops_shrinking_at_a_size_that_everybody_takes() -> None:
    """Who refuses that refuses for another reason, and must not be asked for ever."""
    outbox = Outbox(RUN, max_report_bytes=1 << 20)
    shrunk = 0
    while outbox.shrink():
        shrunk += 1
    assert 3 <= shrunk <= 10


def test_combine_gives_one_number_to_what_two_runners_name_alike() -> None:
    """Runners number by themselves; the master knows one worker."""
    slices: dict = {}  # type: ignore[type-arg]
    dictionary, first, second = RunDictionary(), RunnerNames(), RunnerNames()
    combine(slices, dictionary, first, runner_report(RUN, [("/a", 0, 1), ("/b", 0, 1)], names={}))
    combine(slices, dictionary, second, runner_report(RUN, [("/b", 0, 1), ("/a", 0, 1)], names={}))
    names = {series.id: series.name for series in dictionary.take_all().series}
    (totals,) = slices.values()
    assert {names[number]: row.requests for number, row in totals.rows.items()} == {"/a": 2, "/b": 2}


def test_combine_counts_names_over_the_limit_as_other() -> None:
    """Ids in URLs must not grow the system; totals stay exact."""
    slices: dict = {}  # type: ignore[type-arg]
    dictionary = RunDictionary(max_series=2)
    batch = [(f"/{number}", 0, 1) for number in range(5)]
    combine(slices, dictionary, RunnerNames(), runner_report(RUN, batch, names={}))
    (totals,) = slices.values()
    assert {number: row.requests for number, row in totals.rows.items()} == {1: 1, 2: 1, 0: 3}
    assert dictionary.is_limited


def test_combine_uses_a_runners_earlier_definitions_in_the_next_run() -> None:
    """A runner lives on between runs and defines a name once in its life."""
    names, numbers = RunnerNames(), {}  # type: ignore[var-annotated]
    combine({}, RunDictionary(), names, runner_report(RUN, [("/a", 0, 1)], names=numbers))
    dictionary = RunDictionary()
    combine({}, dictionary, names, runner_report(b"2" * 16, [("/a", 0, 1)], names=numbers))
    assert [series.name for series in dictionary.take_all().series] == ["/a"]


def test_combine_adds_nothing_of_a_malformed_report() -> None:
    """Half of a report would be neither counted nor lost."""
    report = runner_report(RUN, [("/a", 0, 1), ("/a", 1, 1)], names={})
    report.slices[1].requests.append(7)
    slices: dict = {}  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="2 entries for 1 rows"):
        combine(slices, RunDictionary(), RunnerNames(), report)
    assert slices == {}
