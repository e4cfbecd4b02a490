"""`environment.parsed_options`: what the master sent, read with the same flags and the locustfile's own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence

from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.flag_parser import FlagParser
from locust_protocol.process.flag_tables import runner_parser
from locust_protocol.v1.assignment_pb2 import SecretArgument
from locust_runtime.events import Events


def parse_arguments(arguments: Sequence[str], secrets: Iterable[SecretArgument], events: Events) -> Namespace:
    """Return the options of a run, custom arguments of the locustfile included.

    This machine's environment and config files are not read: the master has read its own. Raises
    `UsageError` for what neither the flags nor the locustfile know.
    """
    parser = runner_parser()
    events.init_command_line_parser.fire(parser=parser)
    tokens = [_secret_token(parser, secret) for secret in secrets]
    return parse_flags(parser, [*tokens, *arguments], env={}).values


def _secret_token(parser: FlagParser, secret: SecretArgument) -> str:
    # As a token and not as a value, so that the argument's own type is applied, and `required` is met.
    for argument in parser.custom_arguments:
        if argument.action.dest == secret.name and argument.action.option_strings:
            return f"{argument.action.option_strings[-1]}={secret.value}"
    raise UsageError(f"the locustfile has no argument {secret.name!r}, for which a secret value was sent")
