"""The tables as data: names, variables and defaults that Locust's users rely on."""

from __future__ import annotations

import pytest

from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.flag_tables import COMMANDS, runner_parser
from locust_protocol.process.flags import Flag, FlagKind

ALL_FLAGS = [(command, flag) for command, table in COMMANDS.items() for flag in table]


@pytest.mark.parametrize(("command", "flag"), ALL_FLAGS, ids=lambda value: getattr(value, "key", value))
def test_every_flag_is_well_formed(command: str, flag: Flag) -> None:
    """Config keys come from long names, help from the table; a gap there would show only to users."""
    assert flag.kind is FlagKind.POSITIONAL or flag.names[-1].startswith("--")
    assert flag.help or flag.refused or flag.without_effect
    assert not flag.env or flag.env.startswith("LOCUST_")
    assert not flag.help or flag.help.endswith(".")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_name_or_variable_is_used_twice(command: str) -> None:
    """Two flags on one variable would both change."""
    names = [name for flag in COMMANDS[command] for name in flag.names]
    variables = [flag.env for flag in COMMANDS[command] if flag.env]

    assert len(names) == len(set(names))
    assert len(variables) == len(set(variables))


@pytest.mark.parametrize(
    ("name", "variable", "attribute", "default"),
    [
        ("-f", "LOCUST_LOCUSTFILE", "locustfile", "locustfile.py"),
        ("-H", "LOCUST_HOST", "host", None),
        ("-u", "LOCUST_USERS", "num_users", None),
        ("-r", "LOCUST_SPAWN_RATE", "spawn_rate", None),
        ("-t", "LOCUST_RUN_TIME", "run_time", None),
        ("-l", "", "list_commands", False),
        ("--headless", "LOCUST_HEADLESS", "headless", False),
        ("--autostart", "LOCUST_AUTOSTART", "autostart", False),
        ("--autoquit", "LOCUST_AUTOQUIT", "autoquit", -1),
        ("--expect-workers", "LOCUST_EXPECT_WORKERS", "expect_workers", 1),
        ("--expect-workers-max-wait", "LOCUST_EXPECT_WORKERS_MAX_WAIT", "expect_workers_max_wait", 0),
        ("--master-bind-host", "LOCUST_MASTER_BIND_HOST", "master_bind_host", "*"),
        ("--master-bind-port", "LOCUST_MASTER_BIND_PORT", "master_bind_port", 5557),
        ("--processes", "LOCUST_PROCESSES", "processes", None),
        ("-s", "LOCUST_STOP_TIMEOUT", "stop_timeout", 0),
        ("-T", "LOCUST_TAGS", "tags", None),
        ("-E", "LOCUST_EXCLUDE_TAGS", "exclude_tags", None),
        ("--only-summary", "LOCUST_ONLY_SUMMARY", "only_summary", False),
        ("--reset-stats", "LOCUST_RESET_STATS", "reset_stats", False),
        ("--logfile", "LOCUST_LOGFILE", "logfile", None),
        ("-L", "LOCUST_LOGLEVEL", "loglevel", "INFO"),
        ("--skip-log-setup", "LOCUST_SKIP_LOG_SETUP", "skip_log_setup", False),
        ("--exit-code-on-error", "LOCUST_EXIT_CODE_ON_ERROR", "exit_code_on_error", 1),
        ("user_classes", "LOCUST_USER_CLASSES", "user_classes", []),
        ("--csv", "LOCUST_CSV", "csv_prefix", None),
        ("--run-dir", "LOCUST_RUN_DIR", "run_dir", "./.locust-runs"),
        ("--extra-files", "LOCUST_EXTRA_FILES", "extra_files", []),
    ],
)
def test_run_flags_have_locusts_names_variables_attributes_and_defaults(
    name: str, variable: str, attribute: str, default: object
) -> None:
    """Scripts set the variables, locustfiles read the attributes."""
    flag = next(flag for flag in COMMANDS["locust-master"] if name in flag.names)

    assert (flag.env, flag.attribute) == (variable, attribute)
    assert getattr(parse_flags(runner_parser(), [], env={}).values, attribute) == default


@pytest.mark.parametrize("command", ["locust-worker", "locust-tui"])
def test_both_clients_find_the_master_by_the_same_variables(command: str) -> None:
    """One environment serves a whole machine."""
    variables = {flag.attribute: (flag.env, flag.default) for flag in COMMANDS[command]}

    assert variables["master_host"] == ("LOCUST_MASTER_NODE_HOST", "127.0.0.1")
    assert variables["master_port"] == ("LOCUST_MASTER_NODE_PORT", 5557)
