"""Joining the cluster: on which terms, and who is refused."""

from __future__ import annotations

import pytest

from locust_master.cluster import Refused
from locust_master.refusals import TooMany
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import (
    assignment_pb2,
    bundle_pb2,
    master_service_pb2,
)
from locust_protocol.versions import IncompatibleProtocol
from tests.master.cluster_builders import (
    RUNNING,
    START_NS,
    Fleet,
    event_kinds,
    goal_users,
    manifest_of,
    registration,
    started,
    uid_of,
)


def test_worker_that_joins_is_told_its_terms() -> None:
    """All that it needs to speak with this master, and nothing it would have to guess."""
    fleet = Fleet()
    response = fleet.register(registration(1, runners=3))
    assert response.protocol == 1
    assert response.session_id > 0
    assert response.master_epoch == fleet.cluster.master_epoch
    assert list(response.runner_indices) == [0, 1, 2]
    assert response.lease_ttl.ToNanoseconds() == 10 * 10**9
    assert response.report_interval.ToNanoseconds() == 10**9
    assert response.max_unacked_reports > 0
    assert response.max_report_bytes > 0
    assert response.clock.worker_sent_ns == 7
    assert response.clock.master_received_ns == START_NS
    assert fleet.sink.connected == ["w1"]


def test_worker_is_idle_before_a_locustfile_is_loaded_and_prepares_after() -> None:
    """A start is quick when everybody has loaded what will be run."""
    fleet = Fleet()
    member = fleet.join()
    assert fleet.assignment(member).phase == assignment_pb2.PHASE_IDLE
    settings = assignment_pb2.RunSettings(log_level="INFO")
    fleet.cluster.offer(manifest_of("A"), bundle_pb2.BundleReference(digest=b"d" * 32), settings)
    told = fleet.assignment(member)
    assert told.phase == assignment_pb2.PHASE_PREPARE
    assert told.bundle.digest == b"d" * 32
    assert told.settings == settings
    assert not told.run_id


def test_every_worker_hears_how_many_runners_there_are() -> None:
    """User code reads worker_count, which counts runners."""
    fleet = Fleet()
    first = fleet.join(registration(1, runners=2))
    fleet.join(registration(2, runners=3))
    assert fleet.assignment(first).cluster.runners == 5


@pytest.mark.parametrize(("lowest", "highest"), [(2, 3), (0, 0), (3, 2)])
def test_worker_of_another_protocol_is_refused_by_name(lowest: int, highest: int) -> None:
    """The sentence says who has to be upgraded."""
    request = registration()
    request.protocol_min, request.protocol_max = lowest, highest
    fleet = Fleet()
    with pytest.raises(IncompatibleProtocol, match="w1"):
        fleet.register(request)
    assert fleet.cluster.membership.all() == []


def test_worker_with_other_user_classes_of_its_own_is_refused() -> None:
    """It would be told to run classes that it does not have."""
    fleet = Fleet()
    fleet.cluster.offer(
        manifest_of("A", "B"), bundle_pb2.BundleReference(digest=b"d"), assignment_pb2.RunSettings()
    )
    with pytest.raises(Refused, match="worker w1 has user classes A, C, the master has A, B; start"):
        fleet.register(registration(own_classes=["C", "A"]))
    assert fleet.register(registration(own_classes=["B", "A"])).session_id


def broken(**fields: object) -> master_service_pb2.RegisterRequest:
    request = registration()
    for name, value in fields.items():
        setattr(request, name, value)
    return request


@pytest.mark.parametrize(
    "request_",
    [
        broken(worker_uid=b""),
        broken(worker_uid=b"x" * 17),
        broken(runners=0),
        broken(runners=2**32 - 1),
        broken(worker_name="n" * 101),
        broken(worker_name="\x1b[31mred"),
    ],
    ids=["no uid", "long uid", "no runner", "absurd runners", "long name", "escape in name"],
)
def test_worker_with_values_that_cannot_be_is_refused(
    request_: master_service_pb2.RegisterRequest,
) -> None:
    """Nothing is kept, and nothing is counted up to, of what a broken peer says."""
    fleet = Fleet()
    with pytest.raises(UsageError):
        fleet.register(request_)
    assert fleet.cluster.membership.all() == []


def test_full_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker asks again later, as this may pass."""
    monkeypatch.setattr("locust_master.membership.MAX_LIVE_MEMBERS", 1)
    fleet = Fleet()
    fleet.join(registration(1))
    with pytest.raises(TooMany):
        fleet.register(registration(2))


def test_only_workers_of_an_oversubscribed_host_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """One line on the master, and one on each worker that should not have been started."""
    fleet = Fleet()
    quiet = fleet.register(registration(1, host_id="a", cores=2))
    told = [fleet.register(registration(n, host_id="b", cores=2)).notices for n in (2, 3, 4)]
    assert list(quiet.notices) == []
    assert [len(notices) for notices in told] == [0, 1, 1]
    assert "start one locust-worker a machine" in told[1][0]
    assert len([r for r in caplog.records if "start one locust-worker" in r.getMessage()]) == 1


def test_worker_that_reconnects_is_no_new_one() -> None:
    """Nobody else's share moves, user code hears of no new runner."""
    fleet, (first, _) = started(1, 2)
    generation = fleet.cluster.generation
    plan = fleet.cluster.run.plan if fleet.cluster.run else None
    response = fleet.register(registration(1, progress=RUNNING))
    assert response.session_id > first.session_id
    assert fleet.cluster.generation == generation
    assert fleet.cluster.run is not None
    assert fleet.cluster.run.plan is plan
    assert fleet.sink.connected == ["w1", "w2"]
    assert event_kinds(fleet) == []
    again = fleet.cluster.membership.by_uid(uid_of(1))
    assert again is not None
    assert goal_users(fleet.assignment(again)) == 5
