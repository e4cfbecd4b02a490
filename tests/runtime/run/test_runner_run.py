"""A real runner process through a run: users as told, and every request that the target saw in a report."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

from locust_protocol.v1.assignment_pb2 import (
    ArrivalSchedule,
    ClassGoal,
    Phase,
    RunSettings,
    SecretArgument,
    Span,
)
from locust_protocol.v1.report_pb2 import WorkerEventKind, WorkerState
from locust_protocol.v1.value_pb2 import CustomMessage, Value
from tests.runtime.http.target import Target
from tests.runtime.run.runner_driver import RUN_ID, RunnerDriver

Write = Callable[[str], Path]

SHOP = """
    from locust import FastHttpUser, HttpUser, constant, task

    class Buyer(HttpUser):
        wait_time = constant(0.005)

        @task
        def buy(self):
            self.client.get("/ok/buy")

    class Reader(FastHttpUser):
        wait_time = constant(0.005)

        @task
        def read(self):
            self.client.get("/ok/read")
            self.client.get("/status/500", name="broken")
"""


def settings(target: Target, *arguments: str) -> RunSettings:
    return RunSettings(host=target.url, arguments=arguments, log_level="INFO")


def test_runner_reports_every_request_that_the_target_saw(
    runner: RunnerDriver, target: Target, locustfile: Write
) -> None:
    """Law 5, at its source: over a ramp, an edit and a drain, per name, nothing is lost or counted twice."""
    runner.load(locustfile(SHOP), settings=settings(target))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    ramp = [Span(first_due_us=0, interval_us=20_000, count=6, change=1)]
    runner.target(
        Phase.PHASE_RUN, {"Reader": 3}, spans={"Buyer": ramp}, settings=settings(target), stop_timeout_ms=500
    )
    runner.wait_for(lambda: runner.users() == {"Buyer": 6, "Reader": 3}, "all users")
    runner.target(Phase.PHASE_RUN, {"Buyer": 2, "Reader": 4}, generation=2, settings=settings(target))
    runner.wait_for(lambda: runner.users() == {"Buyer": 2, "Reader": 4}, "the edit")
    runner.wait_for(lambda: target.served["/ok/read"] > 200, "some load")
    runner.target(Phase.PHASE_DRAIN, generation=3, settings=settings(target))
    final = runner.final_report()
    assert not final.status.users
    assert final.status.state == WorkerState.WORKER_STATE_READY
    counted = runner.counted("requests") + runner.counted("interrupted")
    assert counted == {
        "/ok/buy": target.served["/ok/buy"],
        "/ok/read": target.served["/ok/read"],
        "broken": target.served["/status/500"],
    }
    assert runner.counted("failures")["broken"] == runner.counted("requests")["broken"]
    numbered = [each.sequence for each in runner.reports if each.sequence]
    assert numbered == list(range(1, len(numbered) + 1))
    runner.wait_for(lambda: len(runner.frames("target_applied")) == 3, "all targets applied")
    assert [each.generation for each in runner.frames("target_applied")] == [1, 2, 3]


def test_runner_counts_a_request_that_a_stop_cuts_off_as_interrupted(
    runner: RunnerDriver, target: Target, locustfile: Write
) -> None:
    """The target counted it, so the ledger must; it has no response time and is no failure."""
    text = """
        from locust import FastHttpUser, HttpUser, task

        class Stuck(HttpUser):
            @task
            def wait(self):
                self.client.get("/slow")

        class Fast(FastHttpUser):
            @task
            def wait(self):
                self.client.get("/slow")
    """
    runner.load(locustfile(text), settings=settings(target))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Stuck": 2, "Fast": 3}, settings=settings(target))
    runner.wait_for(lambda: target.served["/slow"] == 5, "all requests on the wire")
    runner.target(Phase.PHASE_DRAIN, generation=2)
    runner.final_report()
    assert runner.counted("interrupted") == {"/slow": 5}
    assert not runner.counted("requests")


def test_runner_merges_samples_into_the_next_report_when_none_is_accepted(
    runner: RunnerDriver, target: Target, locustfile: Write
) -> None:
    """An agent that is slow must neither be flooded nor cost a sample."""
    runner.accepts_reports = False
    runner.load(locustfile(SHOP), settings=settings(target))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Buyer": 2}, settings=settings(target))
    runner.wait_for(lambda: target.served["/ok/buy"] > 300, "some load")
    assert max(each.sequence for each in runner.reports) <= 4
    runner.target(Phase.PHASE_DRAIN, generation=2)
    runner.final_report()
    counted = runner.counted("requests") + runner.counted("interrupted")
    assert counted == {"/ok/buy": target.served["/ok/buy"]}


def test_runner_ends_its_users_at_the_deadline_and_runs_only_another_run_after_it(
    runner: RunnerDriver, target: Target, locustfile: Write
) -> None:
    """The master may be away when time is over; the run that ended does not come back, another one starts."""
    runner.load(locustfile(SHOP), settings=settings(target))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Buyer": 1}, settings=settings(target), deadline_us=400_000)
    final = runner.final_report()
    assert final.run_id == RUN_ID
    runner.target(Phase.PHASE_RUN, {"Buyer": 1}, generation=2, settings=settings(target))
    runner.wait_for(lambda: len(runner.frames("target_applied")) == 2, "the late target is answered")
    assert not runner.users()
    other = b"x" * 16
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Buyer": 3}, generation=3, run_id=other, settings=settings(target))
    runner.wait_for(lambda: runner.counted("requests", other), "samples of the next run")
    first = next(each for each in runner.reports if each.run_id == other and each.sequence)
    assert first.sequence == 1


def test_runner_reports_users_that_ended_by_themselves_and_does_not_replace_them(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """Running and ended together are what was wanted, or a master would go on for ever."""
    text = """
        from locust import User, constant, task
        from locust.exception import StopUser

        class Short(User):
            wait_time = constant(1000)

            def on_start(self):
                if self.environment.runner.user_count % 2:
                    raise StopUser

            @task
            def stay(self): ...
    """
    runner.load(locustfile(text))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Short": 7})

    def placed() -> bool:
        users = runner.reports[-1].status.users if runner.reports else ()
        return any(each.running + each.ended == 7 and each.ended for each in users)

    runner.wait_for(placed, "seven users placed, some of them ended")
    runner.wait_for(lambda: runner.frames("target_applied"), "the target counts as reached")


def test_runner_whose_users_only_wait_says_until_when_it_has_reported(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """What it may have lost when it dies is declared from there: half a second at most, samples or not."""
    text = """
        from locust import User, constant

        class Sleeper(User):
            wait_time = constant(1000)
    """
    runner.load(locustfile(text))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Sleeper": 2})
    runner.wait_for(lambda: runner.users() == {"Sleeper": 2}, "all users")
    first = len(runner.reports)
    runner.wait_for(lambda: len(runner.reports) >= first + 8, "reports without samples")
    words_ns = [each.sent_ns for each in runner.reports[first:]]
    assert median(later - one for one, later in pairwise(words_ns)) < 500_000_000


def test_runner_refuses_a_target_that_it_cannot_run(runner: RunnerDriver, locustfile: Write) -> None:
    """A class that this copy of the locustfile lacks, or a model that this release does not have."""
    runner.load(locustfile(SHOP))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Nobody": 1}, generation=5)
    runner.wait_for(lambda: runner.reports and runner.reports[-1].status.refused_generation == 5, "refusal")
    assert "'Nobody'" in runner.reports[-1].status.refusal
    arrivals = ClassGoal(user_class="Buyer", arrivals=ArrivalSchedule())
    runner.target(Phase.PHASE_RUN, generation=6, goals=[arrivals])
    runner.wait_for(lambda: runner.reports[-1].status.refused_generation == 6, "refusal of arrivals")
    assert not runner.users()


LISTENERS = """
    import logging
    from locust import User, constant, events, task
    from locust.exception import StopTest
    from locust.runners import WorkerRunner

    calls = []

    @events.init_command_line_parser.add_listener
    def arguments(parser):
        parser.add_argument("--tenant", default="none")
        parser.add_argument("--api-key", is_secret=True)

    @events.init.add_listener
    def init(environment, runner, **_):
        assert isinstance(runner, WorkerRunner)
        options = environment.parsed_options
        logging.info("init %s %s", options.tenant, options.api_key == "s3cret")
        runner.register_message("ask", answer)

    def answer(environment, msg):
        runner = environment.runner
        runner.send_message("answer", {"asked": msg.data, "index": runner.worker_index})

    @events.test_start.add_listener
    def start(environment, **_):
        logging.info("test_start %s %s", environment.runner.worker_count, environment.host)

    @events.spawning_complete.add_listener
    def spawned(user_count, **_):
        logging.info("spawning_complete %s", user_count)

    @events.test_stopping.add_listener
    def stopping(environment, **_):
        logging.info("test_stopping %s", environment.runner.user_count)

    @events.test_stop.add_listener
    def stop(environment, **_):
        logging.info("test_stop %s", environment.runner.user_count)

    @events.report_to_master.add_listener
    def report(client_id, data):
        data["from"] = client_id

    @events.quitting.add_listener
    def quitting(environment, **_):
        environment.process_exit_code = 42

    class Quiet(User):
        wait_time = constant(1000)

        @task
        def fail(self):
            raise ValueError("no luck at 0x7f00")

    class Ending(User):
        @task
        def end(self):
            raise StopTest("enough")
"""


def test_runner_calls_the_listeners_of_the_locustfile_in_their_time(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """Options, index and counts are those of the cluster; each event comes once and in order."""
    run_settings = RunSettings(
        arguments=["--tenant", "blue"],
        secret_arguments=[SecretArgument(name="api_key", value="s3cret")],
        host="http://there",
        log_level="INFO",
    )
    runner.load(locustfile(LISTENERS), settings=run_settings)
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Quiet": 2}, settings=run_settings)
    runner.wait_for(lambda: "spawning_complete 10" in runner.log_texts(), "spawning_complete")
    runner.target(Phase.PHASE_RUN, {"Quiet": 2}, generation=2, settings=run_settings)
    runner.wait_for(lambda: len(runner.frames("target_applied")) == 2, "the same target again")
    runner.wait_for(lambda: any(each.user_data for each in runner.reports), "data of report_to_master")
    runner.target(Phase.PHASE_DRAIN, generation=3, settings=run_settings)
    runner.final_report()
    runner.quit(exit_code=0)
    assert runner.wait_for_exit() == 0
    told = [text for text in runner.log_texts() if text.startswith(("init", "test_", "spawning"))]
    assert told == [
        "init blue True",
        "test_start 2 http://there",
        "spawning_complete 10",
        "test_stopping 2",
        "test_stop 0",
    ]
    (data, *_) = [each for report in runner.reports for each in report.user_data]
    assert data.runner_index == 3
    assert data.data.map_value.entries[0].value.string_value == "host-b_1"
    assert runner.frames("quitting")[0].process_exit_code == 42


def test_runner_reports_exceptions_of_tasks(runner: RunnerDriver, locustfile: Write) -> None:
    """Message and traceback once, occurrences in the slices."""
    runner.load(locustfile(LISTENERS))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Quiet": 2})
    runner.wait_for(
        lambda: sum(sum(each.exception_count) for report in runner.reports for each in report.slices) == 2,
        "two exceptions",
    )
    (definition,) = [each for report in runner.reports for each in report.exceptions]
    assert definition.message == "no luck at 0x...."
    assert "locustfile.py" in definition.traceback


def test_runner_passes_custom_messages_both_ways(runner: RunnerDriver, locustfile: Write) -> None:
    """Typed data, to the listener that registered for it and back to the script host."""
    runner.load(locustfile(LISTENERS))
    runner.wait_for_frame("loaded")
    runner.send(custom_message=CustomMessage(type="ask", data=Value(int_value=7)))
    runner.wait_for(lambda: any(each.messages for each in runner.reports), "the answer")
    (message,) = [each for report in runner.reports for each in report.messages]
    assert (message.type, message.from_runner) == ("answer", 3)
    assert {entry.key: entry.value.int_value for entry in message.data.map_value.entries} == {
        "asked": 7,
        "index": 3,
    }


def test_runner_asks_for_the_end_of_the_run_when_a_user_raises_stop_test(
    runner: RunnerDriver, locustfile: Write
) -> None:
    """Only the master ends a run."""
    runner.load(locustfile(LISTENERS))
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Ending": 1})
    asked = runner.wait_for_frame("quit_requested")
    assert "enough" in asked.reason
    assert not asked.end_program


def test_runner_warns_once_when_there_are_too_many_names(
    runner: RunnerDriver, target: Target, locustfile: Write
) -> None:
    """An id in every path: counted as other, and said with the remedy."""
    text = """
        from itertools import count
        from locust import FastHttpUser, task
        numbers = count()

        class Ids(FastHttpUser):
            @task
            def get(self):
                self.client.get(f"/ok/{next(numbers)}")
    """
    runner.load(locustfile(text), settings=settings(target), max_series=5)
    runner.wait_for_frame("loaded")
    runner.start_clock()
    runner.target(Phase.PHASE_RUN, {"Ids": 2}, settings=settings(target))
    runner.wait_for(lambda: runner.counted("requests")["(other)"] > 50, "samples of other names")
    runner.target(Phase.PHASE_DRAIN, generation=2)
    runner.final_report()
    counted = runner.counted("requests") + runner.counted("interrupted")
    assert sum(counted.values()) == sum(target.served.values())
    events = [each for report in runner.reports for each in report.events]
    assert [each.kind for each in events] == [WorkerEventKind.WORKER_EVENT_KIND_NAMES_LIMITED]
    assert "name=" in events[0].text
