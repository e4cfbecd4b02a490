"""A command line with a locustfile's arguments, split: what goes where, and that nothing is lost."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.flag_parser import FlagParser
from locust_protocol.process.flag_tables import runner_parser
from locust_protocol.v1.assignment_pb2 import SecretArgument
from locust_runtime.events import Events
from locust_runtime.run.options import parse_arguments
from locust_runtime.script_host.arguments import SplitArguments, describe, split_arguments

Listener = Callable[..., None]


def add_arguments(parser: FlagParser, **_: Any) -> None:
    """What a locustfile might add, of every form."""
    parser.add_argument("--plain", default="x")
    parser.add_argument("-k", "--api-key", is_secret=True)
    parser.add_argument("--pin", type=int, is_secret=True, action="append")
    parser.add_argument("-n", "--count", type=int, default=3)
    parser.add_argument("-v", "--verbose", action="count", default=0)
    parser.add_argument("--many", nargs="+", type=float)
    parser.add_argument("--maybe", nargs="?", const="given")
    parser.add_argument("--cache", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--pair", nargs=2)
    parser.add_argument("--each", action="append", choices=["a", "b"])


def parse(argv: list[str], *, env: dict[str, str] | None = None) -> tuple[FlagParser, argparse.Namespace]:
    parser = runner_parser()
    add_arguments(parser)
    return parser, parse_flags(parser, argv, env=env or {}).values


def split(argv: list[str], *, env: dict[str, str] | None = None) -> SplitArguments:
    return split_arguments(*parse(argv, env=env))


def as_a_runner(parts: SplitArguments, listener: Listener = add_arguments) -> argparse.Namespace:
    """Parse as a runner does."""
    events = Events()
    events.init_command_line_parser.add_listener(listener)
    secrets = [SecretArgument(name=name, value=value) for name, value in parts.secrets]
    return parse_arguments(parts.arguments, secrets, events)


words = st.text("abz 1=,-", min_size=1, max_size=6).filter(lambda text: not text.startswith("-"))
numbers = st.integers(-99, 99).map(str)
texts = st.one_of(words, st.just(""), st.just("--"), words.map("-".__add__))

custom = st.one_of(
    texts.map(lambda text: [f"--plain={text}"]),
    words.map(lambda text: ["--plain", text]),
    texts.map(lambda text: [f"--api-key={text}"]),
    words.map(lambda text: ["-k", text]),
    words.map(lambda text: [f"-k{text}"]),
    words.map(lambda text: [f"-vvk{text}"]),
    st.tuples(words, words).map(lambda pair: ["-vk", pair[0], "--cache", "--api-key", pair[1]]),
    numbers.map(lambda text: ["--pin", text]),
    numbers.map(lambda text: ["-n", text]),
    st.lists(numbers, min_size=1, max_size=3).map(lambda each: ["--many", *each]),
    st.sampled_from([["--maybe"], ["--maybe=x"], ["-v"], ["-vv"], ["--cache"], ["--no-cache"]]),
    st.tuples(words, words).map(lambda pair: ["--pair", *pair]),
    st.sampled_from(["a", "b"]).map(lambda text: ["--each", text]),
)
core = st.one_of(
    numbers.filter(lambda text: int(text) >= 0).map(lambda text: ["-u", text]),
    st.sampled_from([["--headless"], ["--headful"], ["-r2.5"], ["--run-time", "1m"]]),
    st.lists(words, max_size=3).map(lambda each: ["--tags", *each]),
    words.map(lambda text: ["--extra-files", text]),
    texts.map(lambda text: [f"--host={text}"]),
)


@given(groups=st.lists(st.one_of(custom, core), max_size=8), classes=st.lists(words, max_size=3))
def test_parts_give_runner_and_master_the_same_values(groups: list[list[str]], classes: list[str]) -> None:
    """What a runner and the master parse is what the person wrote, in whatever form and order."""
    argv = [token for group in groups for token in group] + (["--", *classes] if classes else [])
    parser, values = parse(argv)

    parts = split_arguments(parser, values)

    assert as_a_runner(parts) == values
    of_the_master = vars(parse_flags(runner_parser(), parts.core_arguments, env={}).values)
    own = {argument.action.dest for argument in parser.custom_arguments}
    assert of_the_master == {name: value for name, value in vars(values).items() if name not in own}


@given(secret=st.text("xyz-= ", min_size=1, max_size=6).map("S3CRET".__add__), count=numbers)
def test_secret_values_are_among_the_secrets_only(secret: str, count: str) -> None:
    """Arguments are logged and stored; secrets are not."""
    for form in ([f"--api-key={secret}"], ["-k", secret], [f"-vk{secret}"]):
        parts = split([*form, "-n", count, "--", "Shop"])

        assert parts.secrets == (("api_key", secret),)
        assert "S3CRET" not in " ".join(parts.arguments + parts.core_arguments)


def test_value_that_the_locustfile_takes_from_this_machine_is_given_to_runners() -> None:
    """`default=os.environ.get("KEY")` finds nothing on another machine."""

    def here(parser: FlagParser, **_: Any) -> None:
        parser.add_argument("--region", default="eu", choices=["eu", "us"])
        parser.add_argument("--token", default="from here", is_secret=True)
        parser.add_argument("--size", type=int, default=5)
        parser.add_argument("--odd", type=int, default=None)
        parser.add_argument("--thing", default=object)

    def there(parser: FlagParser, **_: Any) -> None:
        for name in ("--region", "--token", "--odd", "--thing"):
            parser.add_argument(name, is_secret=name == "--token")
        parser.add_argument("--size", type=int)

    parser = runner_parser()
    here(parser)
    parts = split_arguments(parser, parse_flags(parser, [], env={}).values)

    assert parts.secrets == (("token", "from here"),)
    assert parts.core_arguments == ()
    values = as_a_runner(parts, there)
    assert (values.region, values.token, values.size, values.odd) == ("eu", "from here", 5, None)


def test_words_on_both_sides_of_the_dashes_are_all_classes() -> None:
    """Scripts put fixed classes in front and the caller's behind."""
    assert split(["Shop", "-u", "5", "--", "Cart"]).core_arguments == ("-u=5", "--", "Shop", "Cart")


def test_default_of_an_exclusive_group_is_not_given() -> None:
    """It would exclude the argument that was really given."""

    def add(parser: FlagParser, **_: Any) -> None:
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--file", default="a.csv")
        group.add_argument("--url")

    parser = runner_parser()
    add(parser)
    parts = split_arguments(parser, parse_flags(parser, ["--url", "x"], env={}).values)

    assert parts.arguments == ("--url=x",)
    assert as_a_runner(parts, add).file == "a.csv"


@pytest.mark.parametrize(
    ("names", "options", "argv", "message"),
    [
        (["--keys"], {"nargs": "+"}, ["--keys", "a", "b"], "--keys takes several values at once"),
        (["key"], {}, ["A", "a"], "'key' is a word; declare it as --key"),
    ],
)
def test_secret_that_cannot_travel_is_refused(
    names: list[str], options: dict[str, Any], argv: list[str], message: str
) -> None:
    """Better one clear line than a secret in a log or half of one in a runner."""
    parser = runner_parser()
    parser.add_argument(*names, is_secret=True, **options)
    values = parse_flags(parser, argv, env={}).values

    with pytest.raises(UsageError, match=message):
        split_arguments(parser, values)


def test_description_has_what_a_form_needs() -> None:
    """Types stay; what is no plain data is shown as text."""
    parser = runner_parser()
    parser.add_argument("--flag", action="store_true", help="On or off.")
    parser.add_argument("--listed", nargs="*", default=["a"], help=argparse.SUPPRESS)
    parser.add_argument("--odd", default=complex(1, 2), is_multiple=True, required=True)
    values = parse_flags(parser, ["--flag", "--odd", "x"], env={}).values

    flag, several, odd = describe(parser, values)

    assert (flag.default_value.bool_value, flag.current_value.bool_value) == (False, True)
    assert flag.help == "On or off."
    assert [each.string_value for each in several.current_value.list_value.values] == ["a"]
    assert (several.is_multiple, several.help) == (True, "")
    assert (odd.default_value.string_value, odd.is_required, odd.is_multiple) == ("(1+2j)", True, True)
