"""What waits for one worker: newest wins, in a fixed order, bounded, until it is closed."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from locust_master import mailbox as mailbox_module
from locust_master.mailbox import Mailbox
from locust_master.mailboxes import Mailboxes
from locust_protocol.v1 import assignment_pb2, master_service_pb2, value_pb2
from tests.master.cluster_builders import Fleet

Response = master_service_pb2.CommandsResponse
LEAVING = Response(master_leaving=master_service_pb2.MasterLeaving(reason="end"))


def assignment(generation: int) -> assignment_pb2.Assignment:
    return assignment_pb2.Assignment(generation=generation)


def acknowledgement(run: bytes, sequence: int) -> master_service_pb2.ReportAcknowledgement:
    return master_service_pb2.ReportAcknowledgement(run_id=run, sequence=sequence)


def message(text: str) -> value_pb2.CustomMessage:
    return value_pb2.CustomMessage(type=text)


async def taken(mailbox: Mailbox) -> list[Response]:
    async with asyncio.timeout(20):
        return await mailbox.wait_commands()


def kinds(commands: list[Response]) -> list[str | None]:
    return [command.WhichOneof("command") for command in commands]


async def test_only_the_newest_assignment_waits() -> None:
    """A worker that reads slowly makes nothing grow, and is never told what is out of date."""
    mailbox = Mailbox()
    for generation in range(1, 1_000):
        mailbox.put_assignment(partial(assignment, generation))
    commands = await taken(mailbox)
    assert [command.assignment.generation for command in commands] == [999]


async def test_only_the_newest_acknowledgement_of_each_run_waits() -> None:
    """They are cumulative within a run, and heartbeats have none."""
    mailbox = Mailbox()
    for sequence in (1, 2, 3):
        mailbox.put_acknowledgement(acknowledgement(b"r", sequence))
    mailbox.put_acknowledgement(acknowledgement(b"", 0))
    commands = await taken(mailbox)
    assert [(c.acknowledgement.run_id, c.acknowledgement.sequence) for c in commands] == [(b"r", 3), (b"", 0)]


async def test_commands_come_in_one_order_whatever_was_put_first() -> None:
    """A worker learns what to run before it hears anything about what it sent."""
    mailbox = Mailbox()
    mailbox.put_message(message("m"))
    mailbox.put_acknowledgement(acknowledgement(b"r", 1))
    mailbox.put_resync(master_service_pb2.Resync(run_id=b"r"))
    mailbox.put_assignment(partial(assignment, 1))
    mailbox.close(LEAVING)
    wanted = ["assignment", "resync", "acknowledgement", "custom_message", "master_leaving"]
    assert kinds(await taken(mailbox)) == wanted


async def test_commands_are_taken_once() -> None:
    """Taking empties the box; the reader waits again."""
    mailbox = Mailbox()
    mailbox.put_assignment(partial(assignment, 1))
    await taken(mailbox)
    waiting = asyncio.create_task(mailbox.wait_commands())
    await asyncio.sleep(0)
    assert not waiting.done()
    mailbox.put_assignment(partial(assignment, 2))
    assert kinds(await waiting) == ["assignment"]


async def test_closed_mailbox_hands_out_what_waits_and_then_ends() -> None:
    """Acknowledgements that were earned arrive; nothing that is put later does."""
    mailbox = Mailbox()
    mailbox.put_acknowledgement(acknowledgement(b"r", 1))
    mailbox.close(LEAVING)
    mailbox.put_assignment(partial(assignment, 1))
    mailbox.put_resync(master_service_pb2.Resync())
    mailbox.put_message(message("late"))
    mailbox.put_acknowledgement(acknowledgement(b"r", 2))
    first = await taken(mailbox)
    assert kinds(first) == ["acknowledgement", "master_leaving"]
    assert first[0].acknowledgement.sequence == 1
    assert await taken(mailbox) == []
    assert await taken(mailbox) == []


async def test_first_close_wins() -> None:
    """A session that ends twice was told once."""
    mailbox = Mailbox()
    mailbox.close(LEAVING)
    mailbox.close()
    assert kinds(await taken(mailbox)) == ["master_leaving"]


async def test_reader_that_waits_is_woken_by_the_close() -> None:
    """A stream must not outlive its session."""
    mailbox = Mailbox()
    waiting = asyncio.create_task(mailbox.wait_commands())
    await asyncio.sleep(0)
    mailbox.close()
    assert await waiting == []


async def test_oldest_custom_message_is_dropped_and_counted_when_too_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are delivered at most once anyway; a worker that does not read must not fill memory."""
    monkeypatch.setattr(mailbox_module, "MAX_CUSTOM_MESSAGES", 1_000)
    mailbox = Mailbox()
    for number in range(1_002):
        mailbox.put_message(message(str(number)))
    commands = await taken(mailbox)
    assert len(commands) == 1_000
    assert commands[0].custom_message.type == "2"
    assert mailbox.dropped_messages == 2


async def test_new_session_closes_the_mailbox_of_the_one_before() -> None:
    """Two streams must never share one box."""
    fleet = Fleet()
    member = fleet.join()
    before = fleet.cluster.mailbox(member)
    again = fleet.join()
    assert fleet.cluster.mailbox(again) is not before
    await taken(before)
    assert await taken(before) == []


async def test_session_that_begins_while_the_master_leaves_is_told_so_at_once() -> None:
    """Else it would wait for a master that is gone."""
    mailboxes = Mailboxes()
    mailboxes.close_all(LEAVING)
    member = Fleet().join()
    mailboxes.open(member)
    mailboxes.put_assignment(member, partial(assignment, 1))
    assert kinds(await taken(mailboxes.of(member))) == ["master_leaving"]


async def test_what_is_put_for_nobody_is_dropped() -> None:
    """A report may be stored after its worker went."""
    mailboxes = Mailboxes()
    member = Fleet().join()
    mailboxes.put_acknowledgement(member, acknowledgement(b"r", 1))
    mailboxes.put_resync(member, master_service_pb2.Resync())
    mailboxes.put_assignment(member, partial(assignment, 1))
    mailboxes.open(member)
    mailboxes.put_acknowledgement(member, acknowledgement(b"r", 2))
    assert kinds(await taken(mailboxes.of(member))) == ["acknowledgement"]
    mailboxes.close(member)
    mailboxes.close(member)


async def test_assignment_is_made_when_it_is_taken() -> None:
    """When 1,000 workers join, each change would else make 1,000 assignments of which nobody sees most."""
    mailbox, made = Mailbox(), list[int]()

    def make(generation: int) -> assignment_pb2.Assignment:
        made.append(generation)
        return assignment(generation)

    for generation in range(1, 100):
        mailbox.put_assignment(partial(make, generation))
    assert made == []
    await taken(mailbox)
    assert made == [99]


async def test_next_assignment_waits_for_its_pause_and_holds_nothing_else_up() -> None:
    """Many workers are told of many changes at a pace that the master can bear."""
    mailbox = Mailbox()
    mailbox.put_assignment(partial(assignment, 1), pause_s=0.05)
    await taken(mailbox)
    mailbox.put_assignment(partial(assignment, 2), pause_s=0.05)
    mailbox.put_acknowledgement(acknowledgement(b"r", 1))
    assert kinds(await taken(mailbox)) == ["acknowledgement"]
    mailbox.put_assignment(partial(assignment, 3), pause_s=0.05)
    assert [each.assignment.generation for each in await taken(mailbox)] == [3]
