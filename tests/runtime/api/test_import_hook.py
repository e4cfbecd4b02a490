"""`import locust` in a process that installed the hook. Each case runs in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from locust_runtime.import_hook import TARGETS

INSTALL = "from locust_runtime import import_hook\nimport_hook.install()\n"


def python(code: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs code in a new interpreter, with `path` in front of its import path."""
    prefix = f"import sys\nsys.path.insert(0, {str(path)!r})\n" if path else ""
    argv = [sys.executable, "-c", prefix + code]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def run(code: str, *, path: Path | None = None) -> str:
    """Runs code behind the hook, where nothing in it may fail; returns what it printed."""
    result = python(INSTALL + code, path=path)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def other_locust(tmp_path: Path) -> Path:
    """A folder with another `locust` in it, as an installed Locust would be."""
    package = tmp_path / "locust"
    (package / "user").mkdir(parents=True)
    for name in ("__init__.py", "web.py", "stats.py", "user/__init__.py", "user/task.py"):
        (package / name).write_text("OTHER = True\n")
    return tmp_path


PUBLIC = (
    "User, HttpUser, FastHttpUser, TaskSet, SequentialTaskSet, MarkovTaskSet, transition, transitions, task, "
    "tag, between, constant, constant_pacing, constant_throughput, poisson, wait_time, events, "
    "LoadTestShape, run_single_user, __version__"
)

SUBMODULES = {
    "locust.argument_parser": "LocustArgumentParser get_parser parse_options",
    "locust.clients": "HttpSession ResponseContextManager",
    "locust.contrib.fasthttp": "FastHttpUser FastHttpSession",
    "locust.debug": "run_single_user",
    "locust.dispatch": "UsersDispatcher",
    "locust.env": "Environment",
    "locust.event": "EventHook Events",
    "locust.exception": (
        "LocustError ResponseError CatchResponseError MissingWaitTimeError InterruptTaskSet StopTest "
        "StopUser RescheduleTask RescheduleTaskImmediately RPCError RPCSendError RPCReceiveError "
        "RunnerAlreadyExistsError"
    ),
    "locust.log": "setup_logging",
    "locust.rpc": "Message",
    "locust.rpc.protocol": "Message",
    "locust.runners": (
        "Runner LocalRunner MasterRunner WorkerRunner STATE_INIT STATE_SPAWNING STATE_RUNNING "
        "STATE_CLEANUP STATE_STOPPING STATE_STOPPED STATE_MISSING"
    ),
    "locust.shape": "LoadTestShape",
    "locust.stats": "RequestStats StatsEntry StatsError stats_printer stats_history PERCENTILES_TO_REPORT",
    "locust.user": "User HttpUser TaskSet tag task",
    "locust.user.markov_taskset": "MarkovTaskSet",
    "locust.user.sequential_taskset": "SequentialTaskSet",
    "locust.user.task": "TaskSet DefaultTaskSet task tag filter_tasks_by_tags LOCUST_STATE_STOPPING",
    "locust.user.users": "User HttpUser",
    "locust.user.wait_time": "between constant constant_pacing constant_throughput poisson",
    "locust.util.timespan": "parse_timespan",
}


def test_locust_has_its_public_names() -> None:
    """What locustfiles import from the top; the version is that of the Locust whose interface it is."""
    assert run(f"from locust import {PUBLIC}\nprint(__version__, User.__module__)\n") == (
        "2.47.0 locust_runtime.users\n"
    )


def test_every_submodule_can_be_imported_first_and_has_its_names() -> None:
    """Each alone in a fresh set of modules, so that no order is a precondition."""
    forget = "for name in [n for n in sys.modules if n.split('.')[0] == 'locust']: del sys.modules[name]\n"
    printed = run(
        "import sys\n"
        + "".join(
            forget
            + f"from {module} import {names.replace(' ', ', ')}\nprint(sys.modules[{module!r}].__name__)\n"
            for module, names in SUBMODULES.items()
        )
    )
    assert printed.splitlines() == [TARGETS[module] for module in SUBMODULES]


@pytest.mark.parametrize("module", ["locust.user.task", "locust.stats", "locust.contrib.fasthttp"])
def test_submodule_can_be_the_first_import_of_the_process(module: str) -> None:
    """Circular imports would show here."""
    printed = run(
        f"import {module}\nimport locust, sys\nprint(sys.modules[{module!r}].__name__, locust.__name__)\n"
    )
    assert printed.split() == [TARGETS[module], TARGETS["locust"]]


def test_every_target_exists() -> None:
    """The table has no dead entry."""
    run(
        "import importlib\nfor name in import_hook.TARGETS:\n"
        "    assert importlib.import_module(name) is importlib.import_module(import_hook.TARGETS[name])\n"
    )


def test_another_locust_on_the_path_is_never_used(other_locust: Path) -> None:
    """Neither the package, nor what only the other one has."""
    run(
        "import locust, locust.stats, locust.user.task\n"
        "assert not any(hasattr(m, 'OTHER') for n, m in sys.modules.items() if n.split('.')[0] == 'locust')\n"
        "try:\n    import locust.web\nexcept ModuleNotFoundError as error:\n"
        "    assert 'locust.web has no counterpart' in str(error), error\n"
        "    assert error.name == 'locust.web'\n"
        "else:\n    raise AssertionError('fell through')\n",
        path=other_locust,
    )


def test_installation_is_refused_when_another_locust_is_loaded(other_locust: Path) -> None:
    """It says where that one came from."""
    result = python("import locust\n" + INSTALL, path=other_locust)
    assert result.returncode == 1
    assert "another locust is imported already" in result.stderr
    assert str(other_locust) in result.stderr


def test_installing_twice_changes_nothing() -> None:
    """The loader and a script may both do it."""
    run(
        "import sys, locust\nbefore = list(sys.meta_path)\nimport_hook.install()\n"
        "assert sys.meta_path == before\n"
    )


def test_decorator_is_not_replaced_by_the_module_of_its_name() -> None:
    """Importing `locust.user.task` must leave `locust.user.task` callable."""
    run(
        "import locust.user\nfrom locust.user.task import TaskSet\nimport locust.user.task\n"
        "from locust import task\nfrom locust.user import task as same\n"
        "assert locust.user.task is task is same and callable(task)\n"
    )


def test_both_names_are_one_module_so_that_settings_reach_us() -> None:
    """`locust.stats.PERCENTILES_TO_REPORT = …` in a locustfile."""
    run(
        "import locust.stats, locust_runtime.stats\nimport sys\n"
        "locust.stats.PERCENTILES_TO_REPORT = [0.5]\n"
        "assert locust_runtime.stats.PERCENTILES_TO_REPORT == [0.5]\n"
        "assert sys.modules['locust.stats'] is sys.modules['locust_runtime.stats']\n"
        "assert locust.stats.__spec__.name == 'locust_runtime.stats'\n"
    )


def test_classes_survive_pickle_inspection_and_reload() -> None:
    """Their modules are the real ones."""
    run(
        "import importlib, inspect, pickle, locust\nfrom locust.exception import StopUser\n"
        "assert pickle.loads(pickle.dumps(StopUser)) is StopUser\n"
        "assert 'class User' in inspect.getsource(locust.User)\n"
        "import locust.util.timespan\nimportlib.reload(locust.util.timespan)\n"
        "assert importlib.reload(locust.stats) is locust.stats\n"
    )


def test_events_of_locust_are_one_object() -> None:
    """A locustfile adds listeners to it, and what runs the test fires it."""
    run(
        "import locust\nfrom locust_runtime.locustfile_events import events\n"
        "assert locust.events is events\nassert isinstance(events, locust.event.Events)\n"
    )


def test_names_that_only_begin_like_locust_are_left_alone() -> None:
    """`locust_plugins` is somebody else's."""
    result = python(INSTALL + "import locust_of_somebody\n")
    assert "No module named 'locust_of_somebody'" in result.stderr


def test_nothing_is_monkey_patched_and_grpc_stays_out() -> None:
    """Patching belongs to the process's start; grpc to other processes."""
    run(
        "import locust, socket, sys\nfrom gevent import monkey\n"
        "assert not monkey.is_module_patched('socket')\nassert 'grpc' not in sys.modules\n"
    )
