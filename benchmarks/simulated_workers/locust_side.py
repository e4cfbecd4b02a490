"""Locust's side of the comparison: run with the Python of a virtualenv that has Locust, never with ours.

It reads samples as JSON on standard input (reports, each a list of rows, each a list of [ms, failed]), and
for every line "go" after them prints what one pass through Locust's own statistics code cost: a worker's
report serialised, the message unpacked, and merged into the master's statistics.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    from locust.env import Environment
    from locust.rpc.protocol import Message
    from locust.stats import setup_distributed_stats_event_listeners

    reports = json.loads(sys.stdin.readline())
    master = Environment()
    setup_distributed_stats_event_listeners(master.events, master.stats)
    for _ in sys.stdin:
        costs = {"worker_s": 0.0, "master_s": 0.0, "bytes": 0}
        for number, rows in enumerate(reports):
            worker = Environment()
            setup_distributed_stats_event_listeners(worker.events, worker.stats)
            for place, samples in enumerate(rows):
                for value_ms, has_failed in samples:
                    name = f"/shop/category/{place + 1}/item"
                    worker.stats.log_request("GET", name, value_ms, 2_000)
                    if has_failed:
                        worker.stats.log_error("GET", name, "500 Server Error for url: /shop")
            started_s = time.thread_time()
            data: dict[str, object] = {}
            worker.events.report_to_master.fire(client_id=f"w{number}", data=data)
            payload = Message("stats", data, f"w{number}").serialize()
            sent_s = time.thread_time()
            message = Message.unserialize(payload)
            master.events.worker_report.fire(client_id=message.node_id, data=message.data)
            costs["master_s"] += time.thread_time() - sent_s
            costs["worker_s"] += sent_s - started_s
            costs["bytes"] += len(payload)
        print(json.dumps(costs), flush=True)


if __name__ == "__main__":
    main()
