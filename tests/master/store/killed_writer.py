"""A master in miniature for a test that kills it: reports on stdin, acknowledgements on stdout.

Each line of input is the worker's uid, the sequence and the report, in hex; each line of output names a
report that is stored. It never ends by itself while stdin is open.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from locust_master.store import writer as writer_module
from locust_master.store.run_dir import lock_run_dir
from locust_master.store.writer import RunWriter
from tests.master.cluster_builders import make_run


async def main(run_dir: Path, fold_every_s: float) -> None:
    writer_module.FOLD_EVERY_S = fold_every_s
    writer_module.FOLD_SHARE = 0
    writer_module.GROUP_S = 0.0  # a commit for each report, so that the kill finds some under way
    writer = RunWriter.create(run_dir, make_run().record)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        uid, sequence, payload = line.split()
        writer.append(
            bytes.fromhex(uid),
            int(sequence),
            bytes.fromhex(payload),
            lambda uid=uid, sequence=sequence: print(uid, sequence, flush=True),
        )
    await writer.close()


if __name__ == "__main__":
    with lock_run_dir(Path(sys.argv[1])):
        asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
