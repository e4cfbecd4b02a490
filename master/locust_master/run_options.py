"""What a run was asked to do, checked once, whoever asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypedDict

from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2

MAX_USERS = 1_000_000
"""Users of one run; more is a slip of the finger."""

MIN_SPAWN_RATE = 1e-6
"""Users per second: one user in eleven days. Slower ramps would leave the range of due times."""

MAX_RUN_TIME_S = 366 * 86_400.0
"""Seconds of run time: a year. Without a run time a run goes on until it is stopped."""

MAX_TEXT_CHARS = 200
"""Characters in a run's name, profile or mark."""

MAX_NOTE_CHARS = 4_096
"""Characters in a run's note."""


MAX_STAGES = 1_000
"""Stages or steps of one run: far more than anybody writes by hand."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run that leads to `users` users in `duration_s` seconds."""

    duration_s: float
    users: int


@dataclass(frozen=True, slots=True)
class StepLoad:
    """`users` more every `interval_s` seconds."""

    users: int
    interval_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of one run. `run_time_s` None: until it is stopped; `load_shape` None: the first one, if any.

    With `stages` the run ends after the last one, and `users` and `spawn_rate` mean nothing.
    """

    users: int = 1
    spawn_rate: float = 1.0
    host: str | None = None
    run_time_s: float | None = None
    user_classes: tuple[str, ...] = ()
    load_shape: str | None = None
    name: str = ""
    note: str = ""
    profile: str = ""
    tags: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    step_load: StepLoad | None = None

    def checked(self) -> RunOptions:
        """Returns itself; raises `UsageError` naming the value that is off."""
        check_users(self.users)
        check_spawn_rate(self.spawn_rate)
        if self.run_time_s is not None and not (self.run_time_s > 0 and math.isfinite(self.run_time_s)):
            raise UsageError(f"run time {self.run_time_s} s is not above 0", remedy="give a time like 5m")
        if self.run_time_s is not None and self.run_time_s > MAX_RUN_TIME_S:
            raise UsageError(
                f"run time {self.run_time_s:.0f} s is over {MAX_RUN_TIME_S:.0f} s",
                remedy="leave it out to run until stopped",
            )
        if self.host is not None and "://" not in self.host:
            raise UsageError(f"host {self.host!r} is not a URL", remedy="begin it with http:// or https://")
        for label, text, limit in (
            ("name", self.name, MAX_TEXT_CHARS),
            ("profile", self.profile, MAX_TEXT_CHARS),
            ("tags", " ".join(self.tags), MAX_TEXT_CHARS),
            ("note", self.note, MAX_NOTE_CHARS),
        ):
            if len(text) > limit:
                raise UsageError(f"the run's {label} has {len(text)} characters", remedy=f"use {limit}")
        _check_profile(self)
        return self

    def overridden(self, message: control_service_pb2.RunOptions) -> RunOptions:
        """Returns these options with what `message` sets, checked. Raises `UsageError`."""
        if message.custom_arguments or message.secret_arguments:
            raise UsageError(
                "custom arguments cannot be set by a client yet",
                remedy="give them on the master's command line",
            )
        return replace(
            self,
            users=message.users if message.HasField("users") else self.users,
            spawn_rate=message.spawn_rate if message.HasField("spawn_rate") else self.spawn_rate,
            host=(message.host or None) if message.HasField("host") else self.host,
            run_time_s=(
                (message.run_time_ms / 1000 or None) if message.HasField("run_time_ms") else self.run_time_s
            ),
            user_classes=tuple(message.user_classes) or self.user_classes,
            load_shape=message.load_shape if message.HasField("load_shape") else self.load_shape,
            name=message.name or self.name,
            note=message.note or self.note,
            profile=message.profile or self.profile,
            tags=tuple(message.tags) or self.tags,
            **_profile_of(message, self),
        ).checked()

    def to_message(self) -> control_service_pb2.RunOptions:
        """Returns the options as clients see them."""
        return control_service_pb2.RunOptions(
            users=self.users,
            spawn_rate=self.spawn_rate,
            host=self.host,
            run_time_ms=None if self.run_time_s is None else round(self.run_time_s * 1000),
            user_classes=self.user_classes,
            load_shape=self.load_shape,
            name=self.name,
            note=self.note,
            profile=self.profile,
            tags=self.tags,
            stages=[
                control_service_pb2.Stage(duration_ms=round(stage.duration_s * 1000), users=stage.users)
                for stage in self.stages
            ],
            step_load=None
            if self.step_load is None
            else control_service_pb2.StepLoad(
                users=self.step_load.users, interval_ms=round(self.step_load.interval_s * 1000)
            ),
        )


class _Profile(TypedDict):
    stages: tuple[Stage, ...]
    step_load: StepLoad | None


def _profile_of(message: control_service_pb2.RunOptions, defaults: RunOptions) -> _Profile:
    """Users over time: what the message wants of one kind replaces the defaults of both."""
    if not message.stages and not message.HasField("step_load"):
        return _Profile(stages=defaults.stages, step_load=defaults.step_load)
    step = message.step_load
    return _Profile(
        stages=tuple(Stage(each.duration_ms / 1000, each.users) for each in message.stages),
        step_load=StepLoad(step.users, step.interval_ms / 1000) if message.HasField("step_load") else None,
    )


def _check_profile(options: RunOptions) -> None:
    wanted = [
        name
        for name, given in (
            ("stages", bool(options.stages)),
            ("step load", options.step_load is not None),
            (f"load shape {options.load_shape}", bool(options.load_shape)),
        )
        if given
    ]
    if len(wanted) > 1:
        raise UsageError(f"{' and '.join(wanted)} exclude each other", remedy="choose one")
    if options.stages:
        _check_stages(options.stages)
    if options.step_load is not None:
        _check_steps(options.step_load, options.users)


def _check_stages(stages: tuple[Stage, ...]) -> None:
    if len(stages) > MAX_STAGES:
        raise UsageError(f"{len(stages)} stages are over {MAX_STAGES}", remedy="write a load shape")
    for number, stage in enumerate(stages, start=1):
        if not 0 <= stage.users <= MAX_USERS:
            raise UsageError(
                f"stage {number} of {len(stages)} has {stage.users} users, not between 0 and {MAX_USERS}",
                remedy="give a number in between, such as 60s:100",
            )
        if not 0 <= stage.duration_s <= MAX_RUN_TIME_S:
            raise UsageError(
                f"stage {number} of {len(stages)} takes {stage.duration_s:g} s, which cannot be",
                remedy="give a time like 5m",
            )
    if not sum(stage.duration_s for stage in stages):
        raise UsageError("the stages take no time", remedy="give at least one a time, such as 60s:100")


def _check_steps(steps: StepLoad, users: int) -> None:
    if steps.users < 1 or not 0 < steps.interval_s <= MAX_RUN_TIME_S:
        raise UsageError(
            f"steps of {steps.users} users every {steps.interval_s:g} s cannot be",
            remedy="give at least one user, and a time like 30s",
        )
    if users / steps.users > MAX_STAGES:
        raise UsageError(f"{users} users in steps of {steps.users} are over {MAX_STAGES} steps")


def check_users(users: int) -> None:
    """Raises `UsageError` unless 0 ≤ users ≤ `MAX_USERS`."""
    if not 0 <= users <= MAX_USERS:
        raise UsageError(f"{users} users are not between 0 and {MAX_USERS}", remedy="give a smaller number")


def check_spawn_rate(spawn_rate: float) -> None:
    """Raises `UsageError` unless the rate is a finite number of at least `MIN_SPAWN_RATE`."""
    if not (spawn_rate > 0 and math.isfinite(spawn_rate)):
        raise UsageError(f"spawn rate {spawn_rate} is not above 0", remedy="give users per second, like 10")
    if spawn_rate < MIN_SPAWN_RATE:
        raise UsageError(f"spawn rate {spawn_rate} is below {MIN_SPAWN_RATE}", remedy="give a higher one")
