"""The command line as scripts reach it that run without the commands (`run_single_user`, library use).

It has the options of a run, so that `parsed_options` has the same attributes as in a run, and those that a
locustfile adds. Most of them do nothing here.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from locust_protocol.process.command_line import parse_known_flags
from locust_protocol.process.flag_parser import FlagParser
from locust_protocol.process.flag_tables import run_parser
from locust_runtime.locustfile_events import events

LocustArgumentParser = FlagParser
"""The type of the `parser` that `init_command_line_parser` gets."""


def get_parser(default_config_files: object = None) -> FlagParser:
    """A parser with the options of a run and those of the locustfile's listeners."""
    parser = run_parser()
    events.init_command_line_parser.fire(parser=parser)
    return parser


def parse_options(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of this process, or of `args`; what nobody knows is ignored. Raises UsageError."""
    argv = sys.argv[1:] if args is None else args
    return parse_known_flags(get_parser(), argv, env=os.environ).values
