"""The ways to run a master: headless (start, print, end), or serving clients, with or without autostart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass

from locust_master.cluster import Cluster
from locust_master.conductor import Conductor
from locust_master.greeting import say_address
from locust_master.new_run import check_start
from locust_master.outcome import Outcome
from locust_master.printing import print_progress_until, print_summary
from locust_master.resuming.take_up import NotTakenUp
from locust_master.run_watch import owing
from locust_master.settings import MasterSettings
from locust_protocol.process.errors import DegradedError

logger = logging.getLogger(__name__)

FIRST_HINT_S = 5.0
"""Seconds without any worker after which a headless master says what to start."""

WAITING_SAID_EVERY_S = 10.0

SAY_WAITING_AFTER_S = 2.0
"""Seconds that an end may take before it is said what it waits for."""

COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a mode works with."""

    settings: MasterSettings
    cluster: Cluster
    conductor: Conductor
    port: int
    not_taken_up: NotTakenUp | None = None
    """Why the last run of the store does not go on."""

    @property
    def only_reports(self) -> bool:
        """True when all there is to do is to print what a run came to."""
        found = self.not_taken_up
        return self.settings.headless and found is not None and found.ended is not None


@dataclass(frozen=True, slots=True)
class Ends:
    """Whatever ends the master: a signal, a client, the locustfile."""

    interrupted: asyncio.Event
    shut_down: asyncio.Event
    locustfile: asyncio.Event

    async def wait_any(self) -> None:
        """Waits for the first of them."""
        async with asyncio.TaskGroup() as tasks:
            waits = [
                tasks.create_task(event.wait())
                for event in (self.interrupted, self.shut_down, self.locustfile)
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()


async def run_mode(parts: Parts, ends: Ends) -> Outcome:
    """Runs the mode that the settings ask for; returns what it came to. Raises `OperatorError`."""
    say_address(parts.settings, parts.port)
    if parts.settings.headless:
        await _until_end(_headless(parts), ends)
    else:
        await _until_end(_serve(parts), ends)
    await _stop_run(parts)
    run = parts.cluster.run
    if run is not None:
        print_summary(parts.settings, run)
    return Outcome.of(run, parts.settings, parts.conductor.writer)


async def _until_end(work: Coroutine[None, None, None], ends: Ends) -> None:
    """Runs `work` until it is done or something ends the master."""
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work)
        ending = tasks.create_task(ends.wait_any())
        await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        ending.cancel()


async def _start(parts: Parts) -> None:
    """Starts what the command line says, unless that goes on already, from an earlier life of the master.

    Raises `DegradedError` when that life was to end meanwhile: then what it came to is printed.
    """
    if parts.cluster.run is not None:
        return
    found = parts.not_taken_up
    if found is not None and found.ended is not None:
        # The same command, started again by whoever looks after it: what it asked for is over.
        print_summary(parts.settings, found.ended, lacking=(found.lacking,))
        again = "reported again" if found.was_known else "closed as INTERRUPTED"
        raise DegradedError(
            f"the run of this command line was cut off, and is {again}: {found.obstacle.text}",
            remedy="for a new run at once, add --resume-within 0",
        )
    check_start(parts.conductor.locustfile, parts.settings.options)
    if found is not None:
        logger.warning("the run before was not taken up, so this is a new one")
    await _wait_workers(parts)
    await parts.conductor.start(parts.settings.options, actor=COMMAND_LINE)


async def _headless(parts: Parts) -> None:
    await _start(parts)
    await print_progress_until(parts.conductor.run_ended, parts.settings, parts.cluster)


async def _serve(parts: Parts) -> None:
    if parts.settings.autostart:
        try:
            await _start(parts)
        except DegradedError as error:
            found = parts.not_taken_up
            if parts.settings.autoquit_s is not None or found is None or found.ended is None:
                raise
            logger.error("%s", error)  # screens may start another one
            await asyncio.get_running_loop().create_future()
        if parts.settings.print_stats:
            await print_progress_until(parts.conductor.run_ended, parts.settings, parts.cluster)
        await parts.conductor.run_ended.wait()
        if parts.settings.autoquit_s is not None:
            await asyncio.sleep(parts.settings.autoquit_s)
            return
    await asyncio.get_running_loop().create_future()


async def _stop_run(parts: Parts) -> None:
    """Ends the run that goes on, if any, and waits for its last reports."""
    if parts.cluster.run is None:
        return
    await parts.conductor.stop_if_active(actor="end of the master")
    with suppress(TimeoutError):
        async with asyncio.timeout(SAY_WAITING_AFTER_S):
            await parts.conductor.run_ended.wait()
    if not parts.conductor.run_ended.is_set():
        names = ", ".join(m.name for m in owing(parts.cluster.run, parts.cluster.membership.live()))
        logger.info("waiting for the last reports of %s; a second Ctrl-C ends at once", names or "all")
    await parts.conductor.run_ended.wait()


async def _wait_workers(parts: Parts) -> None:
    """Waits for the workers and runners that are expected. Raises `DegradedError` when they do not come."""
    settings, membership = parts.settings, parts.cluster.membership
    started_s = said_s = time.monotonic()
    said_hint = False
    while True:
        seen = parts.cluster.revision.value
        workers, runners = len(membership.live()), membership.runner_count()
        if workers >= settings.expect_workers and runners >= settings.expect_runners:
            return
        now_s = time.monotonic()
        waited_s = now_s - started_s
        if settings.expect_max_wait_s is not None and waited_s >= settings.expect_max_wait_s:
            raise DegradedError(
                f"{_waiting_text(settings, workers, runners)} after {waited_s:.0f} s",
                remedy="look at the workers, or raise --expect-workers-max-wait",
            )
        if not workers and not said_hint and waited_s >= FIRST_HINT_S:
            said_hint = True
            command = settings.worker_command(parts.port)
            logger.warning("no worker yet: start one with `%s`, or add --processes 1 here", command)
        if now_s - said_s >= WAITING_SAID_EVERY_S:
            said_s = now_s
            logger.info("waiting: %s", _waiting_text(settings, workers, runners))
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await parts.cluster.revision.wait_after(seen)


def _waiting_text(settings: MasterSettings, workers: int, runners: int) -> str:
    text = f"{workers} of {settings.expect_workers} workers are here (--expect-workers)"
    if settings.expect_runners:
        return f"{text}, {runners} of {settings.expect_runners} runners (--expect-runners)"
    if runners > workers:
        return f"{text}; they have {runners} runners, which --expect-runners counts"
    return text
