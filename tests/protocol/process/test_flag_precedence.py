"""Where the value of a flag comes from: command line, environment, config files, in this order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from locust_protocol.process.command_line import parse_flags, parse_known_flags
from locust_protocol.process.errors import UsageError
from locust_protocol.process.flag_tables import first_look_parser, run_parser, runner_parser, worker_parser

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Work in an empty folder with an empty home, and write files there."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def master(*argv: str, **env: str):  # type: ignore[no-untyped-def]
    return parse_flags(run_parser(), argv, env=env).values


def test_each_source_wins_over_the_weaker_ones(write: Write) -> None:
    """The order that Locust's users know."""
    sources: list[tuple[str, str, str]] = [
        ("home/.locust.conf", "users = 1\n", ""),
        ("locust.conf", "users = 2\n", ""),
        ("pyproject.toml", "[tool.locust]\nusers = 3\n", ""),
        ("given.conf", "users: 4\n", "--config=given.conf"),
    ]
    argv: list[str] = []
    assert master().num_users is None
    for expected, (name, text, flag) in enumerate(sources, start=1):
        write(name, text)
        argv += [flag] if flag else []
        assert master(*argv).num_users == expected
    assert master(*argv, LOCUST_USERS="5").num_users == 5
    assert master(*argv, "-u", "6", LOCUST_USERS="5").num_users == 6
    assert master(*argv, "-u7", LOCUST_USERS="5").num_users == 7


def test_toml_keys_may_have_underscores(write: Write) -> None:
    """TOML's own habit; ConfigArgParse alone would call the key unknown."""
    write("pyproject.toml", '[tool.locust]\nspawn_rate = 2.5\nheadless = true\ntags = ["a", "b"]\n')

    values = master()

    assert (values.spawn_rate, values.headless, values.tags) == (2.5, True, ["a", "b"])


def test_locust_conf_counts_even_when_it_is_valid_toml(write: Write) -> None:
    """`users = 5` is TOML too; it must not be looked up in a section that is not there."""
    write("locust.conf", 'users = 5\nhost = "http://shop.test"\n')

    values = master()

    assert (values.num_users, values.host) == (5, "http://shop.test")


def test_pyproject_without_our_section_is_passed_over(write: Write) -> None:
    """Nearly every Python project has one."""
    write("pyproject.toml", "[project]\nname = 'x'\n[tool.other]\nusers = 9\n")

    assert master().num_users is None


def test_toml_config_file_may_have_its_keys_at_the_top(write: Write) -> None:
    """A file given by name is all ours; ignoring it in silence would start another test."""
    write("load.toml", "users = 8\n")

    assert master("--config", "load.toml").num_users == 8


def test_unknown_key_is_refused_by_name_with_a_suggestion(write: Write) -> None:
    """A typo in a file must not quietly run with the default."""
    write("locust.conf", "userz = 5\n")

    with pytest.raises(UsageError, match=r"unknown key 'userz' in locust\.conf; did you mean 'users'\?"):
        master()


def test_keys_of_the_other_commands_are_accepted(write: Write) -> None:
    """One file serves all commands."""
    write("locust.conf", "users = 5\nmaster-host = 10.0.0.5\nreconnect_timeout = 20s\nonce = true\n")

    assert master().num_users == 5
    worker = parse_flags(worker_parser(), [], env={}).values
    assert (worker.master_host, worker.reconnect_timeout) == ("10.0.0.5", 20)


def test_worker_passes_over_arguments_of_a_locustfile_but_hints_at_typos(write: Write) -> None:
    """A worker does not load the locustfile that knows them."""
    write("locust.conf", "api-key = secret\nproceses = 3\n")

    parsed = parse_flags(worker_parser(), [], env={})

    assert parsed.values.processes == -1
    assert parsed.warnings == ("unknown key 'proceses' in locust.conf is ignored; did you mean 'processes'?",)


def test_worker_takes_no_locustfile_from_a_shared_config_file(write: Write) -> None:
    """There it means the master's, which the master sends."""
    write("locust.conf", "locustfile = shop.py\n")

    assert parse_flags(worker_parser(), [], env={}).values.locustfile is None
    assert parse_flags(worker_parser(), ["-f", "own.py"], env={}).values.locustfile == "own.py"
    assert master().locustfile == "shop.py"


@pytest.mark.parametrize("text", ["[tool.locust\n", "[tool.locust]\nusers = \n"])
def test_broken_toml_names_the_file(write: Write, text: str) -> None:
    """One line that says which file to open."""
    write("pyproject.toml", text)

    with pytest.raises(UsageError, match=r"pyproject\.toml is not valid TOML"):
        master()


def test_config_file_that_is_not_there_is_named(write: Write) -> None:
    """A given file that is ignored would start another test."""
    with pytest.raises(UsageError, match=r"cannot read the config file nowhere\.conf: No such file"):
        master("--config", "nowhere.conf")


def test_config_file_that_cannot_be_read_is_named(write: Write, tmp_path: Path) -> None:
    """A file that is found without being given fails as clearly as one that is."""
    (tmp_path / "locust.conf").mkdir()

    with pytest.raises(UsageError, match=r"cannot read the config file locust\.conf: Is a directory"):
        master()


def test_config_file_that_is_no_text_is_named(write: Write) -> None:
    """A picture given by mistake is the user's error, not a crash."""
    write("locust.conf", "").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(UsageError, match=r"locust\.conf is not UTF-8"):
        master()


@pytest.mark.parametrize(
    ("env", "file", "where"),
    [({"LOCUST_USERS": "many"}, "", "LOCUST_USERS"), ({}, "users = many\n", r"'users' in locust\.conf")],
)
def test_wrong_value_names_the_source_it_came_from(
    write: Write, env: dict[str, str], file: str, where: str
) -> None:
    """Nobody finds a wrong value on a command line that does not hold it."""
    write("locust.conf", file)

    with pytest.raises(UsageError, match=rf"--users: 'many' is not a whole number \(from {where}\)"):
        master(**env)


def test_switches_can_be_turned_off_by_a_stronger_source(write: Write) -> None:
    """A config file for CI is used at a desk too."""
    write("locust.conf", "headless = true\n")

    assert master().headless is True
    assert master("--headful").headless is False
    assert master(LOCUST_HEADFUL="1").headless is False
    assert master(LOCUST_HEADLESS="false").headless is False


def test_empty_environment_variable_counts_as_not_set(write: Write) -> None:
    """Container files often define variables without a value."""
    assert master(LOCUST_USERS="", LOCUST_HEADLESS="").num_users is None


def test_lists_come_from_every_source(write: Write) -> None:
    """Tags and files: several values, in the notation of each source."""
    assert master("--tags", "a", "b").tags == ["a", "b"]
    assert master(LOCUST_TAGS="a b").tags == ["a", "b"]
    assert master("--extra-files", "*.csv", "--extra-files", "d/*").extra_files == ["*.csv", "d/*"]
    write("locust.conf", "exclude-tags = [slow, broken]\nextra-files = *.csv\n")
    assert master().exclude_tags == ["slow", "broken"]
    assert master().extra_files == ["*.csv"]


def test_user_classes_come_from_command_line_environment_or_file(write: Write) -> None:
    """They have no flag, and the same precedence."""
    write("locust.conf", "user-classes = A B\n")
    assert master().user_classes == ["A", "B"]
    assert master(LOCUST_USER_CLASSES="C D").user_classes == ["C", "D"]
    assert master("E", "-u", "5", "F", LOCUST_USER_CLASSES="C").user_classes == ["E", "F"]


def test_tokens_give_a_runner_the_same_values_without_environment_and_files(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runners are on other machines, whose environment must not change the run."""
    write("locust.conf", "spawn_rate = 3\ntags = [a, b]\nuser-classes = Shop\n")
    write("more.conf", "stop-timeout = 5s\n")
    parsed = parse_flags(run_parser(), ["--config", "more.conf", "-t", "1m"], env={"LOCUST_USERS": "9"})

    elsewhere = write("home/x", "").parent
    monkeypatch.chdir(elsewhere)
    runner = parse_flags(runner_parser(), parsed.tokens, env={})

    assert runner.values == parsed.values
    assert runner.values.user_classes == ["Shop"]


def test_first_look_finds_the_locustfile_and_leaves_the_rest(write: Write) -> None:
    """Flags that only the locustfile knows must not be taken for anything."""
    write("locust.conf", "locustfile = shop.py\napi_key = secret\n")

    parsed = parse_known_flags(first_look_parser(), ["--api-key", "SECRET", "-u", "5", "-h"], env={})

    assert parsed.values.locustfile == "shop.py"
    assert parsed.values.help is True
    assert parsed.unknown == ("--api-key", "SECRET", "-u", "5")


@pytest.mark.parametrize("key", ["my_arg", "my-arg"])
@pytest.mark.parametrize("flag", ["--my_arg", "--my-arg"])
def test_argument_of_a_locustfile_has_the_same_sources(write: Write, key: str, flag: str) -> None:
    """Custom arguments are set in config files and by environment too, with either spelling."""
    write("locust.conf", f"{key} = from-file\n")
    parser = run_parser()
    parser.add_argument(flag, env_var="MY_ARG", default="none", is_secret=True)

    assert parse_flags(parser, [], env={}).values.my_arg == "from-file"
    assert parse_flags(parser, [], env={"MY_ARG": "from-env"}).values.my_arg == "from-env"
    assert parse_flags(parser, [f"{flag}=given"], env={"MY_ARG": "x"}).values.my_arg == "given"
    assert [(a.action.dest, a.secret) for a in parser.custom_arguments] == [("my_arg", True)]
    assert flag in parser.format_help()
