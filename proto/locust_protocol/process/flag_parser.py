"""The parser behind every command: ConfigArgParse, made to say one clear line when something is wrong.

It never prints a usage text and never exits on an error: it raises `UsageError`, which a command turns
into a line and exit code 2, and a script host into a message for its master. A locustfile gets it as the
`parser` of `init_command_line_parser` and adds arguments as it would with Locust.
"""

from __future__ import annotations

import argparse
import difflib
import os
import platform
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, NoReturn, TextIO

import configargparse

from locust_protocol.process.config_files import DEFAULT_CONFIG_FILES, ConfigFiles
from locust_protocol.process.errors import UsageError
from locust_protocol.process.flags import Flag, FlagKind, FlagTable, ParsedFlags, argument_options

_PLAIN_TRAITS = (True, False, False, False)


@dataclass(frozen=True, slots=True)
class CustomArgument:
    """An argument that a locustfile added, with the traits that a start form shows it by."""

    action: argparse.Action
    shown_in_form: bool
    secret: bool
    required: bool
    multiple: bool


@dataclass(frozen=True, slots=True)
class TakenArgument:
    """One argument as it was given: on the command line, in the environment or in a config file."""

    action: argparse.Action
    name: str
    """The name it was given by; empty for words without a flag."""
    texts: tuple[str, ...]
    """Its values, not yet converted."""
    is_custom: bool
    """Whether a locustfile added it."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The command line for it, in a form that no value can be mistaken in."""
        if self.name and len(self.texts) == 1:
            return (f"{self.name}={self.texts[0]}",)
        return (self.name, *self.texts) if self.name else self.texts


class FlagParser(configargparse.ArgumentParser):  # type: ignore[misc]
    """Parses one command's flags; made by `build_parser`."""

    def __init__(
        self,
        *,
        prog: str,
        description: str,
        epilog: str,
        usage: str,
        config_files: ConfigFiles | None,
        commands: Mapping[str, FlagTable],
    ) -> None:
        self._flag_by_action: dict[argparse.Action, Flag] = {}
        self._form_traits: dict[argparse.Action, tuple[bool, bool, bool, bool]] = {}
        self._tokens: list[str] = []
        self._met_names: deque[tuple[argparse.Action, str]] = deque()
        self._taken: list[TakenArgument] = []
        self._commands = commands
        self._config_files = config_files
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,
            formatter_class=configargparse.RawDescriptionHelpFormatter,
            default_config_files=list(DEFAULT_CONFIG_FILES) if config_files else [],
            config_file_parser_class=config_files,
            config_file_open_func=_open_config_file,
            add_config_file_help=False,
            add_env_var_help=False,
        )
        # Every flag of a table names a group; what is in none was added by a locustfile.
        self._optionals.title = "Arguments of the locustfile"

    @property
    def custom_arguments(self) -> Sequence[CustomArgument]:
        """The arguments that are not the command's own, in the order in which they were added."""
        return tuple(
            CustomArgument(action, *self._form_traits.get(action, _PLAIN_TRAITS))
            for action in self._actions
            if action not in self._flag_by_action
        )

    @property
    def taken_arguments(self) -> Sequence[TakenArgument]:
        """What the last parsing took, in order, wherever it came from; the command's own words aside."""
        return tuple(self._taken)

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add an argument of a locustfile: ConfigArgParse's options, and Locust's four about its form."""
        traits = (
            bool(options.pop("include_in_web_ui", True)),
            bool(options.pop("is_secret", False)),
            bool(options.pop("is_required", False)),
            bool(options.pop("is_multiple", False)),
        )
        action: argparse.Action = super().add_argument(*names, **options)
        self._form_traits[action] = traits
        return action

    def add_table(self, table: FlagTable) -> None:
        """Add a command's own flags, each in the group that it names."""
        groups = {group.title: group for group in self._action_groups}
        for flag in table:
            if flag.group not in groups:
                groups[flag.group] = self.add_argument_group(flag.group)
            options = dict(argument_options(flag))
            if flag.kind is FlagKind.VERSION:
                options["version"] = _version_text(self.prog)
            if flag.kind is FlagKind.CONFIG:
                options["is_config_file_arg"] = self._config_files is not None
            action = groups[flag.group].add_argument(*flag.names, **options)
            self._flag_by_action[action] = flag

    def parse_known_args(
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
        config_file_contents: str | None = None,
        env_vars: Mapping[str, str] = os.environ,
        ignore_help_args: bool = False,
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's; an environment variable that is empty counts as not set.

        Words that stand apart from the other positional ones are taken with them, which argparse refuses.
        """
        self._prepare_config_files()
        environment = {name: value for name, value in env_vars.items() if value}
        values, unknown = super().parse_known_args(
            args, namespace, config_file_contents, environment, ignore_help_args
        )
        positional = self._positional_flag()
        if positional is not None:
            words = list(getattr(values, positional.attribute))
            stray = [token for token in unknown if token != "--"]
            if not any(token.startswith("-") for token in stray):
                words, unknown = words + stray, []
            if not words:
                words = environment.get(positional.env, "").split() or self._configured_words()
                self._tokens += [*([] if "--" in self._tokens else ["--"]), *words] if words else []
            setattr(values, positional.attribute, words)
        return values, unknown

    def convert_item_to_command_line_arg(
        self, action: argparse.Action | None, key: str, value: str | list[str]
    ) -> list[str]:
        """As ConfigArgParse's, but a list that comes as text is its words."""
        flag = self._flag_by_action.get(action) if action is not None else None
        if flag is not None and flag.kind is FlagKind.LIST and isinstance(value, str):
            value = value.split()
        tokens: list[str] = super().convert_item_to_command_line_arg(action, key, value)
        return tokens

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with one line that names the flag, and where its value came from."""
        _, unrecognized, rest = message.partition("unrecognized arguments: ")
        if unrecognized:
            raise self._unknown_error(rest.split())
        if message.startswith("Unable to open config file") and isinstance(
            cause := sys.exception(), UsageError
        ):
            raise cause
        raise UsageError(message + self._source_note(message))

    def parsed(self, values: argparse.Namespace, unknown: Sequence[str]) -> ParsedFlags:
        """Return the result of the parsing that has just been done."""
        warnings = list(self._config_files.warnings) if self._config_files else []
        reasons: dict[str, list[str]] = {}
        for action, flag in self._flag_by_action.items():
            if flag.without_effect and getattr(values, action.dest) != action.default:
                reasons.setdefault(flag.without_effect, []).append(f"--{flag.key}")
        warnings += [f"{', '.join(names)} has no effect: {reason}" for reason, names in reasons.items()]
        return ParsedFlags(values, tuple(self._tokens), tuple(warnings), tuple(unknown))

    def _parse_known_args(self, arg_strings: list[str], *rest: Any, **options: Any) -> Any:
        # ConfigArgParse has put environment and config files among the arguments by now and shows the
        # result nowhere else.
        self._tokens = list(arg_strings)
        self._met_names.clear()
        self._taken.clear()
        return super()._parse_known_args(arg_strings, *rest, **options)

    def _parse_optional(self, arg_string: str) -> Any:
        # argparse asks this of every token first, in order; newer versions answer with a list.
        found = super()._parse_optional(arg_string)
        match = found[0] if isinstance(found, list) else found
        if match is not None and match[0] is not None:
            self._met_names.append((match[0], match[1]))
        return found

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        texts = tuple(arg_strings)  # before argparse takes a "--" out of the list
        values = super()._get_values(action, arg_strings)
        flag = self._flag_by_action.get(action)
        if action.option_strings:
            self._taken.append(TakenArgument(action, self._given_name(action), texts, flag is None))
        elif flag is None:
            self._taken.append(TakenArgument(action, "", tuple(arg_strings), is_custom=True))
        return values

    def _given_name(self, action: argparse.Action) -> str:
        if self._met_names and self._met_names[0][0] is action:
            return self._met_names.popleft()[1]
        # Behind the first letter of a group such as -vk, whose token names only the first action.
        return str(min(action.option_strings, key=len))

    def _prepare_config_files(self) -> None:
        if self._config_files is None:
            return
        files, flags = self._config_files, self._flag_by_action
        keys = {
            action: [key.strip("-") for key in self.get_possible_config_keys(action)]
            for action in self._actions
        }
        unused = [action for action, flag in flags.items() if not flag.in_config_files]
        files.own_keys = frozenset(key for action in keys for key in keys[action])
        files.unused_keys = frozenset(key for action in unused for key in keys[action])
        positional = self._positional_flag()
        files.positional_key = positional.attribute.replace("_", "-") if positional else ""
        files.positional_values = []
        files.warnings = []

    def _positional_flag(self) -> Flag | None:
        flags = self._flag_by_action.values()
        return next((flag for flag in flags if flag.kind is FlagKind.POSITIONAL), None)

    def _configured_words(self) -> list[str]:
        return list(self._config_files.positional_values) if self._config_files else []

    def _unknown_error(self, tokens: Sequence[str]) -> UsageError:
        """Name the first unknown flag; never a value, which may be a secret."""
        name = next((token.split("=")[0] for token in tokens if token.startswith("-")), "")
        if not name:
            return UsageError(f"unexpected argument '{tokens[0]}'", remedy=f"see {self.prog} --help")
        owners = [
            command
            for command, table in self._commands.items()
            if command != self.prog and any(name in flag.names for flag in table)
        ]
        if owners:
            return UsageError(f"{name} is an option of {' and '.join(owners)}, not of {self.prog}")
        visible = [a for a in self._actions if a.help != argparse.SUPPRESS]
        candidates = [
            option for action in visible for option in action.option_strings if option.startswith("--")
        ]
        close = difflib.get_close_matches(name, candidates, n=1) if name.startswith("--") else []
        remedy = f"did you mean {close[0]}?" if close else f"see {self.prog} --help"
        return UsageError(f"unknown option {name}", remedy=remedy)

    def _source_note(self, message: str) -> str:
        """Say which variable or file a refused value came from, when it was not the command line."""
        for source, settings in getattr(self, "_source_to_settings", {}).items():
            for key, (action, _) in settings.items():
                if action is None or not message.startswith(f"argument {'/'.join(action.option_strings)}:"):
                    continue
                if source == "environment_variables":
                    return f" (from {key})"
                if source.startswith("config_file|"):
                    return f" (from '{key}' in {source.partition('|')[2]})"
        return ""


def _open_config_file(path: str) -> TextIO:
    try:
        return open(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the config file {path}: {error.strerror or error}") from error


def _version_text(prog: str) -> str:
    try:
        version = metadata.version("locust-grpc")
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    return f"{prog} {version} (Python {platform.python_version()})"
