"""Workers, their leases, names and runner indices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_master import membership as membership_module
from locust_master.membership import FORGET_AFTER_S, Member, Membership
from locust_master.oversubscription import OversubscriptionWatch, oversubscribed_hosts
from locust_master.refusals import TooMany
from locust_protocol.limits import LEASE_REASSIGN_GRACE_S, SUSPECT_AFTER_S
from locust_protocol.v1 import report_pb2
from tests.master.cluster_builders import registration

TTL_S = 10.0


def cluster_of(*numbers: int, runners: int = 2) -> tuple[Membership, list[Member]]:
    membership = Membership(lease_ttl_s=TTL_S, first_session_id=100)
    return membership, [admit(membership, number, runners=runners) for number in numbers]


def admit(
    membership: Membership, number: int, *, runners: int = 2, now_s: float = 0.0, name: str | None = None
) -> Member:
    request = registration(number, runners=runners, name=name)
    return membership.admit(request, address="a", now_s=now_s)[0]


def test_session_ids_grow_strictly() -> None:
    """A session that was taken over is told from the one that took it."""
    membership, (first, second) = cluster_of(1, 2)
    again = admit(membership, 1)
    assert first.session_id < second.session_id < again.session_id


def test_taken_over_session_is_nobody() -> None:
    """Reports on the stream of a session before must not count as the present one's."""
    membership, (first,) = cluster_of(1)
    again = admit(membership, 1)
    assert membership.by_session(first.session_id) is None
    assert membership.by_session(again.session_id) is again


@pytest.mark.parametrize(("silent_s", "is_lost"), [(0, False), (10, False), (12, False), (12.1, True)])
def test_member_is_lost_after_lease_and_grace(silent_s: float, is_lost: bool) -> None:
    """Before that its users may still run; after it they ended by themselves."""
    assert TTL_S + LEASE_REASSIGN_GRACE_S == 12
    membership, (member,) = cluster_of(1)
    assert membership.expire(silent_s) == ([member] if is_lost else [])
    assert member.is_live is not is_lost
    assert (membership.by_session(member.session_id) is None) is is_lost


def test_member_is_lost_once() -> None:
    """Its share moves once."""
    membership, (member,) = cluster_of(1)
    assert membership.expire(20) == [member]
    assert membership.expire(21) == []


@pytest.mark.parametrize(
    ("silent_s", "state"),
    [
        (SUSPECT_AFTER_S, report_pb2.WORKER_STATE_RUNNING),
        (SUSPECT_AFTER_S + 0.1, report_pb2.WORKER_STATE_MISSING),
    ],
)
def test_silent_member_shows_as_missing(silent_s: float, state: int) -> None:
    """Screens say it before anything follows from it."""
    _, (member,) = cluster_of(1)
    member.status.state = report_pb2.WORKER_STATE_RUNNING
    assert member.state(silent_s) == state


def test_member_shows_as_ready_before_it_said_anything() -> None:
    """It was admitted, that much is known."""
    _, (member,) = cluster_of(1)
    assert member.state(0) == report_pb2.WORKER_STATE_READY


def test_member_that_left_is_gone_and_one_that_was_lost_is_missing() -> None:
    """People act on one and not on the other."""
    membership, (left, _) = cluster_of(1, 2)
    membership.leave(left, 1)
    (lost,) = membership.expire(20)
    assert left.state(20) == report_pb2.WORKER_STATE_GONE
    assert lost.state(20) == report_pb2.WORKER_STATE_MISSING


def test_member_that_went_is_forgotten_in_the_end() -> None:
    """Screens show it for a while, memory does not keep it."""
    membership, (member,) = cluster_of(1)
    membership.leave(member, 5)
    membership.expire(5 + FORGET_AFTER_S)
    assert membership.all() == [member]
    membership.expire(5 + FORGET_AFTER_S + 1)
    assert membership.all() == []
    assert membership.by_uid(member.uid) is None


def test_members_of_the_same_name_are_told_apart() -> None:
    """Names are for people and need not be unique."""
    membership, _ = cluster_of()
    names = [admit(membership, number, name="box").name for number in (1, 2, 3)]
    assert names == ["box", "box#2", "box#3"]


def test_member_without_a_name_is_called_after_its_host() -> None:
    """A table needs something to show."""
    membership, _ = cluster_of()
    assert admit(membership, 4, name="").name == "host4"


def test_member_keeps_its_name_when_it_reconnects() -> None:
    """Its own old session does not stand in the way."""
    membership, _ = cluster_of()
    admit(membership, 1, name="box")
    assert admit(membership, 1, name="box").name == "box"


def test_member_that_comes_back_gets_another_name_when_its_own_is_taken() -> None:
    """Two live members are never called the same."""
    membership, _ = cluster_of()
    admit(membership, 1, name="box")
    membership.expire(20)
    assert admit(membership, 2, name="box", now_s=20).name == "box"
    assert admit(membership, 1, name="box", now_s=21).name == "box#2"


def test_indices_are_kept_when_an_agent_reconnects() -> None:
    """User code partitions its data by worker_index."""
    membership, (first, second) = cluster_of(1, 2)
    assert (first.runner_indices, second.runner_indices) == ((0, 1), (2, 3))
    assert admit(membership, 1).runner_indices == (0, 1)
    assert admit(membership, 2).runner_indices == (2, 3)


def test_indices_of_a_lost_member_go_to_the_next_that_comes() -> None:
    """They stay dense."""
    membership, _ = cluster_of(1, 2, 3)
    membership.leave(membership.live()[1], 1)
    assert admit(membership, 4, runners=3, now_s=1).runner_indices == (2, 3, 6)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3), st.booleans()), max_size=30))
def test_indices_are_never_shared_and_never_higher_than_needed(
    history: list[tuple[int, int, bool]],
) -> None:
    """The law of indices over any joining, coming back and leaving."""
    membership, _ = cluster_of()
    most = 0
    for number, runners, leaves in history:
        member = admit(membership, number, runners=runners)
        most = max(most, membership.runner_count())
        if leaves:
            membership.leave(member, 0)
        taken = [index for each in membership.live() for index in each.runner_indices]
        assert len(taken) == len(set(taken))
        assert all(index < most + 3 for index in taken)


def test_full_house_takes_back_its_own_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that reconnects is no new one."""
    monkeypatch.setattr(membership_module, "MAX_LIVE_MEMBERS", 2)
    membership, _ = cluster_of(1, 2)
    with pytest.raises(TooMany):
        admit(membership, 3)
    assert admit(membership, 1).is_live


def test_gone_members_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents that restart in a loop, each with a uid of its own, must not fill memory."""
    monkeypatch.setattr(membership_module, "MAX_REMEMBERED_MEMBERS", 3)
    membership, _ = cluster_of()
    for number in range(1, 10):
        membership.leave(admit(membership, number, now_s=number), number)
    assert [member.name for member in membership.all()] == ["w7", "w8", "w9"]


def members_on(host: str, *runners: int, cores: int) -> list[Member]:
    membership, _ = cluster_of()
    for number, count in enumerate(runners, start=1):
        membership.admit(registration(number, runners=count, host_id=host, cores=cores), address="a", now_s=0)
    return membership.live()


@pytest.mark.parametrize(
    ("runners", "cores", "is_named"),
    [((2,), 2, False), ((3,), 2, True), ((1, 1), 2, False), ((2, 2), 2, True), ((9,), 0, False)],
)
def test_host_with_more_runners_than_cores_is_named(
    runners: tuple[int, ...], cores: int, is_named: bool
) -> None:
    """Cores that are unknown (0) accuse nobody."""
    assert bool(oversubscribed_hosts(members_on("h", *runners, cores=cores))) is is_named


def test_oversubscription_sentence_has_the_numbers_and_the_remedy() -> None:
    """One line that an operator can act on."""
    (sentence,) = oversubscribed_hosts(members_on("h", 2, 2, cores=2)).values()
    assert sentence == (
        "host host1 runs 4 runners in 2 worker(s) on 2 core(s): "
        "start one locust-worker a machine, without --processes"
    )


def test_oversubscribed_host_is_named_once_while_it_lasts() -> None:
    """A fleet that starts an agent for each core says it once, not once an agent; a relapse is news."""
    watch = OversubscriptionWatch()
    assert watch.new_sentences({"a": "4 on 2"}) == ["4 on 2"]
    assert watch.new_sentences({"a": "6 on 2", "b": "3 on 2"}) == ["3 on 2"]
    assert watch.new_sentences({}) == []
    assert watch.new_sentences({"a": "4 on 2"}) == ["4 on 2"]


def test_member_has_reported_until_its_slowest_runner_has() -> None:
    """A runner that stood still holds what it had, and takes that along when its machine dies."""
    _, (member,) = cluster_of(1)
    for at_s, lag_us in ((1.0, 0), (2.0, 1_500_000)):
        status = report_pb2.WorkerStatus(runners=[report_pb2.RunnerStatus(lag_max_us=lag_us)])
        member.note_report(report_pb2.Report(sequence=1, status=status), at_s, interval_s=1.0)
        assert member.reported_s == at_s - lag_us / 1e6


def test_member_that_is_back_has_not_reported_by_what_it_sends_again() -> None:
    """That was recorded before its session ended, however soon it came."""
    membership, (member,) = cluster_of(1)
    member.note_report(report_pb2.Report(sequence=1), 1.0, interval_s=1.0)
    again = admit(membership, 1, now_s=1.5)
    again.note_report(report_pb2.Report(sequence=2), 1.6, interval_s=1.0)
    assert again.reported_s == 1.0
    again.note_report(report_pb2.Report(sequence=3), 2.6, interval_s=1.0)
    assert again.reported_s == 2.6
