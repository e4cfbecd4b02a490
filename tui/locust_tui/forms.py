"""From what a person typed to options of a run, or to what is wrong with it, field by field. Pure.

Says nothing about what the master knows better (a host that no class has, a class that is unknown): that
refusal comes from the master in its own words.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from locust_protocol.process.timespan import parse_timespan
from locust_protocol.v1.control_service_pb2 import GetManifestResponse, RunOptions
from locust_tui import formats

MAX_USERS = 1_000_000
"""Users that a master accepts; more is a slip of the finger."""


class Field(enum.Enum):
    """A field of the start and the edit form."""

    USERS = "users"
    SPAWN_RATE = "spawn rate"
    HOST = "host"
    RUN_TIME = "run time"
    CLASSES = "user classes"


@dataclass(frozen=True, slots=True)
class StartFields:
    """What the start form holds; `load_shape` is None where the locustfile has none to choose from."""

    users: str = "1"
    spawn_rate: str = "1"
    host: str = ""
    run_time: str = ""
    classes: tuple[str, ...] = ()
    load_shape: str | None = None


@dataclass(frozen=True, slots=True)
class StartForm:
    """Options to start with, or what keeps one from it."""

    options: RunOptions
    problems: Mapping[Field, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EditForm:
    """New users and rate, or what keeps one from them."""

    users: int | None
    spawn_rate: float | None
    problems: Mapping[Field, str] = field(default_factory=dict)


def initial_fields(manifest: GetManifestResponse) -> StartFields:
    """Returns what the start form shows first: the master's own defaults."""
    defaults = manifest.defaults
    shapes = manifest.manifest.load_shapes
    return StartFields(
        users=str(defaults.users) if defaults.HasField("users") else "1",
        spawn_rate=formats.number(defaults.spawn_rate) if defaults.HasField("spawn_rate") else "1",
        host=formats.plain(defaults.host) if defaults.HasField("host") else "",
        run_time=formats.run_time(defaults.run_time_ms) if defaults.run_time_ms else "",
        classes=tuple(defaults.user_classes) or tuple(each.name for each in manifest.manifest.user_classes),
        load_shape=_initial_shape(defaults, shapes[0].name if shapes else None),
    )


def uses_users_and_rate(manifest: GetManifestResponse | None, load_shape: str | None) -> bool:
    """Tells whether users and spawn rate mean anything beside the chosen shape."""
    if manifest is None or not load_shape:
        return True
    return any(
        shape.name == load_shape and shape.uses_common_options for shape in manifest.manifest.load_shapes
    )


def host_hint(manifest: GetManifestResponse | None) -> str:
    """Returns what an empty host field means: the hosts of the classes, or whether one is needed."""
    if manifest is None:
        return ""
    hosts = list(dict.fromkeys(each.host for each in manifest.manifest.user_classes if each.HasField("host")))
    if any(each.needs_host and not each.host for each in manifest.manifest.user_classes):
        return "a class has no host: give one, such as https://shop.test"
    if not hosts:
        return "no class needs one"
    return "as the classes have it: " + formats.plain(", ".join(hosts))


def read_start(fields: StartFields, *, manifest: GetManifestResponse | None) -> StartForm:
    """Returns the options that the fields stand for, with a problem for each that is off."""
    problems: dict[Field, str] = {}
    options = RunOptions(host=fields.host.strip())  # an empty one takes the command line's away
    if uses_users_and_rate(manifest, fields.load_shape):
        users, spawn_rate = _users(fields.users, problems), _spawn_rate(fields.spawn_rate, problems)
        if users is not None:
            options.users = users
        if spawn_rate is not None:
            options.spawn_rate = spawn_rate
    run_time_ms = _run_time_ms(fields.run_time, problems)
    if run_time_ms is not None:
        options.run_time_ms = run_time_ms
    if fields.load_shape is not None:
        options.load_shape = fields.load_shape
    if problem := _host_problem(fields.host):
        problems[Field.HOST] = problem
    if manifest is not None and manifest.manifest.user_classes and not fields.classes:
        problems[Field.CLASSES] = "choose one at least"
    if manifest is None or manifest.defaults.user_classes or _are_some(fields.classes, manifest):
        options.user_classes.extend(fields.classes)
    return StartForm(options, problems)


def read_edit(*, users: str, spawn_rate: str) -> EditForm:
    """Returns users and rate that the fields stand for."""
    problems: dict[Field, str] = {}
    return EditForm(_users(users, problems), _spawn_rate(spawn_rate, problems), problems)


def ramp_text(*, users_now: int, users_then: int, spawn_rate: float) -> str:
    """Returns what an edit will do: "120 → 200 users, in 8 s"."""
    change = abs(users_then - users_now)
    if change == 0:
        return f"{formats.count(users_now)} users, as now"
    seconds = math.ceil(change / spawn_rate)
    length = f"{seconds} s" if seconds < 120 else formats.duration(1_000 * seconds)
    return f"{formats.count(users_now)} → {formats.count(users_then)} users, in {length}"


def _initial_shape(defaults: RunOptions, only_shape: str | None) -> str | None:
    if only_shape is None:
        return None
    return defaults.load_shape if defaults.HasField("load_shape") else only_shape


def _are_some(classes: Sequence[str], manifest: GetManifestResponse) -> bool:
    return len(classes) < len(manifest.manifest.user_classes)


def _users(text: str, problems: dict[Field, str]) -> int | None:
    try:
        users = int(text.replace(",", "").replace("_", ""))
    except ValueError:
        problems[Field.USERS] = "a whole number"
        return None
    if not 0 <= users <= MAX_USERS:
        problems[Field.USERS] = f"from 0 to {MAX_USERS:,}"
        return None
    return users


def _spawn_rate(text: str, problems: dict[Field, str]) -> float | None:
    try:
        spawn_rate = float(text)
    except ValueError:
        problems[Field.SPAWN_RATE] = "a number, such as 0.5"
        return None
    if not (math.isfinite(spawn_rate) and spawn_rate > 0):
        problems[Field.SPAWN_RATE] = "above 0"
        return None
    return spawn_rate


def _run_time_ms(text: str, problems: dict[Field, str]) -> int | None:
    """Milliseconds, 0 for a run without an end; None when the text stands for neither."""
    if not text.strip():
        return 0
    try:
        seconds = parse_timespan(text)
    except ValueError:
        problems[Field.RUN_TIME] = "such as 300s, 20m or 1h30m"
        return None
    if seconds <= 0:
        problems[Field.RUN_TIME] = "above 0, or empty"
        return None
    return round(1_000 * seconds)


def _host_problem(text: str) -> str:
    host = text.strip()
    if any(character.isspace() for character in host):
        return "without spaces"
    if host and "://" not in host:
        return "begin it with http:// or https://"
    return ""
