"""The master's settings from parsed flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from locust_master.losses import LossTerms, WorkerLossPolicy
from locust_master.run_options import Stage, StepLoad
from locust_master.settings import MasterSettings, locustfile_names, make_settings
from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.flag_tables import runner_parser
from locust_protocol.runner.v1 import link_pb2
from locust_protocol.v1 import assignment_pb2


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def settings(*argv: str, **command_line: object) -> MasterSettings:
    parsed = parse_flags(runner_parser(), argv, env={})
    return make_settings(parsed, link_pb2.CommandLine(**command_line))  # type: ignore[arg-type]


def test_defaults_are_those_of_the_documentation() -> None:
    """What a newcomer gets without a flag."""
    plain = settings()
    assert plain.locustfiles == ("locustfile.py",)
    assert (plain.options.users, plain.options.spawn_rate) == (1, 1.0)
    assert plain.options.run_time_s is None
    assert plain.options.host is None
    assert plain.bind_port == 5557
    assert (plain.expect_workers, plain.expect_runners, plain.expect_max_wait_s) == (1, 0, None)
    assert plain.processes is None
    assert plain.autoquit_s is None
    assert plain.lease_ttl_s == 10
    assert plain.exit_code_on_error == 1
    assert not plain.headless
    assert not plain.autostart


def test_flags_become_settings_with_their_units() -> None:
    """Seconds everywhere, whatever was typed."""
    made = settings(
        *("-f", "a.py, b.py", "-u", "5", "-r", "2.5", "-t", "1m30s", "-H", "http://x", "-s", "2s"),
        *("--headless", "--processes", "2", "--expect-workers-max-wait", "5s", "--autoquit", "0", "A", "B"),
    )
    assert made.locustfiles == ("a.py", "b.py")
    assert (made.options.users, made.options.spawn_rate, made.options.run_time_s) == (5, 2.5, 90.0)
    assert made.options.host == "http://x"
    assert made.options.user_classes == ("A", "B")
    assert (made.stop_timeout_s, made.processes, made.expect_max_wait_s, made.autoquit_s) == (2, 2, 5, 0)


@pytest.mark.parametrize(
    "argv",
    [
        ["--headless"],
        ["--autostart"],
        ["--autostart", "--autoquit", "5"],
        ["--headless", "--autoquit", "5"],
        ["-u", "0"],
    ],
)
def test_combinations_that_mean_something_are_taken(argv: list[str]) -> None:
    """Locust's users know them."""
    made = settings(*argv)
    assert made.headless is ("--headless" in argv)
    assert made.autostart is ("--autostart" in argv)
    assert made.autoquit_s == (5.0 if "--autoquit" in argv else None)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--headless", "--autostart"], "--headless and --autostart"),
        (["--autoquit", "0"], "--autoquit"),
        (["--autoquit", "5"], "--autoquit"),
        (["-u", "1000001"], "1000001 users"),
        (["-H", "example.com"], "example.com"),
        (["-r", "0.0000001"], "spawn rate"),
    ],
)
def test_combination_that_cannot_be_is_named(argv: list[str], said: str) -> None:
    """One line, exit code 2."""
    with pytest.raises(UsageError, match=said):
        settings(*argv)


def test_runners_are_told_what_the_locustfile_s_own_parser_left() -> None:
    """Secrets travel in a field of their own, never on a command line."""
    made = settings(
        "-H",
        "http://x",
        "-s",
        "2",
        arguments=["--tenant", "a"],
        secrets=[assignment_pb2.SecretArgument(name="token", value="s3cret")],
    )
    told = made.run_settings()
    assert list(told.arguments) == ["--tenant", "a"]
    assert [(each.name, each.value) for each in told.secret_arguments] == [("token", "s3cret")]
    assert told.host == "http://x"
    assert told.stop_timeout_ms == 2_000
    assert told.log_level == made.log_level


def test_absent_host_stays_absent_for_runners() -> None:
    """Each class then has its own."""
    assert not settings().run_settings().HasField("host")


def test_run_settings_are_made_anew_each_time() -> None:
    """A run that changes its own must not change the next one's."""
    made = settings("-H", "http://x")
    made.run_settings().host = "http://other"
    assert made.run_settings().host == "http://x"


@pytest.mark.parametrize(
    ("value", "names"), [("a.py", ("a.py",)), (" a , b,", ("a", "b")), ("", ()), (",", ())]
)
def test_locustfiles_stand_between_commas(value: str, names: tuple[str, ...]) -> None:
    """As with Locust."""
    assert locustfile_names(value) == names


@pytest.mark.parametrize(
    ("port", "command"), [(5557, "locust-worker"), (6000, "locust-worker --master-port 6000")]
)
def test_worker_command_names_the_port_when_it_is_not_the_usual_one(port: int, command: str) -> None:
    """The line can be copied as it is."""
    assert settings().worker_command(port) == command


@pytest.mark.parametrize(
    ("bind_host", "command"),
    [
        ("*", "locust-worker"),
        ("0.0.0.0", "locust-worker"),
        ("127.0.0.1", "locust-worker"),
        ("::", "locust-worker --master-host ::1"),
        ("[::1]", "locust-worker --master-host ::1"),
        ("10.0.0.5", "locust-worker --master-host 10.0.0.5"),
    ],
)
def test_worker_command_names_the_host_when_the_master_does_not_listen_on_the_usual_one(
    bind_host: str, command: str
) -> None:
    """A master on one address only is not reached by another; the embedded worker uses the same address."""
    assert settings("--bind-host", bind_host).worker_command(5557) == command


def test_stages_and_steps_become_users_over_time() -> None:
    """A profile without code."""
    staged = settings("--stages", "60s:100, 1m30s:100,0:0").options
    assert staged.stages == (Stage(60, 100), Stage(90, 100), Stage(0, 0))
    stepped = settings("-u", "30", "--step-load", "--step-users", "10", "--step-time", "1m").options
    assert stepped.step_load == StepLoad(10, 60)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--step-users", "10", "--step-time", "1m"), "--step-users and --step-time without --step-load"),
        (("--step-time", "1m"), "--step-time without --step-load"),
        (("--stages", "60s:1", "--step-load"), "--stages and --step-load exclude each other"),
    ],
)
def test_steps_that_would_be_ignored_are_refused(flags: tuple[str, ...], said: str) -> None:
    """A load that never climbs is found out an hour later."""
    with pytest.raises(UsageError, match=said):
        settings(*flags)


def test_step_load_without_its_steps_names_the_flags_that_lack() -> None:
    """Half of it given means that the rest was forgotten."""
    with pytest.raises(UsageError, match="--step-users and --step-time"):
        settings("-u", "30", "--step-load", "--step-users", "10")
    with pytest.raises(UsageError, match="add --users"):
        settings("--step-load", "--step-users", "10", "--step-time", "30s")


@pytest.mark.parametrize(
    ("given", "load_shape"), [((), None), (("--load-shape", "S"), "S"), (("--load-shape", "none"), "")]
)
def test_load_shape_may_be_named_or_refused(given: tuple[str, ...], load_shape: str | None) -> None:
    """A locustfile's load shape runs unless somebody says otherwise."""
    assert settings(*given).options.load_shape == load_shape


def test_terms_of_losses_are_taken_from_the_flags() -> None:
    """What becomes of a lost worker is decided before it is lost."""
    terms = settings("--on-worker-loss", "keep", "--allow-lost", "2").loss_terms
    assert terms == LossTerms(WorkerLossPolicy.KEEP, 2)
    assert settings().loss_terms == LossTerms()
