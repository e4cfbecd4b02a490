"""What user code sees as `environment.runner`: states, messages, and what is handed to the port."""

from __future__ import annotations

from typing import Any

import pytest

from locust_runtime import runners
from locust_runtime.environment import Environment
from locust_runtime.exceptions import LocustError
from locust_runtime.local_runner import LocalRunner
from locust_runtime.messages import Message
from locust_runtime.runners import MasterRunner, Runner, WorkerNode, WorkerRunner
from locust_runtime.users import User
from tests.support.greenlets import wait_for


class Port:
    """Notes what a runner asks for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.counts: dict[str, int] = {}

    def start(self, **kwargs: Any) -> None:
        self.calls.append(("start", kwargs))

    def stop(self) -> None:
        self.calls.append(("stop", {}))

    def quit(self) -> None:
        self.calls.append(("quit", {}))

    def send_message(self, **kwargs: Any) -> None:
        self.calls.append(("send_message", kwargs))

    def user_classes_count(self) -> dict[str, int]:
        return self.counts


class Shopper(User):
    pass


class Reader(User):
    pass


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def runner(port: Port) -> Runner:
    return WorkerRunner(Environment(user_classes=[Shopper, Reader]), port)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("INIT", "ready"),
        ("SPAWNING", "spawning"),
        ("RUNNING", "running"),
        ("CLEANUP", "cleanup"),
        ("STOPPING", "stopping"),
        ("STOPPED", "stopped"),
        ("MISSING", "missing"),
    ],
)
def test_states_equal_and_print_as_their_texts(name: str, text: str) -> None:
    """Locustfiles compare with either and put them into messages."""
    state = getattr(runners, f"STATE_{name}")
    assert state == text
    assert f"{state}" == str(state) == text


def test_kinds_of_runners_can_be_told_apart() -> None:
    """`isinstance(environment.runner, MasterRunner)` is how locustfiles know where they are."""
    environment = Environment()
    master, worker = MasterRunner(environment, Port()), WorkerRunner(environment, Port())
    assert isinstance(master, Runner)
    assert not isinstance(worker, MasterRunner | LocalRunner)
    assert runners.LocalRunner is LocalRunner


def test_what_is_asked_for_goes_to_the_port(runner: Runner, port: Port) -> None:
    """A runner does nothing by itself."""
    runner.start(10, spawn_rate=2.5, user_classes=[Reader])
    runner.send_message("greet", {"a": 1}, client_id="w")
    runner.stop()
    runner.quit()
    assert port.calls == [
        ("start", {"user_count": 10, "spawn_rate": 2.5, "user_classes": [Reader], "wait": False}),
        ("send_message", {"message_type": "greet", "data": {"a": 1}, "client_id": "w"}),
        ("stop", {}),
        ("quit", {}),
    ]


def test_stopping_what_is_stopped_does_nothing(runner: Runner, port: Port) -> None:
    """test_stop must not fire twice."""
    runner.state = runners.STATE_STOPPED
    runner.stop()
    assert port.calls == []


def test_users_are_counted_by_class_with_zeros(runner: Runner, port: Port) -> None:
    """All chosen classes are there."""
    port.counts = {"Shopper": 3}
    assert runner.user_classes_count == {"Shopper": 3, "Reader": 0}
    assert runner.user_count == 3


def test_message_type_has_one_listener(runner: Runner) -> None:
    """A second one is a mistake, as in Locust."""
    runner.register_message("greet", lambda **_: None)
    with pytest.raises(LocustError, match="greet"):
        runner.register_message("greet", lambda **_: None)


@pytest.mark.parametrize("concurrent", [False, True])
def test_message_reaches_its_listener(runner: Runner, concurrent: bool) -> None:
    """With environment and msg, by name."""
    seen: list[Any] = []
    runner.register_message(
        "greet", lambda environment, msg: seen.append((environment, msg)), concurrent=concurrent
    )
    message = Message("greet", {"a": 1}, "master")
    runner.deliver_message(message)
    wait_for(lambda: seen)
    assert seen == [(runner.environment, message)]


def test_message_without_a_listener_or_with_a_broken_one_is_logged(
    runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    """The link that delivers it goes on."""

    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    runner.register_message("break", broken)
    runner.deliver_message(Message("break", None, None))
    runner.deliver_message(Message("unknown", None, None))
    assert "ZeroDivisionError" in caplog.text
    assert "'unknown'" in caplog.text


def test_exceptions_are_counted_by_traceback_with_a_limit(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kinds beyond the limit are counted as dropped."""
    monkeypatch.setattr(runners, "KEPT_EXCEPTIONS", 1)
    for node, traceback in (("a", "at line 1"), ("b", "at line 1"), ("a", "at line 2")):
        runner.log_exception(node, "boom", traceback)
    (row,) = runner.exceptions.values()
    assert row == {"count": 2, "msg": "boom", "traceback": "at line 1", "nodes": {"a", "b"}}
    assert runner.dropped_exceptions == 1


def test_clients_of_a_master_are_sorted_by_state() -> None:
    """`runner.clients.ready` and its kin."""
    clients = MasterRunner(Environment(), Port()).clients
    clients["a"] = WorkerNode("a")
    clients["b"] = WorkerNode("b", runners.STATE_RUNNING)
    clients["b"].user_classes_count = {"Shopper": 2}
    clients["c"] = WorkerNode("c", runners.STATE_MISSING)
    assert [node.id for node in clients.ready] == ["a"]
    assert [node.id for node in clients.running] == ["b"]
    assert [node.id for node in clients.missing] == ["c"]
    assert clients.spawning == []
    assert len(clients.all) == len(clients) == 3
    assert clients["b"].user_count == 2
