"""What a run was asked to do, checked once, whoever asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of one run. `run_time_s` None: until it is stopped; `load_shape` None: the only one, if any."""

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
        )


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
