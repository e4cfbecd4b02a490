"""Waits until every worker has done what it was told: the locustfile loaded, an assignment applied."""

from __future__ import annotations

import asyncio

from locust_master.cluster import Cluster
from locust_master.refusals import Refused

PREPARE_TIMEOUT_S = 60.0
"""Seconds that workers get to fetch the bundle and load the locustfile."""


async def wait_prepared(cluster: Cluster, *, timeout_s: float = PREPARE_TIMEOUT_S) -> None:
    """Waits until all workers loaded what is offered now.

    Raises `Refused` when there is no worker, when one refused, or after `timeout_s` naming the late ones.
    """
    generation = cluster.generation
    waiting: list[str] = []
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                seen = cluster.revision.value
                waiting = _unprepared(cluster, generation)
                if not waiting:
                    return
                await cluster.revision.wait_after(seen)
    except TimeoutError:
        raise Refused(
            f"workers have not loaded the locustfile in {timeout_s:.0f} s: {', '.join(waiting)}",
            remedy="look at their logs",
        ) from None


async def wait_observed(cluster: Cluster, generation: int, *, timeout_s: float) -> bool:
    """Waits until all live workers say that they follow `generation`; False when some did not in time."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                seen = cluster.revision.value
                live = cluster.membership.live()
                if all(member.status.observed_generation >= generation for member in live):
                    return True
                await cluster.revision.wait_after(seen)
    except TimeoutError:
        return False


def _unprepared(cluster: Cluster, generation: int) -> list[str]:
    live = cluster.membership.live()
    if not live:
        raise Refused(
            "no worker is connected",
            remedy="start one with `locust-worker --master-host …`, or the master with --processes 1",
        )
    for member in live:
        if member.status.refused_generation >= generation:
            raise Refused(f"worker {member.name} cannot run it: {member.status.refusal}")
    return [member.name for member in live if member.status.observed_generation < generation]
