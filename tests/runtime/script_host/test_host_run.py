"""A real script host through a run: listeners in Locust's order, the load shape, and its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from locust_protocol.runner.v1.link_pb2 import Quit, RunMoment, WorkerConnected, WorkerData
from locust_protocol.v1.assignment_pb2 import RunSettings
from locust_protocol.v1.snapshot_pb2 import RunState, RunSummary, SeriesRow, Snapshot
from locust_protocol.v1.value_pb2 import CustomMessage, Value
from locust_runtime.values import to_value
from tests.runtime.run.runner_driver import DEADLINE_S, RUN_ID
from tests.runtime.script_host.host_driver import HostDriver

Write = Callable[[str], Path]

STARTING = RunMoment.RUN_MOMENT_STARTING
SPAWNED = RunMoment.RUN_MOMENT_SPAWNED
STOPPING = RunMoment.RUN_MOMENT_STOPPING
STOPPED = RunMoment.RUN_MOMENT_STOPPED
RESET = RunMoment.RUN_MOMENT_RESET


def running(failed: int = 0, state: RunState.ValueType = RunState.RUN_STATE_RUNNING) -> Snapshot:
    return Snapshot(
        complete=True,
        run=RunSummary(run_id=RUN_ID, state=state),
        total=SeriesRow(requests=10, failures=failed),
    )


def test_listeners_run_at_the_moments_of_a_run(host: HostDriver, locustfile: Write) -> None:
    """Names, order and arguments are Locust's."""
    host.load_master(
        locustfile("""
            import logging
            from locust import events

            def listen(name):
                @getattr(events, name).add_listener
                def told(environment=None, **arguments):
                    host = environment and (environment.host, environment.runner.state)
                    logging.info("event %s %s %s", name, sorted(arguments.items()), host)

            for each in ("test_start", "spawning_complete", "test_stopping", "test_stop", "reset_stats",
                         "quitting", "quit", "worker_connect", "worker_report"):
                listen(each)
        """)
    )
    host.send(worker_connected=WorkerConnected(client_id="w_0", index=0))
    host.moment(STARTING, settings=RunSettings(host="http://run"))
    host.moment(SPAWNED, users=12)
    host.send(worker_data=WorkerData(client_id="w_0", data=to_value({"seen": 3})))
    for moment in (RESET, STOPPING, STOPPED):
        host.moment(moment)
    host.send(quit=Quit(exit_code=1))
    host.next("quitting")

    assert host.wait_for_exit() == 0
    assert [each.removeprefix("event ") for each in host.log_texts() if each.startswith("event")] == [
        "worker_connect [('client_id', 'w_0')] None",
        "test_start [] ('http://run', <RunnerState.SPAWNING: 'spawning'>)",
        "spawning_complete [('user_count', 12)] None",
        "worker_report [('client_id', 'w_0'), ('data', {'seen': 3})] None",
        "reset_stats [] None",
        "test_stopping [] ('http://run', <RunnerState.RUNNING: 'running'>)",
        "test_stop [] ('http://run', <RunnerState.STOPPED: 'stopped'>)",
        "quitting [] ('http://run', <RunnerState.STOPPED: 'stopped'>)",
        "quit [('exit_code', 1)] None",
    ]


def test_listener_that_raises_is_listed_and_the_others_run(host: HostDriver, locustfile: Write) -> None:
    """A broken listener must not cost the run."""
    host.load_master(
        locustfile("""
            from locust import events
            @events.test_start.add_listener
            def broken(environment, **_):
                raise ValueError("no")
            @events.test_start.add_listener
            def works(environment, **_):
                environment.process_exit_code = 7
        """)
    )

    done = host.moment(STARTING)

    assert list(done.listener_errors) == ["locustfile.py:5: ValueError: no"]
    assert done.process_exit_code == 7


def test_quitting_listener_judges_the_final_statistics(host: HostDriver, locustfile: Write) -> None:
    """The usual way to fail a build: the exit code from fail_ratio and a percentile."""
    host.load_master(
        locustfile("""
            from locust import events
            @events.quitting.add_listener
            def judge(environment, **_):
                environment.process_exit_code = 40 if environment.stats.total.fail_ratio == 0.2 else 41
        """)
    )
    host.moment(STARTING)
    host.show(running(failed=1))
    host.show(running(failed=2, state=RunState.RUN_STATE_STOPPED))
    host.send(quit=Quit())

    assert host.next("quitting").process_exit_code == 40
    assert host.wait_for_exit() == 0


def test_exit_code_that_is_none_is_a_failure(host: HostDriver, locustfile: Write) -> None:
    """A locustfile that sets one means that something is wrong; it must not cost the answer either."""
    host.load_master(
        locustfile("""
            from locust import events
            @events.test_stop.add_listener
            def stop(environment, **_):
                environment.process_exit_code = "failed"
        """)
    )
    assert host.moment(STOPPED).process_exit_code == 1


def test_load_shape_ticks_once_a_second_and_tells_changes_only(host: HostDriver, locustfile: Write) -> None:
    """A second tick that wants the same is no news; the end always is."""
    host.load_master(
        locustfile("""
            from locust import LoadTestShape, User, task
            class Cart(User):
                @task
                def go(self): pass
            class Steps(LoadTestShape):
                ticks = 0
                def tick(self):
                    self.ticks += 1
                    if self.ticks == 3:
                        raise RuntimeError("third")
                    assert self.ticks < 5 and self.get_run_time() < 60
                    assert self.get_current_user_count() == 0
                    return [None, (10, 2), (10, 2), None, (20, 2.5, [Cart])][self.ticks]
            class Ends(LoadTestShape):
                def tick(self):
                    return None
        """)
    )
    host.moment(STARTING, load_shape="Steps")

    first, failed, second = (host.next("shape_tick") for _ in range(3))

    assert (first.users, first.spawn_rate, list(first.user_classes)) == (10, 2, [])
    assert failed.error == "locustfile.py:11: RuntimeError: third"
    assert (second.users, second.spawn_rate, list(second.user_classes)) == (20, 2.5, ["Cart"])
    host.moment(STOPPED)
    host.moment(STARTING, load_shape="Ends")
    assert host.next("shape_tick").stop


def test_tick_and_listeners_that_wait_hold_up_nobody(host: HostDriver, locustfile: Write) -> None:
    """A test_start listener may wait for an answer of a worker, and a shape for the network."""
    host.load_master(
        locustfile("""
            import gevent, time
            from gevent.event import Event
            from locust import LoadTestShape, events
            class Slow(LoadTestShape):
                def tick(self):
                    time.sleep(1000)
            answered = Event()
            @events.init.add_listener
            def init(environment, **_):
                environment.runner.register_message("ready", lambda environment, msg: answered.set())
            @events.test_start.add_listener
            def start(environment, **_):
                environment.runner.send_message("prepare", {"rows": 3}, client_id="w_4")
                answered.wait()
        """)
    )
    host.send(worker_connected=WorkerConnected(client_id="w_4", index=4))
    host.begin_moment(STARTING, load_shape="Slow")
    host.wait_for(host.messages, "the message to the worker")
    host.send(custom_message=CustomMessage(type="ready", data=Value(null_value=True), from_runner=4))

    host.next("run_phase_done")
    host.moment(SPAWNED)
    host.moment(STOPPED)

    assert [(each.type, each.to_runner) for each in host.messages()] == [("prepare", 4)]


def test_messages_reach_their_listeners_with_the_sender(host: HostDriver, locustfile: Write) -> None:
    """Answers go back to `msg.node_id`; without a client id a message is for all."""
    host.load_master(
        locustfile("""
            from locust import events
            def answer(environment, msg):
                environment.runner.send_message("to-one", msg.data, client_id=msg.node_id)
                environment.runner.send_message("to-all")
            def broken(environment, msg):
                raise ValueError("no")
            @events.init.add_listener
            def init(environment, **_):
                environment.runner.register_message("ask", answer, concurrent=True)
                environment.runner.register_message("broken", broken)
        """)
    )
    host.send(worker_connected=WorkerConnected(client_id="w_1", index=1))
    host.send(custom_message=CustomMessage(type="broken", from_runner=1))
    host.send(custom_message=CustomMessage(type="ask", data=to_value([1, "a"]), from_runner=1))

    one, everybody = host.wait_for(lambda: host.messages()[1:] and host.messages(), "two messages")

    assert (one.type, one.to_runner, one.data) == ("to-one", 1, to_value([1, "a"]))
    assert everybody.type == "to-all"
    assert not everybody.HasField("to_runner")


def test_greenlet_of_the_locustfile_ends_the_test_by_its_numbers(host: HostDriver, locustfile: Write) -> None:
    """The checker that Locust's manual shows: it watches runner.state and the failures."""
    host.load_master(
        locustfile("""
            import gevent
            from locust import events
            from locust.runners import MasterRunner, STATE_STOPPED, STATE_STOPPING
            @events.test_start.add_listener
            def start(environment, **_):
                assert isinstance(environment.runner, MasterRunner)
                gevent.spawn(check, environment)
            def check(environment):
                while environment.runner.state not in (STATE_STOPPING, STATE_STOPPED):
                    gevent.sleep(0.01)
                    if environment.runner.stats.total.fail_ratio > 0.2:
                        environment.runner.quit()
                        return
        """)
    )
    host.moment(STARTING)
    host.show(running(failed=1))
    host.show(running(failed=3))

    asked = host.next("quit_requested")

    assert asked.end_program
    assert asked.reason == "the locustfile called runner.quit()"


def test_user_code_that_exits_the_process_ends_the_program_in_order(
    host: HostDriver, locustfile: Write
) -> None:
    """`sys.exit(3)` in a greenlet or listener is a wish; the quitting listeners still run."""
    host.load_master(
        locustfile("""
            import gevent, sys
            from locust import events
            @events.test_start.add_listener
            def start(environment, **_):
                gevent.spawn_later(0.05, sys.exit, 3)
            @events.test_stop.add_listener
            def stop(environment, **_):
                sys.exit("enough")
        """)
    )
    host.moment(STARTING)
    assert host.next("quit_requested").end_program
    assert host.moment(STOPPED).process_exit_code == 1
    host.send(quit=Quit())
    assert host.next("quitting").process_exit_code == 1
    assert host.wait_for_exit() == 0


def test_user_code_starts_and_stops_runs(host: HostDriver, locustfile: Write) -> None:
    """`runner.start()` and `runner.stop()` on the master are wishes to it; StopTest is one too."""
    host.load_master(
        locustfile("""
            import gevent
            from locust import events
            from locust.exception import StopTest
            @events.init.add_listener
            def init(environment, **_):
                environment.runner.register_message("go", lambda environment, msg: go(environment))
            def go(environment):
                environment.runner.start(8, 2.5, user_classes=[Shop])
                environment.runner.stop()
            @events.test_start.add_listener
            def start(environment, **_):
                raise StopTest("not today")
        """)
    )
    host.send(custom_message=CustomMessage(type="go", from_runner=0))
    started = host.next("start_requested")
    assert (started.users, started.spawn_rate, list(started.user_classes)) == (8, 2.5, ["Shop"])
    assert not host.next("quit_requested").end_program
    host.begin_moment(STARTING)
    assert host.next("quit_requested").reason == "a listener raised StopTest: not today"


def test_script_host_ends_when_its_master_is_gone(host: HostDriver, locustfile: Write) -> None:
    """Nobody is left behind, whatever the locustfile does."""
    host.load_master(
        locustfile("""
            import time
            from locust import events
            @events.test_start.add_listener
            def start(environment, **_):
                time.sleep(1000)
        """)
    )
    host.begin_moment(STARTING)
    host._socket.shutdown(2)

    assert host.process.wait(DEADLINE_S) == 3
