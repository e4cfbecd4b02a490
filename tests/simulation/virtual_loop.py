"""An event loop on a virtual clock, and the processes and machines that live on it.

Time passes only when nobody has anything left to do at the moment. Each callback belongs to the process in
whose context it was scheduled: a frozen process (SIGSTOP) gets its callbacks when it goes on, a dead one
(SIGKILL) never. Each machine has a monotonic clock of its own, off by an offset and a drift.

Must never look at a real clock.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SECOND_NS = 1_000_000_000

EPOCH_NS = 100_000 * SECOND_NS
"""Virtual time at which a simulation begins: no clock of a machine that is hours off is negative."""

MAX_HELD_TASKS = 2_000
"""Tasks that are held until those that are done are let go."""

MAX_CANCELS = 20
"""Times that a task is cancelled before it counts as immortal."""


class ProcessState(enum.Enum):
    """What becomes of a process's callbacks."""

    ALIVE = "alive"
    FROZEN = "frozen"
    DEAD = "dead"


class Machine:
    """A host: its processes share one monotonic clock, which is not that of the others."""

    def __init__(self, loop: VirtualLoop, name: str, *, offset_ns: int = 0, drift_ppm: float = 0.0) -> None:
        self.name = name
        self._loop = loop
        self._offset_ns = offset_ns
        self._drift_ppm = drift_ppm

    def clock_ns(self) -> int:
        """What its monotonic clock says now."""
        now_ns = self._loop.now_ns
        return now_ns + self._offset_ns + int((now_ns - EPOCH_NS) * self._drift_ppm / 1e6)


class Process:
    """A process on a machine: the owner of tasks and callbacks."""

    def __init__(self, loop: VirtualLoop, machine: Machine, name: str) -> None:
        self.name = name
        self.machine = machine
        self.state = ProcessState.ALIVE
        self.on_death: list[Callable[[], None]] = []
        self.host: object = None
        """What it finds on its machine; an agent: its `RunnerHost`."""
        self._loop = loop
        loop.processes.append(self)
        self._backlog: list[asyncio.Handle] = []
        self._context = copy_context()
        self._context.run(CURRENT.set, self)

    @property
    def is_alive(self) -> bool:
        """True until it is killed; a frozen one lives."""
        return self.state is not ProcessState.DEAD

    def create_task(self, coroutine: Coroutine[Any, Any, Any], *, name: str = "") -> asyncio.Task[Any]:
        """Starts a task of this process, whoever asks; stands in for a TaskGroup, too."""
        task = self._loop.create_task(coroutine, name=f"{self.name}:{name}", context=self._context.copy())
        task.add_done_callback(self._note_done)
        return task

    def call_later(self, delay_s: float, callback: Callable[..., object], *args: object) -> None:
        """Calls back in this process."""
        # Not a copy: the loop calls one after the other, so a context is never entered twice.
        self._loop.call_later(delay_s, callback, *args, context=self._context)

    def run(self, call: Callable[[], T]) -> T:
        """Calls in this process, now."""
        return self._context.copy().run(call)

    def freeze(self) -> None:
        """SIGSTOP."""
        if self.state is ProcessState.ALIVE:
            self.state = ProcessState.FROZEN

    def thaw(self) -> None:
        """SIGCONT: what should have happened happens now, in order."""
        if self.state is ProcessState.FROZEN:
            self.revive()

    def kill(self) -> None:
        """SIGKILL: no callback of it runs any more, and none of its `finally`."""
        if self.state is ProcessState.DEAD or self._loop.is_ending:
            return
        self.state = ProcessState.DEAD
        for callback in self.on_death:
            callback()

    def defer(self, handle: asyncio.Handle) -> bool:
        """True when a callback must not run now."""
        if self.state is ProcessState.ALIVE:
            return False
        self._backlog.append(handle)
        return True

    def revive(self) -> None:
        """Gives it all callbacks that it missed; the dead rise only for the loop to end their tasks."""
        self.state = ProcessState.ALIVE
        backlog, self._backlog = self._backlog, []
        self._loop.take_back(backlog)

    def _note_done(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.fail(error)


CURRENT: ContextVar[Process | None] = ContextVar("current_process", default=None)
"""The process whose callback runs."""


class _Handle(asyncio.Handle):
    __slots__ = ()

    def _run(self) -> None:
        process = self._context.get(CURRENT)  # type: ignore[attr-defined]
        if process is None or not process.defer(self):
            super()._run()  # type: ignore[misc]


class _TimerHandle(asyncio.TimerHandle):
    """Timers of one moment run in the order in which they were set."""

    __slots__ = ("number",)

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        assert isinstance(other, _TimerHandle)
        return (self._when, self.number) < (other._when, other.number)  # type: ignore[attr-defined]

    def _run(self) -> None:
        process = self._context.get(CURRENT)  # type: ignore[attr-defined]
        if process is None or not process.defer(self):
            super()._run()  # type: ignore[misc]


class _Leap:
    """Stands where a selector would: waiting for I/O is leaping to the next timer."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> list[object]:
        assert timeout_s is not None, "nothing is scheduled any more: everybody waits for ever"
        if timeout_s > 0:
            self._loop.now_ns += max(1, round(timeout_s * SECOND_NS))
        return []

    def close(self) -> None:
        """Holds nothing."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop; `now_ns` is the true time that no machine knows."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = EPOCH_NS
        self.folder = Path()
        """Where a simulation may have files."""
        self.processes: list[Process] = []
        self.is_ending = False
        self._timers = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._selector = _Leap(self)
        self.set_task_factory(self._make_task)
        self._failure: BaseException | None = None
        self.set_exception_handler(self._take_error)

    def time(self) -> float:
        """True time in seconds since the beginning."""
        return (self.now_ns - EPOCH_NS) / SECOND_NS

    def fail(self, error: BaseException) -> None:
        """Something broke in a process: `check` raises it."""
        self._failure = self._failure or error

    def check(self) -> None:
        """Raises what broke in any process."""
        if self._failure is not None:
            raise self._failure

    def end_tasks(self) -> None:
        """Ends the tasks of all processes, so that none is left to be collected as garbage."""
        self.is_ending = True
        for process in self.processes:
            process.revive()
        for _ in range(MAX_CANCELS):
            pending = [task for task in self._tasks if not task.done()]
            if not pending:
                return
            for task in pending:
                task.cancel()
            self.run_until_complete(_wait_some(pending))
        raise AssertionError(f"tasks do not end: {pending}")

    def _make_task(self, loop: object, coroutine: Any, context: Context | None = None) -> asyncio.Task[Any]:
        # Held, or a task of a dead process would be collected while it waits.
        if len(self._tasks) > MAX_HELD_TASKS:
            self._tasks = [task for task in self._tasks if not task.done()]
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=self, context=context)
        self._tasks.append(task)
        return task

    def take_back(self, handles: list[asyncio.Handle]) -> None:
        """Schedules callbacks that were held back."""
        self._ready.extend(handle for handle in handles if not handle.cancelled())  # type: ignore[attr-defined]

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedules at a time of this loop."""
        timer = _TimerHandle(when, callback, args, self, context)
        self._timers += 1
        timer.number = self._timers
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedules after a delay."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def _call_soon(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def _process_events(self, event_list: list[object]) -> None:
        """There are none."""

    def _check_closed(self) -> None:
        """What a dead process left behind may still speak to a loop that is closed; nobody listens."""

    def _write_to_self(self) -> None:
        """There is nobody to wake."""

    def _take_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.fail(context.get("exception") or RuntimeError(context["message"]))


async def _wait_some(tasks: list[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks, timeout=1)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
