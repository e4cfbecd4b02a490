"""A real script host parses the command line of its master."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from locust_protocol.process.command_line import parse_flags
from locust_protocol.process.flag_tables import runner_parser
from locust_protocol.v1.assignment_pb2 import RunSettings, SecretArgument
from locust_protocol.v1.value_pb2 import Value
from tests.runtime.script_host.host_driver import HostDriver

Write = Callable[[str], Path]

ARGUMENTS = """
    import logging
    from locust import events, User

    print("imported", flush=True)

    class Other(User):
        pass

    @events.init_command_line_parser.add_listener
    def add(parser):
        parser.add_argument("--my-key", is_secret=True, env_var="MY_KEY", default="", help="The key.")
        parser.add_argument("--my-count", type=int, default=3, help="How many, %(default)s")
        parser.add_argument("--my-mode", choices=["a", "b"], include_in_web_ui=False, is_required=True)

    @events.init.add_listener
    def show(environment, **_):
        options, runner = environment.parsed_options, environment.runner
        names = [each.__name__ for each in environment.user_classes]
        shown = options.my_key, options.my_count, options.num_users, environment.host, names
        logging.info("shown %s %s %s %s %s", *shown)
        logging.info("runner %s", type(runner).__name__)
"""


def test_help_has_core_and_custom_arguments(host: HostDriver, locustfile: Write) -> None:
    """`--help` is where a team learns what its own locustfile takes."""
    host.import_locustfile(locustfile(ARGUMENTS))

    text = host.parse(help=True, program="locust-master").help

    assert "usage: locust-master [options] [UserClass ...]" in text
    assert "--spawn-rate" in text
    assert "--my-count MY_COUNT" in text
    assert "How many, 3" in text


def test_command_line_is_merged_from_all_sources_and_split(start_directory: Path, locustfile: Write) -> None:
    """Environment and config files count from where the master was started; the secret goes its own way."""
    folder = locustfile(ARGUMENTS)
    (folder / "locust.conf").write_text("users = 99\n")
    (start_directory / "locust.conf").write_text("users = 7\nmy-count = 4\n")
    with HostDriver(start_directory, {"LOCUST_SPAWN_RATE": "2", "MY_KEY": "hush"}) as host:
        host.import_locustfile(folder)

        answer = host.parse("--my-mode", "b", "-H", "http://x", "Shop")

        assert answer.error == ""
        assert "hush" not in " ".join(answer.arguments)
        assert [(each.name, each.value) for each in answer.secrets] == [("my_key", "hush")]
        core = parse_flags(runner_parser(), answer.core_arguments, env={}).values
        assert (core.num_users, core.spawn_rate, core.host, core.user_classes) == (7, 2, "http://x", ["Shop"])
        settings = RunSettings(
            arguments=answer.arguments,
            secret_arguments=answer.secrets,
            host="http://x",
            user_classes=["Shop"],
            log_level="INFO",
        )
        host.load_master(folder, settings)
        host.wait_for_log("shown hush 4 7 http://x ['Shop']")
        host.wait_for_log("runner MasterRunner")


def test_wrong_values_are_one_line_and_the_exit_code(host: HostDriver, locustfile: Write) -> None:
    """The master prints it and ends; a typo in a locustfile's own flag is no different."""
    host.import_locustfile(locustfile(ARGUMENTS))

    assert (answer := host.parse("--my-count", "many")).exit_code == 2
    assert answer.error == "argument --my-count: invalid int value: 'many'"
    assert host.parse("--my-kount", "3").error == "unknown option --my-kount; did you mean --my-count?"
    assert host.parse("--my-count", "3").error == ""


def test_listener_that_raises_names_file_and_line(host: HostDriver, locustfile: Write) -> None:
    """Without its arguments the command line cannot be judged."""
    host.import_locustfile(
        locustfile("""
            from locust import events
            @events.init_command_line_parser.add_listener
            def add(parser):
                parser.add_argument("--x", nope=1)
        """)
    )
    host.send(parse_command_line={"arguments": []})

    failed = host.next("load_failed")

    assert (failed.file, failed.line) == ("locustfile.py", 5)
    assert "nope" in failed.message
    assert host.wait_for_exit() == 2


def test_manifest_describes_custom_arguments_and_hides_secrets(host: HostDriver, locustfile: Write) -> None:
    """A start form is made of it."""
    settings = RunSettings(
        arguments=["--my-count=9", "--my-mode=a"],
        secret_arguments=[SecretArgument(name="my_key", value="hush")],
    )

    manifest = host.load_master(locustfile(ARGUMENTS), settings).manifest

    key, count, mode = manifest.custom_arguments
    assert "hush" not in str(manifest)
    assert (key.name, list(key.flags), key.is_secret) == ("my_key", ["--my-key"], True)
    assert key.current_value == Value(null_value=True)
    assert (count.default_value, count.current_value) == (Value(int_value=3), Value(int_value=9))
    assert count.help == "How many, 3"
    assert (list(mode.choices), mode.is_required, mode.include_in_web_ui) == (["a", "b"], True, False)
    assert [each.name for each in manifest.user_classes] == ["Other", "Shop"]


def test_locustfile_is_imported_once_for_two_loads(start_directory: Path, locustfile: Write) -> None:
    """What it does at import, such as reserving an account, must not happen twice."""
    folder = locustfile("""
        from pathlib import Path
        with Path("imports").open("a") as file:
            file.write("x")
    """)
    with HostDriver(start_directory) as host:
        host.import_locustfile(folder)
        answer = host.parse()
        host.load_master(folder, RunSettings(arguments=answer.arguments))

    assert (folder / "imports").read_text() == "x"


def test_locustfile_that_raises_at_import_is_told(host: HostDriver, locustfile: Write) -> None:
    """The master says the line and ends."""
    host.import_locustfile(locustfile("import time\nraise RuntimeError('no database')"))

    failed = host.next("load_failed")

    assert (failed.file, failed.line) == ("locustfile.py", 2)
    assert failed.message == "RuntimeError: no database"
    assert host.wait_for_exit() == 2


def test_init_listener_that_raises_is_told(host: HostDriver, locustfile: Write) -> None:
    """`init` is fatal, as in Locust."""
    folder = locustfile("""
        from locust import events
        @events.init.add_listener
        def init(environment, **_):
            raise KeyError("token")
    """)
    host.import_locustfile(folder)
    host.load(folder, role=2)

    assert host.next("load_failed").line == 5
    assert host.wait_for_exit() == 2
