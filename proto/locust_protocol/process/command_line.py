"""Makes a parser of flag tables, and parses with it.

Values are taken from the command line over the environment over a `--config` file over `[tool.locust]` of
pyproject.toml over ./locust.conf over ~/.locust.conf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from locust_protocol.process.config_files import ConfigFiles, UnknownKeys
from locust_protocol.process.flag_parser import FlagParser
from locust_protocol.process.flags import FlagKind, FlagTable, ParsedFlags

PRECEDENCE = (
    "Each option may also be set by its environment variable (in brackets) or in a config file: the\n"
    "command line wins over the environment, over --config, over [tool.locust] of pyproject.toml,\n"
    "over ./locust.conf, over ~/.locust.conf."
)


def build_parser(
    tables: Sequence[FlagTable],
    *,
    prog: str,
    description: str,
    examples: Sequence[str] = (),
    commands: Mapping[str, FlagTable] | None = None,
    unknown_keys: UnknownKeys = UnknownKeys.REFUSE,
    read_config_files: bool = True,
) -> FlagParser:
    """Return a parser for the tables' flags.

    `commands` are the flags of all commands by name: config keys of another one are passed over, and its
    flags are named as such when given here. With `read_config_files` off, `--config` is but a value.
    """
    commands = commands or {}
    flags = [flag for table in tables for flag in table]
    other_keys = {name.strip("-") for table in commands.values() for flag in table for name in flag.names}
    other_keys |= {
        flag.attribute.replace("_", "-")
        for table in commands.values()
        for flag in table
        if flag.kind is FlagKind.POSITIONAL
    }
    words = "".join(f" [{flag.metavar} ...]" for flag in flags if flag.kind is FlagKind.POSITIONAL)
    config_files = (
        ConfigFiles(other_keys=other_keys, unknown_keys=unknown_keys) if read_config_files else None
    )
    shown_examples = "Examples:\n\n" + "\n".join(f"    {example}" for example in examples) + "\n\n"
    parser = FlagParser(
        prog=prog,
        description=description,
        epilog=(shown_examples if examples else "") + PRECEDENCE,
        usage=f"{prog} [options]{words}",
        config_files=config_files,
        commands=commands,
    )
    for table in tables:
        parser.add_table(table)
    return parser


def parse_flags(parser: FlagParser, argv: Sequence[str], *, env: Mapping[str, str]) -> ParsedFlags:
    """Parse a whole command line. Raises `UsageError` for what is unknown or wrong, `SystemExit` for help."""
    values = parser.parse_args(list(argv), env_vars=env)
    return parser.parsed(values, ())


def parse_known_flags(parser: FlagParser, argv: Sequence[str], *, env: Mapping[str, str]) -> ParsedFlags:
    """Parse what the parser knows, and return the rest as `unknown`."""
    values, unknown = parser.parse_known_args(list(argv), env_vars=env)
    return parser.parsed(values, unknown)
