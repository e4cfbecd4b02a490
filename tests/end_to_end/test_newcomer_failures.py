"""What a newcomer meets: one clear line with the remedy, the right exit code, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import BIN
from tests.support.ports import free_port
from tests.support.processes import Command

pytestmark = pytest.mark.end_to_end

GOOD = """
from locust import HttpUser, task
class Shopper(HttpUser):
    @task
    def index(self):
        self.client.get("/")
"""

EXIT_DEADLINE_S = 60.0


def run_master(folder: Path, *arguments: str, locustfile: str | None = GOOD) -> tuple[int, str, str]:
    """Runs a master to its end in a folder with a locustfile; returns exit code, stdout and stderr."""
    if locustfile is not None:
        (folder / "locustfile.py").write_text(locustfile)
    port = ("--bind-host", "127.0.0.1", "--bind-port", str(free_port()))
    with Command([str(BIN / "locust-master"), *port, *arguments], cwd=folder) as master:
        code = master.wait_for_exit(deadline_s=EXIT_DEADLINE_S)
        return code, master.stdout(), master.stderr()


def assert_one_line(text: str, *parts: str) -> None:
    lines = [line for line in text.splitlines() if "error" in line]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    for part in parts:
        assert part in lines[0], text


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--user", "5"), ("--user", "--users")),
        (("-u", "many"), ("--users", "many")),
        (("-t", "soon"), ("--run-time", "soon")),
        (("-r", "0"), ("--spawn-rate", "0")),
        (("--headless", "--processes", "1", "-u", "1", "-t", "1s", "Nobody"), ("Nobody", "Shopper")),
        (("--headless", "-t", "1s"), ("Shopper", "--host")),
        (("-H", "shop.test"), ("shop.test", "http://")),
        (("-f", "missing.py"), ("missing.py", "-f")),
        (("--headless", "--autostart"), ("--headless", "--autostart")),
    ],
)
def test_master_names_what_is_wrong_and_exits_2(
    tmp_path: Path, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    """A slip on the command line costs one line to read."""
    code, stdout, stderr = run_master(tmp_path, *arguments)
    assert code == 2, stderr
    assert stdout == ""
    assert_one_line(stderr, *parts)


@pytest.mark.parametrize(
    ("locustfile", "parts"),
    [
        ("import nothing_of_that_name\n", ("locustfile.py:1", "nothing_of_that_name")),
        ("x = 1\n\nraise ValueError('boom')\n", ("locustfile.py:3", "boom")),
        ("def f(:\n", ("locustfile.py:1",)),
        ("x = 1\n", ("no User class", "locustfile.py")),
    ],
)
def test_master_names_file_and_line_of_a_bad_locustfile(
    tmp_path: Path, locustfile: str, parts: tuple[str, ...]
) -> None:
    """The place of the fault is what its author needs."""
    code, _, stderr = run_master(tmp_path, "--headless", "--processes", "1", locustfile=locustfile)
    assert code == 2, stderr
    assert_one_line(stderr, *parts)


def test_master_without_locustfile_says_how_to_name_one(tmp_path: Path) -> None:
    """The very first thing that many people do."""
    code, _, stderr = run_master(tmp_path, locustfile=None)
    assert code == 2
    assert_one_line(stderr, "locustfile.py", "-f")


def test_headless_master_without_worker_says_what_to_start_and_gives_up(tmp_path: Path) -> None:
    """A run that never began is degraded, not fine."""
    code, _, stderr = run_master(
        tmp_path, "--headless", "-H", "http://127.0.0.1:1", "--expect-workers-max-wait", "7"
    )
    assert code == 3, stderr
    assert "locust-worker --master-port" in stderr
    assert "0 of 1 workers" in stderr
    assert "Traceback" not in stderr


def test_worker_without_master_keeps_trying_and_ends_on_interrupt(tmp_path: Path) -> None:
    """Workers may be started before their master; they say whom they look for."""
    argv = [str(BIN / "locust-worker"), "--master-port", str(free_port()), "--processes", "1"]
    with Command(argv, cwd=tmp_path) as worker:
        worker.wait_for_line(r"no answer from 127\.0\.0\.1", deadline_s=EXIT_DEADLINE_S)
        assert worker.stop(deadline_s=EXIT_DEADLINE_S) == 0
        assert "Traceback" not in worker.output()


@pytest.mark.parametrize("command", ["locust-master", "locust-worker", "locust-tui"])
def test_commands_tell_version_and_help_with_examples(tmp_path: Path, command: str) -> None:
    """Help answers before there is a locustfile."""
    for flag, expected in (("--version", command), ("--help", "Examples:")):
        with Command([str(BIN / command), flag], cwd=tmp_path) as process:
            assert process.wait_for_exit(deadline_s=EXIT_DEADLINE_S) == 0
            assert expected in process.stdout()


@pytest.mark.parametrize("command", ["locust-worker", "locust-tui"])
def test_worker_and_screen_name_a_wrong_flag(tmp_path: Path, command: str) -> None:
    """One line, exit code 2."""
    with Command([str(BIN / command), "--master-prot", "1"], cwd=tmp_path) as process:
        assert process.wait_for_exit(deadline_s=EXIT_DEADLINE_S) == 2
        assert_one_line(process.stderr(), "--master-prot", "--master-port")


def test_custom_arguments_of_a_locustfile_work_and_are_in_the_help(tmp_path: Path) -> None:
    """The master never imports the file, yet knows its arguments."""
    locustfile = GOOD + (
        "from locust import events\n"
        "@events.init_command_line_parser.add_listener\n"
        "def add(parser):\n"
        "    parser.add_argument('--tenant', default='acme', help='Tenant to test')\n"
        "@events.test_start.add_listener\n"
        "def show(environment, **kwargs):\n"
        "    print('TENANT', environment.parsed_options.tenant, flush=True)\n"
    )
    code, stdout, _ = run_master(tmp_path, "--help", locustfile=locustfile)
    assert code == 0
    assert "--tenant" in stdout
    code, stdout, stderr = run_master(
        tmp_path,
        *("--headless", "--processes", "1", "-H", "http://127.0.0.1:1", "-t", "3s", "--tenant", "zeta"),
        locustfile=locustfile,
    )
    assert code == 1, stderr
    assert "TENANT zeta" in stdout + stderr
