"""Simulated workers as a process: `python -m benchmarks.simulated_workers.fleet --port 5557 --workers 300`.

It prints its tally as one JSON line for every line that it reads, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from contextlib import suppress
from dataclasses import asdict

import grpc.aio

from benchmarks.simulated_workers.samples import Load, prepared_slices
from benchmarks.simulated_workers.worker import SimulatedWorker, Tally
from locust_protocol.security.access import find_access
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.roles import AccessRole

JOINS_PER_S = 100.0
"""Workers that come in a second: with all at once it is this process that is measured, not the master."""


async def live(options: argparse.Namespace) -> None:
    """Runs the workers until standard input ends."""
    load, tally = Load(options.series, options.samples_per_s), Tally()
    slices = prepared_slices(load)
    target = f"127.0.0.1:{options.port}"
    terms = AccessTerms(AccessRole.WORKER, is_insecure=options.insecure)
    access = await find_access(target, terms)
    workers = [
        SimulatedWorker(number, target, access, load=load, slices=slices, tally=tally)
        for number in range(1, options.workers + 1)
    ]
    for worker in workers:
        worker.fetches_bundles = options.fetch_bundle
    pause_s = 1 / options.joins_per_s
    tasks = [
        asyncio.create_task(worker.live(after_s=number * pause_s)) for number, worker in enumerate(workers)
    ]
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(asdict(tally)), flush=True)
        for task in tasks:
            if task.done():
                task.result()
    for task in tasks:
        task.cancel()
    for worker in workers:
        with suppress(grpc.aio.AioRpcError):
            await worker.goodbye()


def main() -> None:
    # A pause of this process would reach the master as a burst, which a thousand machines do not send.
    gc.disable()
    parser = argparse.ArgumentParser(prog="benchmarks.simulated_workers.fleet")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--series", type=int, default=Load().series)
    parser.add_argument("--samples-per-s", type=int, default=Load().samples_per_s)
    parser.add_argument(
        "--joins-per-s", type=float, default=JOINS_PER_S, help="workers that come in a second"
    )
    parser.add_argument("--insecure", action="store_true", help="neither encryption nor tokens")
    parser.add_argument("--fetch-bundle", action="store_true", help="fetch the bundle, as agents do")
    asyncio.run(live(parser.parse_args()))


if __name__ == "__main__":
    main()
