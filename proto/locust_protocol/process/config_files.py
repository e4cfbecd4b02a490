"""Reads locust.conf and TOML files for the flag parser, and judges their keys.

A file that ends in .toml is TOML, with the keys in `[tool.locust]` (or at the top, when it is not a
pyproject.toml); any other file is `key = value` lines, whatever else it might be valid as. Keys are flag
names, with dashes or underscores. One file serves all commands: keys that belong to another command are
passed over, and a key that belongs to none is refused by name where everything is known that could
declare it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from enum import Enum
from pathlib import PurePath
from typing import TextIO

import configargparse

DEFAULT_CONFIG_FILES = ("~/.locust.conf", "locust.conf", "pyproject.toml")
"""Files that are read when they exist, weakest first; a `--config` file is stronger than all of them."""

ConfigItems = dict[str, str | list[str]]


class UnknownKeys(Enum):
    """What a key means that no command knows."""

    REFUSE = "refuse"
    """It is a mistake: everything that could declare it has been loaded."""

    IGNORE = "ignore"
    """It may be an argument of a locustfile that this command does not load."""


class ConfigFiles(configargparse.ConfigFileParser):  # type: ignore[misc]
    """What ConfigArgParse asks to read one file; `own_keys` and its kin are set before each parsing."""

    def __init__(self, *, other_keys: Collection[str], unknown_keys: UnknownKeys) -> None:
        self._other_keys = frozenset(other_keys)
        self._unknown_keys = unknown_keys
        self.own_keys: frozenset[str] = frozenset()
        self.unused_keys: frozenset[str] = frozenset()
        self.positional_key = ""
        self.positional_values: list[str] = []
        self.warnings: list[str] = []

    def parse(self, stream: TextIO) -> ConfigItems:
        """Return the items of one file under this command's own names for them.

        Raises `ConfigFileParserException`, whose text becomes the one line that the caller sees.
        """
        path = str(getattr(stream, "name", "config file"))
        try:
            items = _toml_items(stream, path) if path.endswith(".toml") else _plain_items(stream)
        except UnicodeDecodeError as error:
            raise configargparse.ConfigFileParserException(f"{path} is not UTF-8 text: {error}") from error
        return {name: value for key, value in items.items() if (name := self._own_name(key, value, path))}

    def _own_name(self, key: str, value: str | list[str], path: str) -> str:
        """Return the name under which this command knows the key, or nothing when it has no use for it."""
        bare = key.strip("-")
        spellings = (bare, bare.replace("_", "-"), bare.replace("-", "_"))
        for name in spellings:
            if name in self.unused_keys:
                return ""
            if name in self.own_keys:
                return name
            if name == self.positional_key:
                # Files come strongest first, so the first to name classes wins.
                self.positional_values = self.positional_values or _words(value)
                return ""
        if self._other_keys.isdisjoint(spellings):
            self._meet_unknown_key(bare, path)
        return ""

    def _meet_unknown_key(self, key: str, path: str) -> None:
        close = difflib.get_close_matches(key.replace("_", "-"), self.own_keys, n=1, cutoff=0.75)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        if self._unknown_keys is UnknownKeys.REFUSE:
            raise configargparse.ConfigFileParserException(f"unknown key '{key}' in {path}{hint}")
        if hint:
            self.warnings.append(f"unknown key '{key}' in {path} is ignored{hint}")


def _plain_items(stream: TextIO) -> ConfigItems:
    items: ConfigItems = configargparse.DefaultConfigFileParser().parse(stream)
    return items


def _toml_items(stream: TextIO, path: str) -> ConfigItems:
    try:
        document = tomllib.loads(stream.read())
    except tomllib.TOMLDecodeError as error:
        raise configargparse.ConfigFileParserException(f"{path} is not valid TOML: {error}") from error
    tool = document.get("tool")
    section = tool.get("locust") if isinstance(tool, dict) else None
    if section is None:
        section = {} if PurePath(path).name == "pyproject.toml" else document
    if not isinstance(section, dict):
        raise configargparse.ConfigFileParserException(f"tool.locust in {path} is not a table")
    return {key: _toml_value(key, value, path) for key, value in section.items()}


def _toml_value(key: str, value: object, path: str) -> str | list[str]:
    if isinstance(value, Mapping):
        raise configargparse.ConfigFileParserException(f"'{key}' in {path} is a table, not a value")
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value)


def _words(value: str | list[str]) -> list[str]:
    return value.split() if isinstance(value, str) else [str(item) for item in value]
