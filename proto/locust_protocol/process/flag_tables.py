"""The flags of each command, and the parsers made of them.

`locust-master` looks at its command line twice: first with `first_look_parser`, which knows what is
needed to find the locustfile and to try the port; then the script host, which has loaded it, parses all
of it with `run_parser` and what the locustfile adds. A runner parses the tokens that the master sends
with `runner_parser`, which looks at neither environment nor files of its machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from locust_protocol.limits import DEFAULT_PORT, RECONNECT_TIMEOUT_S
from locust_protocol.process.access_flags import ACCESS_FLAGS
from locust_protocol.process.cluster_flags import EXTRA_FILES, LISTENING_FLAGS
from locust_protocol.process.command_line import build_parser
from locust_protocol.process.config_files import UnknownKeys
from locust_protocol.process.flag_parser import FlagParser
from locust_protocol.process.flag_values import process_count, remote_port, timespan
from locust_protocol.process.flags import Flag, FlagKind, FlagTable
from locust_protocol.process.general_flags import CONFIG, GENERAL_FLAGS, LOGGING_FLAGS, NOTED_HELP, VERSION
from locust_protocol.process.run_flags import LIST_CLASSES, LOCUSTFILE, RUN_FLAGS

MASTER = "Master"
RUNNERS = "Runners"
SCREEN = "Screen"

_MASTER_HOST = Flag(
    ("--master-host",),
    "Host of the master.",
    MASTER,
    env="LOCUST_MASTER_NODE_HOST",
    default="127.0.0.1",
    metavar="HOST",
)

_MASTER_PORT = Flag(
    ("--master-port",),
    "Port of the master.",
    MASTER,
    env="LOCUST_MASTER_NODE_PORT",
    parse=remote_port,
    default=DEFAULT_PORT,
    metavar="PORT",
)

FIRST_LOOK_FLAGS = (
    LOCUSTFILE,
    EXTRA_FILES,
    LIST_CLASSES,
    *LISTENING_FLAGS,
    CONFIG,
    NOTED_HELP,
    VERSION,
)
"""What is needed before the locustfile can be loaded, and where to listen: that a port is taken is said
before anything that takes time. `-h` is only noted, as its text needs the locustfile."""

WORKER_FLAGS = (
    _MASTER_HOST,
    _MASTER_PORT,
    Flag(
        ("--stay",),
        "Wait for the next master when one has ended, instead of exiting.",
        MASTER,
        FlagKind.SWITCH,
        env="LOCUST_STAY",
    ),
    Flag(
        ("--reconnect-timeout",),
        "Time to look for a master that was lost before giving up.",
        MASTER,
        env="LOCUST_RECONNECT_TIMEOUT",
        parse=timespan,
        default=int(RECONNECT_TIMEOUT_S),
        metavar="TIME",
    ),
    *ACCESS_FLAGS,
    Flag(
        ("--kill-stalled-after",),
        "Kill a runner that user code has blocked for this long; left out, it is never killed.",
        RUNNERS,
        env="LOCUST_KILL_STALLED_AFTER",
        parse=timespan,
        metavar="TIME",
    ),
    Flag(
        ("--processes",),
        "Number of runners; -1 is one per usable core.",
        RUNNERS,
        env="LOCUST_PROCESSES",
        parse=process_count,
        default=-1,
        metavar="N",
    ),
    Flag(
        ("--name",),
        "Name to show for this worker; the host's name without it.",
        RUNNERS,
        env="LOCUST_WORKER_NAME",
        metavar="NAME",
    ),
    # In a config file that a master shares, this key means the master's locustfile; a worker that took it
    # for its own would no longer be sent what the master runs.
    replace(
        LOCUSTFILE,
        help="Locustfile of this machine to use; without it, or with -, the master sends its own.",
        group=RUNNERS,
        default=None,
        in_config_files=False,
    ),
    *LOGGING_FLAGS,
    *GENERAL_FLAGS,
)
"""Everything that `locust-worker` takes."""

TUI_FLAGS = (
    _MASTER_HOST,
    _MASTER_PORT,
    *ACCESS_FLAGS,
    Flag(("--once",), "Print one snapshot and exit.", SCREEN, FlagKind.SWITCH),
    *(
        replace(flag, help=flag.help.replace(" instead of stderr", ", nowhere without it"))
        for flag in LOGGING_FLAGS
    ),
    *GENERAL_FLAGS,
)
"""Everything that `locust-tui` takes."""

COMMANDS: Mapping[str, FlagTable] = {
    "locust-master": RUN_FLAGS,
    "locust-worker": WORKER_FLAGS,
    "locust-tui": TUI_FLAGS,
}
"""The flags of each command by its name."""


def run_parser() -> FlagParser:
    """Return the parser of `locust-master`, to which a locustfile may add arguments."""
    return build_parser(
        [RUN_FLAGS],
        prog="locust-master",
        description="Controls a load test: serves workers and clients, merges and keeps the results.",
        examples=(
            "locust-master -f locustfile.py",
            "locust-master -f locustfile.py --headless -u 200 -r 20 -t 2m --expect-workers 4",
            "locust-master -f locustfile.py --processes 2 --headless -u 50 -t 1m ShopUser",
        ),
        commands=COMMANDS,
    )


def runner_parser() -> FlagParser:
    """Return the parser for the tokens that a runner is sent; give it an empty environment."""
    return build_parser(
        [RUN_FLAGS],
        prog="locust-master",
        description="Options of the run, as the master sent them.",
        commands=COMMANDS,
        read_config_files=False,
    )


def first_look_parser() -> FlagParser:
    """Return the parser of a master's first look at its command line; use `parse_known_flags`."""
    return build_parser(
        [FIRST_LOOK_FLAGS],
        prog="locust-master",
        description="Finds the locustfile.",
        commands=COMMANDS,
        unknown_keys=UnknownKeys.IGNORE,
    )


def worker_parser() -> FlagParser:
    """Return the parser of `locust-worker`."""
    return build_parser(
        [WORKER_FLAGS],
        prog="locust-worker",
        description="Runs the users of a load test on this machine, for a master.",
        examples=(
            "locust-worker --master-host 10.0.0.5",
            "locust-worker --master-host 10.0.0.5 --processes 4",
            "locust-worker --master-host 10.0.0.5 --token-file join.token",
        ),
        commands=COMMANDS,
        unknown_keys=UnknownKeys.IGNORE,
    )


def tui_parser() -> FlagParser:
    """Return the parser of `locust-tui`."""
    return build_parser(
        [TUI_FLAGS],
        prog="locust-tui",
        description="Watches and controls a load test in the terminal; quitting leaves the test running.",
        examples=("locust-tui", "locust-tui --master-host 10.0.0.5"),
        commands=COMMANDS,
        unknown_keys=UnknownKeys.IGNORE,
    )
