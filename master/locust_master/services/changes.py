"""Carries out what clients wish to change, each wish once.

A wish runs in a task of its own: a client that goes away, or a deadline that passes, must not leave a change
half done. Whoever asks again with the same request id gets the outcome of the first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from locust_master.cluster import Cluster
from locust_master.services.gate import CommandGate, replayed
from locust_protocol.process.errors import OperatorError
from locust_protocol.v1 import control_service_pb2

logger = logging.getLogger(__name__)

Act = Callable[[str], Awaitable[object]]
"""Does what is wished, on behalf of an actor."""

Outcome = control_service_pb2.CommandResult | Exception


class Changes:
    """Wishes under way, and the answers to those before."""

    def __init__(self, cluster: Cluster, tasks: asyncio.TaskGroup) -> None:
        self._cluster = cluster
        self._tasks = tasks
        self._gate = CommandGate()
        self._under_way: dict[str, asyncio.Task[Outcome]] = {}
        self._guarded = asyncio.Lock()
        """One wish at a time of those made on a generation: of two made on the same one only one is right."""

    async def make(
        self, precondition: control_service_pb2.Precondition, act: Act
    ) -> control_service_pb2.CommandResult:
        """Carries `act` out unless that was done; raises what it raises, or what stands in its way."""
        earlier = self._gate.earlier_answer(precondition, now_s=time.monotonic())
        if earlier is not None:
            return earlier
        if (first := self._under_way.get(precondition.request_id)) is not None:
            return replayed(await _wait_outcome(first))
        self._check_generation(precondition)
        task = self._tasks.create_task(self._carry_out(precondition, act), name="change")
        self._under_way[precondition.request_id] = task
        task.add_done_callback(lambda _: self._under_way.pop(precondition.request_id, None))
        return await _wait_outcome(task)

    def result(self) -> control_service_pb2.CommandResult:
        """Returns the state after a change."""
        run = self._cluster.run
        return control_service_pb2.CommandResult(
            generation=self._cluster.generation, run_id=run.record.run_id if run else b""
        )

    def _check_generation(self, precondition: control_service_pb2.Precondition) -> None:
        run = self._cluster.run
        self._gate.check_generation(
            precondition,
            commanded=self._cluster.commanded_generation,
            newest=self._cluster.generation,
            last_actor=run.last_actor if run else "",
        )

    async def _carry_out(self, precondition: control_service_pb2.Precondition, act: Act) -> Outcome:
        try:
            if precondition.HasField("expected_generation"):
                async with self._guarded:
                    self._check_generation(precondition)
                    await act(precondition.actor)
            else:
                await act(precondition.actor)
        except OperatorError as error:
            return error
        except Exception as error:  # nobody may be waiting any more, and the master must go on
            logger.exception("a change failed")
            return error
        result = self.result()
        self._gate.remember(precondition, result, now_s=time.monotonic())
        return result


async def _wait_outcome(task: asyncio.Task[Outcome]) -> control_service_pb2.CommandResult:
    await asyncio.wait((task,))
    outcome = task.result()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
