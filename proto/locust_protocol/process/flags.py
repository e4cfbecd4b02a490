"""Flags as data.

A table of `Flag` says all that there is to say about a command's flags, so that help, documentation,
environment variables, config files and the options of a locustfile come from the same place.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class FlagKind(Enum):
    """How a flag takes its value."""

    VALUE = "value"
    """One value; the last one given counts."""

    SWITCH = "switch"
    """No value; given means True."""

    OFF_SWITCH = "off switch"
    """No value; given means that its `dest` is False, whatever weaker sources say."""

    LIST = "list"
    """Any number of values behind the flag; as text (environment, config file) separated by spaces."""

    REPEATED = "repeated"
    """One value each time that the flag is given; all of them count."""

    POSITIONAL = "positional"
    """Words without a flag."""

    CONFIG = "config"
    """The path of a config file."""

    VERSION = "version"
    """Print the version and exit with 0."""

    HELP = "help"
    """Print the help and exit with 0."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a command. Where `dest` is empty it is made from the first long name, as argparse does."""

    names: tuple[str, ...]
    help: str
    group: str
    kind: FlagKind = FlagKind.VALUE
    dest: str = ""
    env: str = ""
    parse: Callable[[str], object] = str
    default: object = None
    metavar: str = ""
    choices: tuple[str, ...] = ()
    hidden: bool = False
    """Left out of the help."""

    in_config_files: bool = True
    """False where a config file that serves several commands means another one by this key."""

    without_effect: str = ""
    """Why the flag changes nothing; it is accepted then, with a warning that gives this reason."""

    refused: str = ""
    """What to do instead; giving the flag is an error then."""

    @property
    def key(self) -> str:
        """The name in config files: the first long name without its dashes."""
        long_names = [name for name in self.names if name.startswith("--")]
        return (long_names or list(self.names))[0].strip("-")

    @property
    def attribute(self) -> str:
        """The name of the value among the parsed options."""
        return self.dest or self.key.replace("-", "_")


FlagTable = Sequence[Flag]
"""The flags of one command or of one part of it, in the order of the help."""


@dataclass(frozen=True, slots=True)
class ParsedFlags:
    """What a command line, with environment and config files, came to."""

    values: argparse.Namespace
    tokens: tuple[str, ...]
    """The command line that gives the same values without environment and config files."""

    warnings: tuple[str, ...]
    """One line for each thing that was accepted and does nothing."""

    unknown: tuple[str, ...]
    """What nobody knew; always empty unless it was asked for."""


def argument_options(flag: Flag) -> Mapping[str, object]:
    """Return a flag as the keyword arguments of `add_argument`."""
    options: dict[str, object] = {"help": _help_text(flag)}
    if flag.kind in (FlagKind.HELP, FlagKind.VERSION):
        return options | {"action": flag.kind.value}
    if flag.kind is not FlagKind.POSITIONAL:
        options["dest"] = flag.attribute
        options["env_var"] = flag.env or None
    if flag.refused:
        return options | {"action": _refusal(flag.refused), "nargs": "?", "default": flag.default}
    if flag.kind is FlagKind.SWITCH:
        return options | {"action": "store_true", "default": bool(flag.default)}
    if flag.kind is FlagKind.OFF_SWITCH:
        return options | {"action": "store_false", "default": flag.default}
    options |= {"type": flag.parse, "metavar": flag.metavar or None, "default": flag.default}
    if flag.choices:
        options["choices"] = flag.choices
    if flag.kind is FlagKind.REPEATED:
        return options | {"action": "append", "default": []}
    if flag.kind is FlagKind.POSITIONAL:
        return options | {"nargs": "*", "default": []}
    if flag.kind is FlagKind.LIST:
        return options | {"nargs": "*"}
    return options


def _help_text(flag: Flag) -> str:
    if flag.hidden or flag.refused or flag.without_effect:
        return argparse.SUPPRESS
    notes = []
    if flag.default not in (None, "", False) and flag.kind is FlagKind.VALUE:
        notes.append(f"default {flag.default}")
    if flag.env:
        notes.append(flag.env)
    text = f"{flag.help} [{', '.join(notes)}]" if notes else flag.help
    return text.replace("%", "%%")


def _refusal(reason: str) -> type[argparse.Action]:
    class Refusal(argparse.Action):
        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: object,
            option_string: str | None = None,
        ) -> None:
            raise argparse.ArgumentError(self, reason)

    return Refusal
