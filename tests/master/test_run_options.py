"""What a run may be asked to do, whoever asks."""

from __future__ import annotations

import math
from typing import Any

import pytest

from locust_master.run_options import (
    MAX_RUN_TIME_S,
    MAX_STAGES,
    MAX_USERS,
    MIN_SPAWN_RATE,
    RunOptions,
    Stage,
    StepLoad,
)
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2

Message = control_service_pb2.RunOptions
CustomArgumentValue = control_service_pb2.CustomArgumentValue

FULL = RunOptions(
    users=5,
    spawn_rate=2.5,
    host="http://a",
    run_time_s=60.0,
    user_classes=("A", "B"),
    load_shape="Steps",
    name="n",
    note="o",
    profile="p",
    tags=("t", "u"),
)


@pytest.mark.parametrize(
    "options",
    [
        {"users": 0},
        {"users": MAX_USERS},
        {"spawn_rate": MIN_SPAWN_RATE},
        {"spawn_rate": 1e9},
        {"run_time_s": 0.001},
        {"run_time_s": MAX_RUN_TIME_S},
        {"host": None},
        {"stages": (Stage(0, 5), Stage(0.001, 0))},
        {"stages": (Stage(1, 1),) * MAX_STAGES},
        {"users": MAX_STAGES, "step_load": StepLoad(1, 0.001)},
        {"name": "n" * 200, "note": "o" * 4_096, "profile": "p" * 200},
    ],
)
def test_options_at_their_bounds_are_taken(options: dict[str, Any]) -> None:
    """A limit is what is still allowed."""
    assert RunOptions(**options).checked() == RunOptions(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"users": -1}, "-1 users"),
        ({"users": MAX_USERS + 1}, "1000001 users"),
        ({"spawn_rate": 0.0}, "spawn rate 0.0"),
        ({"spawn_rate": -1.0}, "spawn rate -1.0"),
        ({"spawn_rate": MIN_SPAWN_RATE / 2}, "spawn rate 5e-07"),
        ({"spawn_rate": math.inf}, "spawn rate inf"),
        ({"spawn_rate": math.nan}, "spawn rate nan"),
        ({"run_time_s": 0.0}, "run time 0.0"),
        ({"run_time_s": -3.0}, "run time -3.0"),
        ({"run_time_s": math.inf}, "run time inf"),
        ({"run_time_s": MAX_RUN_TIME_S + 1}, "run time 31622401"),
        ({"host": "example.com"}, "host 'example.com'"),
        ({"stages": (Stage(0, 5),)}, "the stages take no time"),
        ({"stages": (Stage(-1, 5),)}, "stage 1 of 1 takes -1 s"),
        ({"stages": (Stage(1, -5),)}, "stage 1 of 1 has -5 users"),
        ({"stages": (Stage(1, 1), Stage(5, 2_000_000))}, "stage 2 of 2 has 2000000 users, not between 0 and"),
        ({"stages": (Stage(1, 1),) * (MAX_STAGES + 1)}, "1001 stages"),
        ({"stages": (Stage(1, 1),), "load_shape": "S"}, "stages and load shape S exclude"),
        ({"stages": (Stage(1, 1),), "step_load": StepLoad(1, 1)}, "stages and step load exclude"),
        ({"step_load": StepLoad(0, 1)}, "steps of 0 users every 1 s"),
        ({"step_load": StepLoad(1, 0)}, "steps of 1 users every 0 s"),
        ({"users": MAX_STAGES + 1, "step_load": StepLoad(1, 1)}, "1001 users in steps of 1"),
        ({"name": "n" * 201}, "name has 201"),
        ({"note": "o" * 4_097}, "note has 4097"),
        ({"profile": "p" * 201}, "profile has 201"),
    ],
)
def test_option_that_is_off_is_named_with_its_value(options: dict[str, Any], said: str) -> None:
    """One line that a person can act on."""
    with pytest.raises(UsageError, match=said):
        RunOptions(**options).checked()


def test_empty_message_changes_nothing() -> None:
    """Absent options keep what the command line says."""
    assert FULL.overridden(Message()) == FULL


def test_message_overrides_what_it_sets() -> None:
    """Zero users and an empty load shape are wishes, not absences."""
    message = Message(
        users=0, spawn_rate=9, host="http://b", run_time_ms=1_500, user_classes=["C"], load_shape="", name="m"
    )
    changed = FULL.overridden(message)
    assert changed == RunOptions(
        users=0,
        spawn_rate=9,
        host="http://b",
        run_time_s=1.5,
        user_classes=("C",),
        load_shape="",
        name="m",
        note="o",
        profile="p",
        tags=("t", "u"),
    )


def test_empty_host_means_each_class_s_own() -> None:
    """A client can take the command line's host away."""
    assert FULL.overridden(Message(host="")).host is None


def test_custom_arguments_of_a_client_are_refused_and_not_ignored() -> None:
    """Whoever set one would believe that it holds."""
    with pytest.raises(UsageError, match="custom arguments"):
        FULL.overridden(Message(custom_arguments=[CustomArgumentValue(name="tenant")]))


def test_run_time_of_zero_means_until_stopped() -> None:
    """A client can take the command line's run time away."""
    assert FULL.overridden(Message(run_time_ms=0)).run_time_s is None


@pytest.mark.parametrize(
    "message",
    [Message(spawn_rate=0), Message(run_time_ms=2**64 - 1), Message(users=2**32 - 1)],
)
def test_message_with_a_value_that_is_off_is_refused(message: Message) -> None:
    """Clients get the same checks as the command line."""
    with pytest.raises(UsageError):
        RunOptions().overridden(message)


@pytest.mark.parametrize("options", [RunOptions(), FULL])
def test_message_says_all_options_again(options: RunOptions) -> None:
    """A start form shows the defaults and sends them back."""
    assert RunOptions().overridden(options.to_message()) == options


def test_absent_options_stay_absent_in_the_message() -> None:
    """No run time is not a run time of zero."""
    message = RunOptions().to_message()
    assert not message.HasField("run_time_ms")
    assert not message.HasField("host")
    assert not message.HasField("load_shape")


def test_stages_of_a_client_replace_steps_of_the_command_line() -> None:
    """Both say how many users there are when."""
    options = RunOptions(users=4, step_load=StepLoad(1, 1))
    asked = options.overridden(Message(stages=[control_service_pb2.Stage(duration_ms=1_500, users=3)]))
    assert (asked.stages, asked.step_load) == ((Stage(1.5, 3),), None)


@pytest.mark.parametrize(
    "options", [RunOptions(stages=(Stage(1.5, 3), Stage(0, 0))), RunOptions(step_load=StepLoad(1, 2.5))]
)
def test_users_over_time_are_said_again_as_they_were_asked(options: RunOptions) -> None:
    """A screen shows them as defaults, and starts with them."""
    assert RunOptions().overridden(options.to_message()) == options
