"""A wrong flag or value: one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.flag_parser import FlagParser
from locust_protocol.process.flag_tables import run_parser, tui_parser, worker_parser


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def refusal(parser: FlagParser, *argv: str) -> str:
    with pytest.raises(UsageError) as error:
        parse_flags(parser, argv, env={})
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["--userz", "5"], ["--userz", "did you mean --users?"]),
        (["--user", "5"], ["unknown option --user;", "did you mean --users?"]),
        (["--api-key", "SECRET"], ["unknown option --api-key"]),
        (["--api-key=SECRET"], ["unknown option --api-key;"]),
        (["-x"], ["unknown option -x", "--help"]),
        (["-u", "many"], ["--users", "'many'"]),
        (["-u", "-3"], ["--users", "-3 is below 0"]),
        (["-u"], ["--users", "expected one argument"]),
        (["-r", "0"], ["--spawn-rate", "above 0"]),
        (["--stages", "60s"], ["--stages", "'60s' is not TIME:USERS"]),
        (["--stages", "60s:5,later:3"], ["--stages", "'later' is not a time span"]),
        (["--stages", "5s:1,60s:-5"], ["--stages", "stage '60s:-5' is not TIME:USERS", "-5 is below 0"]),
        (["--step-users", "0"], ["--step-users", "0 is below 1"]),
        (["--step-time", "0"], ["--step-time", "0 is below 0.001 s"]),
        (["--max-names", "0"], ["--max-names", "0 is below 1"]),
        (["--on-worker-loss", "panic"], ["--on-worker-loss", "panic"]),
        (["-r", "nan"], ["--spawn-rate", "nan"]),
        (["-t", "soon"], ["--run-time", "'soon' is not a time span", "20m"]),
        (["--expect-workers", "0"], ["--expect-workers", "below 1"]),
        (["--processes", "0"], ["--processes", "one per usable core"]),
        (["--bind-port", "70000"], ["--bind-port", "70000 is above 65535"]),
        (["--lease-ttl", "1s"], ["--lease-ttl", "below 2 s"]),
        (["-L", "loud"], ["--loglevel", "LOUD"]),
        (["--headless=maybe"], ["--headless"]),
        (["--master-host", "h"], ["--master-host is an option of locust-worker and locust-tui"]),
        (["--csv", "out"], ["--csv", "not available yet"]),
        (["--slave"], ["--slave", "locust-worker"]),
        (["--expect-slaves", "3"], ["--expect-slaves", "--expect-workers"]),
    ],
)
def test_master_names_the_wrong_flag_or_value(argv: list[str], parts: list[str]) -> None:
    """A person sees at once which word to change."""
    text = refusal(run_parser(), *argv)

    for part in parts:
        assert part in text
    assert "SECRET" not in text


def test_worker_and_tui_name_what_they_do_not_take() -> None:
    """The commands share a line of the documentation, so people mix them up."""
    assert "--users is an option of locust-master, not of locust-worker" in refusal(
        worker_parser(), "--users", "5"
    )
    assert "unexpected argument 'Shop'" in refusal(worker_parser(), "Shop")
    assert "--stay is an option of locust-worker" in refusal(tui_parser(), "--stay")


def test_flags_without_effect_are_accepted_with_one_line_per_reason() -> None:
    """Command lines that were made for Locust go on working."""
    parsed = parse_flags(
        run_parser(), ["--web-host", "::1", "-P", "80", "--class-picker", "--enable-rebalancing"], env={}
    )

    assert len(parsed.warnings) == 3
    assert parsed.warnings[0].startswith("--web-host, --web-port has no effect")


def test_defaults_warn_of_nothing() -> None:
    """A plain start is quiet."""
    assert parse_flags(run_parser(), [], env={}).warnings == ()


@pytest.mark.parametrize("make_parser", [run_parser, worker_parser, tui_parser])
def test_help_shows_groups_examples_and_where_values_come_from(
    make_parser: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help is the first page of documentation that anyone reads."""
    assert callable(make_parser)
    with pytest.raises(SystemExit) as end:
        parse_flags(make_parser(), ["--help"], env={})

    text = capsys.readouterr().out
    assert end.value.code == 0
    for part in ("usage: locust-", "Examples:", "Logging:", "--config", "LOCUST_LOGLEVEL", "[tool.locust]"):
        assert part in text
    assert "--web-host" not in text


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The first question of every report of a fault."""
    with pytest.raises(SystemExit) as end:
        parse_flags(run_parser(), ["-V"], env={})

    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("locust-master ")
