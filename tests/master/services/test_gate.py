"""Each wish is carried out once, and on the state that it was made on."""

from __future__ import annotations

import asyncio

import pytest

from locust_master.refusals import NotOnGeneration, Refused
from locust_master.run import Run
from locust_master.services import gate as gate_module
from locust_master.services.changes import Changes
from locust_master.services.gate import MAX_ID_CHARS, REMEMBERED_S, CommandGate
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2
from tests.master.cluster_builders import Fleet, make_run

Precondition = control_service_pb2.Precondition
Result = control_service_pb2.CommandResult


def kept(request_id: str = "a", *, now_s: float = 0.0) -> CommandGate:
    gate = CommandGate()
    gate.remember(Precondition(request_id=request_id), Result(generation=5), now_s=now_s)
    return gate


def test_new_request_has_no_answer_yet() -> None:
    """It is to be carried out."""
    assert CommandGate().earlier_answer(Precondition(request_id="a"), now_s=0) is None


@pytest.mark.parametrize(("age_s", "is_kept"), [(0, True), (REMEMBERED_S, True), (REMEMBERED_S + 1, False)])
def test_repeated_request_gets_the_first_answer_for_a_while(age_s: float, is_kept: bool) -> None:
    """A client that lost the answer asks again within minutes."""
    answer = kept().earlier_answer(Precondition(request_id="a"), now_s=age_s)
    assert answer == (Result(generation=5, replayed=True) if is_kept else None)


def test_replaying_leaves_the_first_answer_as_it_was() -> None:
    """The mark belongs to the copy."""
    gate, first = CommandGate(), Result(generation=5)
    gate.remember(Precondition(request_id="a"), first, now_s=0)
    gate.earlier_answer(Precondition(request_id="a"), now_s=0)
    assert not first.replayed


def test_oldest_answer_is_dropped_when_too_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that makes wishes in a loop must not fill memory."""
    monkeypatch.setattr(gate_module, "MAX_REMEMBERED", 2)
    gate = CommandGate()
    for request_id in ("a", "b", "c"):
        gate.remember(Precondition(request_id=request_id), Result(), now_s=0)
    found = [gate.earlier_answer(Precondition(request_id=each), now_s=0) for each in ("a", "b", "c")]
    assert [answer is not None for answer in found] == [False, True, True]


@pytest.mark.parametrize(
    "precondition",
    [
        Precondition(),
        Precondition(request_id="x" * (MAX_ID_CHARS + 1)),
        Precondition(request_id="x", actor="y" * (MAX_ID_CHARS + 1)),
    ],
    ids=["none", "long id", "long actor"],
)
def test_request_without_a_usable_id_is_refused(precondition: control_service_pb2.Precondition) -> None:
    """It could not be told from another one."""
    with pytest.raises(UsageError):
        CommandGate().earlier_answer(precondition, now_s=0)


def test_wish_made_on_another_state_is_told_who_changed_it() -> None:
    """Two people who edit at once see it instead of overwriting each other."""
    gate = CommandGate()
    wish = Precondition(request_id="a", expected_generation=4)
    gate.check_generation(wish, commanded=4, newest=4, last_actor="ann")
    with pytest.raises(NotOnGeneration, match="by ann"):
        gate.check_generation(wish, commanded=5, newest=5, last_actor="ann")


def test_wish_holds_though_workers_came_meanwhile() -> None:
    """A form that is filled in while workers join is not out of date."""
    wish = Precondition(request_id="a", expected_generation=4)
    CommandGate().check_generation(wish, commanded=3, newest=9, last_actor="ann")


def test_wish_on_a_state_that_never_was_is_refused() -> None:
    """It was made on an earlier life of the master, or on another one."""
    wish = Precondition(request_id="a", expected_generation=40)
    with pytest.raises(NotOnGeneration):
        CommandGate().check_generation(wish, commanded=3, newest=9, last_actor="")


def test_wish_without_a_generation_is_taken_on_any() -> None:
    """Scripts mean it whatever the state is."""
    CommandGate().check_generation(Precondition(request_id="a"), commanded=5, newest=5, last_actor="")


class Deed:
    """Something to be done that waits until it may, and counts how often it was begun and ended."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_end = asyncio.Event()
        self.begun = self.ended = 0
        self._error = error

    async def __call__(self, actor: str) -> Run:
        self.begun += 1
        await self.may_end.wait()
        self.ended += 1
        if self._error is not None:
            raise self._error
        return make_run()


async def test_change_is_answered_with_the_state_after_it() -> None:
    """A client's next wish is made on it."""
    async with asyncio.TaskGroup() as tasks:
        fleet = Fleet()
        deed = Deed()
        deed.may_end.set()
        result = await Changes(fleet.cluster, tasks).make(Precondition(request_id="a"), deed)
    assert result == Result(generation=fleet.cluster.generation)


async def test_change_goes_on_when_its_client_is_gone() -> None:
    """A stop whose listeners take longer than the client's deadline must still be a stop."""
    async with asyncio.TaskGroup() as tasks:
        changes, deed = Changes(Fleet().cluster, tasks), Deed()
        client = asyncio.create_task(changes.make(Precondition(request_id="a"), deed))
        await _begun(deed)
        client.cancel()
        await asyncio.wait((client,))
        assert client.cancelled()
        deed.may_end.set()
    assert deed.ended == 1


async def test_request_repeated_while_it_is_carried_out_waits_for_the_same_deed() -> None:
    """The retry of a start must neither start twice nor be told that a run goes on."""
    async with asyncio.TaskGroup() as tasks:
        changes, deed = Changes(Fleet().cluster, tasks), Deed()
        first = asyncio.create_task(changes.make(Precondition(request_id="a"), deed))
        await _begun(deed)
        second = asyncio.create_task(changes.make(Precondition(request_id="a"), deed))
        await asyncio.sleep(0)
        deed.may_end.set()
        answers = [await first, await second]
    assert deed.begun == 1
    assert [answer.replayed for answer in answers] == [False, True]


async def test_change_that_is_refused_may_be_asked_for_again() -> None:
    """Only answers are kept: what stood in the way may be gone."""
    async with asyncio.TaskGroup() as tasks:
        changes = Changes(Fleet().cluster, tasks)
        for deed in (Deed(Refused("no")), Deed(Refused("no"))):
            deed.may_end.set()
            with pytest.raises(Refused):
                await changes.make(Precondition(request_id="a"), deed)
            assert deed.begun == 1


async def test_change_that_fails_unexpectedly_does_not_take_the_master_along() -> None:
    """The client is told; the task group that runs the master goes on."""
    async with asyncio.TaskGroup() as tasks:
        deed = Deed(ZeroDivisionError())
        deed.may_end.set()
        with pytest.raises(ZeroDivisionError):
            await Changes(Fleet().cluster, tasks).make(Precondition(request_id="a"), deed)
        await asyncio.sleep(0)


async def _begun(deed: Deed) -> None:
    async with asyncio.timeout(5):
        while not deed.begun:
            await asyncio.sleep(0)
