"""Flags that every command has: help, version, config file, logging."""

from __future__ import annotations

from dataclasses import replace

from locust_protocol.process.flag_values import upper_case
from locust_protocol.process.flags import Flag, FlagKind

GENERAL = "General options"
LOGGING = "Logging"

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""What `--loglevel` takes, in capitals or not."""

HELP = Flag(("-h", "--help"), "Show this help and exit.", GENERAL, FlagKind.HELP, in_config_files=False)

VERSION = Flag(
    ("-V", "--version"), "Show the version and exit.", GENERAL, FlagKind.VERSION, in_config_files=False
)

CONFIG = Flag(
    ("--config",),
    "Config file to read beside ~/.locust.conf, ./locust.conf and pyproject.toml.",
    GENERAL,
    FlagKind.CONFIG,
    metavar="FILE",
    in_config_files=False,
)

LOGLEVEL = Flag(
    ("-L", "--loglevel"),
    "Least severe messages to log: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    LOGGING,
    env="LOCUST_LOGLEVEL",
    parse=upper_case,
    default="INFO",
    choices=LOG_LEVELS,
    metavar="LEVEL",
)

LOGFILE = Flag(
    ("--logfile",),
    "Write the log to this file instead of stderr.",
    LOGGING,
    env="LOCUST_LOGFILE",
    metavar="FILE",
)

GENERAL_FLAGS = (HELP, VERSION, CONFIG)

LOGGING_FLAGS = (LOGLEVEL, LOGFILE)

NOTED_HELP = replace(HELP, kind=FlagKind.SWITCH)
"""`-h` as a value: for a first look at a command line whose help needs the locustfile."""
