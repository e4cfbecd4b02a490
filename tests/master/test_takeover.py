"""Two processes with one uid: the newest has the session, and an older one cannot take it back."""

from __future__ import annotations

import pytest

from locust_master.mailboxes import Mailboxes
from locust_master.membership import Member, Membership
from locust_master.refusals import Refused
from locust_protocol.v1 import master_service_pb2
from tests.master.cluster_builders import Fleet, registration, report, requests_counted, started, uid_of

UID = b"u" * 16
LEASE_S = 10.0


def admit(membership: Membership, *, token: bytes = b"", address: str = "a", now_s: float = 0.0) -> Member:
    request = master_service_pb2.RegisterRequest(
        worker_uid=UID, worker_name="w", runners=1, resume_token=token
    )
    return membership.admit(request, address=address, now_s=now_s)[0]


def test_process_keeps_its_token_over_all_of_its_sessions() -> None:
    """It comes back after each cut as the one that it was."""
    membership = Membership(lease_ttl_s=LEASE_S, first_session_id=1)
    first = admit(membership)
    again = admit(membership, token=first.resume_token)
    assert again.resume_token == first.resume_token != b""
    assert again.session_id != first.session_id


def test_older_process_is_refused_once_a_newer_one_has_its_place() -> None:
    """Or both would take the session from each other for ever."""
    membership = Membership(lease_ttl_s=LEASE_S, first_session_id=1)
    older = admit(membership)
    newer = admit(membership, address="b")
    assert newer.resume_token != older.resume_token
    with pytest.raises(Refused, match=r"another process .* worker w .*\(b\)"):
        admit(membership, token=older.resume_token)
    assert membership.by_session(newer.session_id) is newer


def test_older_process_may_come_back_once_the_newer_one_is_lost() -> None:
    """Then nobody has the place."""
    membership = Membership(lease_ttl_s=LEASE_S, first_session_id=1)
    older = admit(membership)
    admit(membership)
    membership.expire(10 * LEASE_S)
    assert admit(membership, token=older.resume_token, now_s=10 * LEASE_S).is_live


async def test_superseded_session_is_told_by_whom() -> None:
    """Its process ends, and its operator reads why."""
    membership, mailboxes = Membership(lease_ttl_s=LEASE_S, first_session_id=1), Mailboxes()
    older = admit(membership)
    mailboxes.open(older)
    its_mailbox = mailboxes.of(older)
    mailboxes.open(admit(membership, address="ipv4:10.0.0.2:1"), superseded=True)
    commands = await its_mailbox.wait_commands()
    assert [command.superseded.by for command in commands] == ["ipv4:10.0.0.2:1"]
    assert await its_mailbox.wait_commands() == []


def test_clone_s_reports_are_not_taken_for_more_of_the_first_one_s() -> None:
    """Each numbers its reports from 1: under one ledger key they would be dropped, or make no sense."""
    fleet, (first,) = started(1, users=4)
    fleet.tell(first, report(1, requests=3))
    fleet.tell(first, report(2))
    fleet.register(registration(1))
    clone = fleet.cluster.membership.by_uid(uid_of(1))
    assert clone is not None
    fleet.tell(clone, report(1, requests=5))
    assert requests_counted(fleet) == 8
    assert fleet.cluster.run is not None
    (loss,) = fleet.cluster.run.losses
    assert loss.worker == first.name


def test_worker_that_did_not_hear_the_answer_is_no_clone() -> None:
    """It asks again without a token, and has reported nothing."""
    fleet = Fleet()
    fleet.register(registration(1))
    fleet.register(registration(1))
    member = fleet.cluster.membership.by_uid(uid_of(1))
    assert member is not None
    assert member.uid == uid_of(1)
