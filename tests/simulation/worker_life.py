"""A worker: the real agent on a machine of its own, with simulated runners."""

from __future__ import annotations

import asyncio

from locust_master.losses import RECONNECT_S
from locust_protocol.v1 import master_service_pb2
from locust_worker import session
from locust_worker.agent import Agent, Identity
from locust_worker.app import TICK_S
from locust_worker.pool import Code
from tests.simulation.simulated_network import Line, SimulatedLink
from tests.simulation.simulated_runner import RunnerHost
from tests.simulation.virtual_loop import Machine, Process, ProcessState, VirtualLoop


class WorkerLife:
    """One life of an agent and its runners."""

    def __init__(
        self,
        loop: VirtualLoop,
        machine: Machine,
        host: RunnerHost,
        *,
        name: str,
        runners: int,
    ) -> None:
        self.name = name
        self.uid = host.worker_uid
        self.host = host
        self.runner_count = runners
        self.process = Process(loop, machine, name)
        self.process.host = host
        self.line = Line(loop, host.seed, self.process)
        self.end: session.End | None = None
        self.was_killed = False
        self.was_cut_off = False
        """It was killed when its connection had ended for good, longer ago than it takes to come back."""
        self.is_leaving = False
        request = master_service_pb2.RegisterRequest(
            software_version="0",
            worker_uid=self.uid,
            worker_name=name,
            host=master_service_pb2.HostFacts(hostname=name, host_id=name, usable_cores=8),
            runners=runners,
        )
        self.agent = self.process.run(lambda: self._make_agent(request))
        self.process.create_task(self._live(), name="agent")

    @property
    def is_present(self) -> bool:
        """True until it was killed or has ended by itself."""
        return self.process.is_alive and self.end is None

    @property
    def is_in_touch(self) -> bool:
        """True while it runs, has a session, as far as it knows, and what is sent to it arrives."""
        is_running = self.process.state is ProcessState.ALIVE
        return is_running and self.line.is_fit and session.has_session(self.agent._connection.state)

    @property
    def users(self) -> int:
        """Users that run on this machine."""
        return self.host.users().total()

    def leave(self) -> None:
        """SIGTERM."""
        self.is_leaving = True
        self.process.run(lambda: self.agent.post(session.LeaveAsked()))

    def kill(self) -> None:
        """SIGKILL of the agent: its runners die with it."""
        self.was_killed = True
        self.was_cut_off = self.line.cut_for_s > RECONNECT_S
        self.process.kill()

    def _make_agent(self, request: master_service_pb2.RegisterRequest) -> Agent:
        agent = Agent(
            Identity(request, own_code=Code(b"", "/", ("locustfile.py",))),
            link=SimulatedLink(self.line),
            settings=session.SessionSettings(),
            cache=None,  # type: ignore[arg-type]
            tasks=self.process,  # type: ignore[arg-type]
        )
        agent.pool._living = _InOrder()  # type: ignore[assignment]
        return agent

    async def _live(self) -> None:
        ticker = self.process.create_task(self._tick(), name="ticker")
        end = await self.agent.run()
        await self.agent.say_goodbye("the worker was asked to end")
        self.agent.pool.quit_all()
        await self.agent.pool.wait_gone(timeout_s=9)
        self.agent.pool.kill_all()
        await self.agent.pool.wait_gone(timeout_s=2)
        ticker.cancel()
        self.end = end

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.agent.post(session.TimePassed())


class _InOrder(dict[object, None]):
    """A set in order of arrival: one of objects is in the order of addresses, which no seed sets."""

    def add(self, member: object) -> None:
        self[member] = None

    def discard(self, member: object) -> None:
        self.pop(member, None)
