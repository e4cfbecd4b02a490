"""Arguments that a locustfile adds: told apart from the command's own, from secrets, and described.

What travels to runners is a command line, not values, so that types, choices and actions are applied there
by the same code. Secret values go in a field of their own. A value that the locustfile takes from this
machine, as a default, is given too: other machines would find another one.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from locust_protocol.process.errors import UsageError
from locust_protocol.process.flag_parser import CustomArgument, FlagParser, TakenArgument
from locust_protocol.v1.assignment_pb2 import SecretArgument
from locust_protocol.v1.manifest_pb2 import CustomArgument as CustomArgumentMessage
from locust_protocol.v1.value_pb2 import Value
from locust_runtime.values import ValueRefused, to_value


@dataclass(frozen=True, slots=True)
class SplitArguments:
    """A parsed command line, in the parts that go different ways."""

    arguments: tuple[str, ...]
    """All of it but secrets."""
    secrets: tuple[tuple[str, str], ...]
    """Destination and value of each secret."""
    core_arguments: tuple[str, ...]
    """What the command itself understands."""


def split_arguments(parser: FlagParser, values: Namespace) -> SplitArguments:
    """Split what the parser has just parsed. Raises `UsageError` for a secret in a form that cannot travel.

    Each part, parsed again without environment and config files, gives the values that `values` has.
    """
    secret_actions = {each.action: each for each in parser.custom_arguments if each.secret}
    words = list(values.user_classes)
    arguments: list[str] = []
    secrets: list[tuple[str, str]] = []
    core: list[str] = []
    for taken in [*_taken_defaults(parser, values), *parser.taken_arguments]:
        if taken.action in secret_actions and taken.texts:
            secrets.append((taken.action.dest, _secret_text(taken)))
        elif not taken.name:
            words += taken.texts
        else:
            arguments += taken.tokens
            core += () if taken.is_custom else taken.tokens
    return SplitArguments(
        arguments=(*arguments, *_behind_dashes(words)),
        secrets=tuple(secrets),
        core_arguments=(*core, *_behind_dashes(values.user_classes)),
    )


def secret_messages(split: SplitArguments) -> list[SecretArgument]:
    """The secrets as messages."""
    return [SecretArgument(name=name, value=value) for name, value in split.secrets]


def describe(parser: FlagParser, values: Namespace) -> list[CustomArgumentMessage]:
    """The arguments that the locustfile added, for those who show a form; secret values are left out."""
    return [_describe(parser, each, values) for each in parser.custom_arguments]


def _taken_defaults(parser: FlagParser, values: Namespace) -> Iterator[TakenArgument]:
    """Arguments that were not given and have a value all the same, where a text can stand for it."""
    given = {each.action for each in parser.taken_arguments}
    # Giving one of these would exclude the one that was really given.
    exclusive = {each for group in parser._mutually_exclusive_groups for each in group._group_actions}
    for argument in parser.custom_arguments:
        action = argument.action
        value = getattr(values, action.dest, None)
        is_plain = type(action).__name__ == "_StoreAction" and action.nargs is None
        if action in given | exclusive or not is_plain or not action.option_strings or value is None:
            continue
        text = value if isinstance(value, str) else str(value)
        if _stands_for(parser, action, text, value):
            yield TakenArgument(action, str(action.option_strings[-1]), (text,), is_custom=True)


def _stands_for(parser: FlagParser, action: argparse.Action, text: str, value: Any) -> bool:
    try:
        # The two steps that the parser itself takes from a text to a value.
        parsed = parser._get_value(action, text)
        parser._check_value(action, parsed)
    except Exception:
        return False
    return type(parsed) is type(value) and bool(parsed == value)


def _secret_text(taken: TakenArgument) -> str:
    name = taken.name or taken.action.dest
    if not taken.name:
        raise UsageError(f"the secret argument {name!r} is a word", remedy=f"declare it as --{name}")
    if len(taken.texts) > 1:
        raise UsageError(
            f"the secret argument {name} takes several values at once",
            remedy='declare it with action="append" and give it several times',
        )
    return taken.texts[0]


def _behind_dashes(words: Sequence[str]) -> tuple[str, ...]:
    return ("--", *words) if words else ()


def _describe(parser: FlagParser, argument: CustomArgument, values: Namespace) -> CustomArgumentMessage:
    action = argument.action
    default = None if argument.secret else action.default
    current = None if argument.secret else getattr(values, action.dest, None)
    return CustomArgumentMessage(
        name=action.dest,
        flags=[str(each) for each in action.option_strings],
        help=_help_text(parser, argument),
        default_value=_value(None if default is argparse.SUPPRESS else default),
        current_value=_value(current),
        choices=[str(each) for each in action.choices or ()],
        is_secret=argument.secret,
        is_required=argument.required or action.required,
        is_multiple=argument.multiple or action.nargs in ("*", "+") or isinstance(action.nargs, int),
        include_in_web_ui=argument.shown_in_form,
    )


def _help_text(parser: FlagParser, argument: CustomArgument) -> str:
    text = argument.action.help
    if not text or text == argparse.SUPPRESS:
        return ""
    # A default in the help would show the secret.
    return text if argument.secret else parser._get_formatter()._expand_help(argument.action)


def _value(data: Any) -> Value:
    try:
        return to_value(data)
    except ValueRefused:
        return to_value(str(data))
