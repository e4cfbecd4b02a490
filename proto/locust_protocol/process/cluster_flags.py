"""The flags of `locust-master` about its workers: how many, how reached, what happens when one is lost."""

from __future__ import annotations

from locust_protocol.limits import DEFAULT_PORT, LEASE_TTL_S
from locust_protocol.process.flag_values import (
    listening_port,
    process_count,
    timespan,
    timespan_of_at_least,
    whole_number_between,
)
from locust_protocol.process.flags import Flag, FlagKind

WORKERS = "Workers"
LISTENING = "Listening"

MIN_LEASE_TTL_S = 2.0
"""Seconds: two report intervals, below which one late report would stop all users."""

EXTRA_FILES = Flag(
    ("--extra-files",),
    "More files to send to workers with the locustfile; may be given several times.",
    WORKERS,
    FlagKind.REPEATED,
    env="LOCUST_EXTRA_FILES",
    metavar="GLOB",
)

_WORKER_FLAGS = (
    Flag(
        ("--expect-workers",),
        "Workers to wait for before a --headless or --autostart test begins.",
        WORKERS,
        env="LOCUST_EXPECT_WORKERS",
        parse=whole_number_between(1),
        default=1,
        metavar="N",
    ),
    Flag(
        ("--expect-workers-max-wait",),
        "Time to wait for them before giving up; 0 waits for ever.",
        WORKERS,
        env="LOCUST_EXPECT_WORKERS_MAX_WAIT",
        parse=timespan,
        default=0,
        metavar="TIME",
    ),
    Flag(
        ("--expect-runners",),
        "Runners to wait for, over all workers.",
        WORKERS,
        env="LOCUST_EXPECT_RUNNERS",
        parse=whole_number_between(1),
        metavar="N",
    ),
    Flag(
        ("--processes",),
        "Start a worker here too, with this many runners; -1 is one per usable core.",
        WORKERS,
        env="LOCUST_PROCESSES",
        parse=process_count,
        metavar="N",
    ),
    Flag(
        ("--allow-lost",),
        "Workers that may be lost before the exit code is 3; the report says DEGRADED all the same.",
        WORKERS,
        env="LOCUST_ALLOW_LOST",
        parse=whole_number_between(0),
        default=0,
        metavar="N",
    ),
    Flag(
        ("--on-worker-loss",),
        "What becomes of a lost worker's users: rebalance (the others run them), keep (they wait for it to "
        "come back) or fail (the test ends).",
        WORKERS,
        env="LOCUST_ON_WORKER_LOSS",
        default="rebalance",
        choices=("rebalance", "keep", "fail"),
        metavar="ACTION",
    ),
    Flag(
        ("--lease-ttl",),
        "Time without a master after which a worker stops its users.",
        WORKERS,
        env="LOCUST_LEASE_TTL",
        parse=timespan_of_at_least(MIN_LEASE_TTL_S),
        default=int(LEASE_TTL_S),
        metavar="TIME",
    ),
    EXTRA_FILES,
)

LISTENING_FLAGS = (
    Flag(
        ("--bind-host", "--master-bind-host"),
        "Address to listen on; * is all interfaces.",
        LISTENING,
        dest="master_bind_host",
        env="LOCUST_MASTER_BIND_HOST",
        default="*",
        metavar="HOST",
    ),
    Flag(
        ("--bind-port", "--master-bind-port"),
        "Port to listen on; 0 takes a free one.",
        LISTENING,
        dest="master_bind_port",
        env="LOCUST_MASTER_BIND_PORT",
        parse=listening_port,
        default=DEFAULT_PORT,
        metavar="PORT",
    ),
)
"""Where the master listens."""

CLUSTER_FLAGS = (*_WORKER_FLAGS, *LISTENING_FLAGS)
"""Workers and listening address, in the order of the help."""
