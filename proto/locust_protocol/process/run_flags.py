"""The flags of a run: of `locust-master`, and of `environment.parsed_options` in a locustfile.

Names, environment variables, defaults and the attributes among the parsed options are Locust's where
Locust has the flag, as scripts, container images and locustfiles rely on them.
"""

from __future__ import annotations

from locust_protocol.limits import MAX_SERIES_NAMES, MAX_SERIES_NAMES_LIMIT
from locust_protocol.process.access_flags import MASTER_SECURITY_FLAGS
from locust_protocol.process.cluster_flags import CLUSTER_FLAGS
from locust_protocol.process.flag_values import (
    number_above_zero,
    stages,
    timespan,
    timespan_of_at_least,
    whole_number,
    whole_number_between,
)
from locust_protocol.process.flags import Flag, FlagKind
from locust_protocol.process.general_flags import GENERAL_FLAGS, LOGGING, LOGGING_FLAGS
from locust_protocol.process.retired_flags import RETIRED_FLAGS

TEST = "Test"
START_AND_END = "Start and end"
TAGS = "Tags"
RESULTS = "Results"
CLASSES = "User classes"

MAX_EXIT_CODE = 255
"""The highest exit code that a POSIX system passes on."""

LIST_CLASSES = Flag(
    ("-l", "--list"),
    "List the user classes of the locustfile and exit.",
    TEST,
    FlagKind.SWITCH,
    dest="list_commands",
)

LOCUSTFILE = Flag(
    ("-f", "--locustfile"),
    "Python file with the test; several with commas between, a folder, or the name of a module.",
    TEST,
    env="LOCUST_LOCUSTFILE",
    default="locustfile.py",
    metavar="FILE",
)

_TEST_FLAGS = (
    LOCUSTFILE,
    Flag(
        ("-H", "--host"),
        "Base URL to test, such as https://www.example.com; used instead of the classes' own.",
        TEST,
        env="LOCUST_HOST",
        metavar="URL",
    ),
    Flag(
        ("-u", "--users"),
        "Number of users at the peak.",
        TEST,
        dest="num_users",
        env="LOCUST_USERS",
        parse=whole_number_between(0),
        metavar="N",
    ),
    Flag(
        ("-r", "--spawn-rate"),
        "Users to start per second.",
        TEST,
        env="LOCUST_SPAWN_RATE",
        parse=number_above_zero,
        metavar="RATE",
    ),
    Flag(
        ("-t", "--run-time"),
        "Time until the test stops, such as 300s, 20m, 1h30m; without it, it runs until stopped.",
        TEST,
        env="LOCUST_RUN_TIME",
        parse=timespan,
        metavar="TIME",
    ),
    Flag(
        ("--stages",),
        "Users over time without a load shape: TIME:USERS for each stage, linear in between, such as "
        "60s:100,5m:100,30s:0; the test ends after the last.",
        TEST,
        env="LOCUST_STAGES",
        parse=stages,
        metavar="STAGES",
    ),
    Flag(
        ("--step-load",),
        "Raise the users in steps: --step-users more every --step-time, up to --users.",
        TEST,
        FlagKind.SWITCH,
        env="LOCUST_STEP_LOAD",
    ),
    Flag(
        ("--step-users",),
        "Users that each step adds, at the spawn rate.",
        TEST,
        env="LOCUST_STEP_USERS",
        parse=whole_number_between(1),
        metavar="N",
    ),
    Flag(
        ("--step-time",),
        "Time from one step to the next, such as 300s, 20m.",
        TEST,
        env="LOCUST_STEP_TIME",
        parse=timespan_of_at_least(0.001),
        metavar="TIME",
    ),
    Flag(
        ("--load-shape",),
        "Load shape class of the locustfile to follow; none for no one. Without it, the first.",
        TEST,
        env="LOCUST_LOAD_SHAPE",
        metavar="CLASS",
    ),
    Flag(
        ("--equal-weights",),
        "Give all user classes and tasks the same weight.",
        TEST,
        FlagKind.SWITCH,
        env="LOCUST_EQUAL_WEIGHTS",
    ),
    LIST_CLASSES,
)

_START_AND_END_FLAGS = (
    Flag(
        ("--headless",),
        "Start at once, print the numbers, exit at the end.",
        START_AND_END,
        FlagKind.SWITCH,
        env="LOCUST_HEADLESS",
    ),
    Flag(
        ("--headful",),
        "Undo a --headless that a config file or the environment holds.",
        START_AND_END,
        FlagKind.OFF_SWITCH,
        dest="headless",
        env="LOCUST_HEADFUL",
        default=False,
        hidden=True,
    ),
    Flag(
        ("--autostart",),
        "Start at once, and stay controllable from locust-tui.",
        START_AND_END,
        FlagKind.SWITCH,
        env="LOCUST_AUTOSTART",
    ),
    Flag(
        ("--autoquit",),
        "Seconds after the end of the test at which to exit, with --autostart; -1 stays.",
        START_AND_END,
        env="LOCUST_AUTOQUIT",
        parse=whole_number,
        default=-1,
        metavar="SECONDS",
    ),
    Flag(
        ("-s", "--stop-timeout"),
        "Time that users get to finish their task at a stop.",
        START_AND_END,
        env="LOCUST_STOP_TIMEOUT",
        parse=timespan,
        default=0,
        metavar="TIME",
    ),
    Flag(
        ("--exit-code-on-error",),
        "Exit code when requests failed or tasks raised.",
        START_AND_END,
        env="LOCUST_EXIT_CODE_ON_ERROR",
        parse=whole_number_between(0, MAX_EXIT_CODE),
        default=1,
        metavar="N",
    ),
)

_TAG_FLAGS = (
    Flag(
        ("-T", "--tags"),
        "Run only tasks that have at least one of these tags.",
        TAGS,
        FlagKind.LIST,
        env="LOCUST_TAGS",
        metavar="TAG",
    ),
    Flag(
        ("-E", "--exclude-tags"),
        "Run no task that has one of these tags.",
        TAGS,
        FlagKind.LIST,
        env="LOCUST_EXCLUDE_TAGS",
        metavar="TAG",
    ),
)

_RESULT_FLAGS = (
    Flag(
        ("--only-summary",),
        "Print no statistics while the test runs.",
        RESULTS,
        FlagKind.SWITCH,
        env="LOCUST_ONLY_SUMMARY",
    ),
    Flag(
        ("--print-stats",),
        "Print statistics while the test runs, without --headless too.",
        RESULTS,
        FlagKind.SWITCH,
        env="LOCUST_PRINT_STATS",
    ),
    Flag(
        ("--reset-stats",),
        "Start the statistics anew when all users have been spawned.",
        RESULTS,
        FlagKind.SWITCH,
        env="LOCUST_RESET_STATS",
    ),
    Flag(
        ("--json",),
        "Print the final statistics to stdout as one JSON document.",
        RESULTS,
        FlagKind.SWITCH,
        env="LOCUST_JSON",
    ),
    Flag(
        ("--max-names",),
        "Request names to tell apart; requests of further ones count as (other).",
        RESULTS,
        env="LOCUST_MAX_NAMES",
        parse=whole_number_between(1, MAX_SERIES_NAMES_LIMIT),
        default=MAX_SERIES_NAMES,
        metavar="N",
    ),
    Flag(
        ("--run-dir",),
        "Folder for the run store, one file per run.",
        RESULTS,
        env="LOCUST_RUN_DIR",
        default="./.locust-runs",
        metavar="DIR",
    ),
    Flag(
        ("--resume-within",),
        "Take a test up again whose master died, when it is started again within this time with the same "
        "command line; 0 never does.",
        RESULTS,
        env="LOCUST_RESUME_WITHIN",
        parse=timespan,
        default=60,
        metavar="TIME",
    ),
    Flag(("--profile",), "Label of the run.", RESULTS, env="LOCUST_PROFILE", metavar="TEXT"),
)

_SKIP_LOG_SETUP = Flag(
    ("--skip-log-setup",),
    "Leave logging to the locustfile.",
    LOGGING,
    FlagKind.SWITCH,
    env="LOCUST_SKIP_LOG_SETUP",
)

_USER_CLASSES = Flag(
    ("user_classes",),
    "User classes to run; all of the locustfile without it.",
    CLASSES,
    FlagKind.POSITIONAL,
    env="LOCUST_USER_CLASSES",
    metavar="UserClass",
)

RUN_FLAGS = (
    *_TEST_FLAGS,
    *_START_AND_END_FLAGS,
    *CLUSTER_FLAGS,
    *MASTER_SECURITY_FLAGS,
    *_TAG_FLAGS,
    *_RESULT_FLAGS,
    *LOGGING_FLAGS,
    _SKIP_LOG_SETUP,
    *GENERAL_FLAGS,
    _USER_CLASSES,
    *RETIRED_FLAGS,
)
"""Everything that `locust-master` takes."""
