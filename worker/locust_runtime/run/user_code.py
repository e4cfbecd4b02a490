"""From a `Load` to a locustfile that is ready: code loaded, options parsed, Environment made, `init` fired.

Both roles of this program do exactly this; they differ in the runner that user code is shown.
"""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

from locust_protocol.process.errors import UsageError
from locust_protocol.runner.v1.link_pb2 import Load, LoadFailed
from locust_protocol.v1.assignment_pb2 import RunSettings
from locust_protocol.v1.manifest_pb2 import Manifest
from locust_runtime.environment import Environment
from locust_runtime.loader import LoadedCode, LocustfileError, load_locustfiles, reporting_errors
from locust_runtime.locustfile_events import events
from locust_runtime.manifest import build_manifest
from locust_runtime.run.options import parse_arguments
from locust_runtime.runners import Runner
from locust_runtime.users import User

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UserCode:
    """A locustfile that is ready to be run."""

    code: LoadedCode
    environment: Environment
    manifest: Manifest
    """Without custom arguments."""
    hosts: dict[type[User], str | None]
    """The host of each class as the locustfile has it, which a run may override."""


def load_user_code(load: Load, make_runner: Callable[[Environment], Runner]) -> UserCode:
    """Load the locustfile and bring it to where Locust's `init` event leaves it.

    `make_runner` makes what becomes `environment.runner`. Raises `LocustfileError`.
    """
    code = load_locustfiles(load.directory, list(load.locustfiles))
    first_file = code.files[0] if code.files else "locustfile.py"
    if not code.user_classes:
        raise LocustfileError(
            "there is no User class in it (classes with abstract = True aside)", file=first_file
        )
    options = parse_settings(load.settings, file=first_file)
    hosts = {each: each.host for each in code.user_classes.values()}
    with reporting_errors(first_file):
        environment = _make_environment(load.settings, code, options)
        environment.attach_runner(make_runner(environment))
        # Not through fire(), which logs what a listener raises and goes on: here it is fatal.
        for listener in list(events.init._handlers):
            listener(environment=environment, runner=environment.runner, web_ui=None)
        if options.equal_weights:
            environment.assign_equal_weights()
        manifest = build_manifest(code, bundle_digest=load.bundle_digest)
    return UserCode(code=code, environment=environment, manifest=manifest, hosts=hosts)


def parse_settings(settings: RunSettings, *, file: str) -> Namespace:
    """The options of a run as user code sees them. Raises `LocustfileError`, which names `file`."""
    try:
        with reporting_errors(file):
            options = parse_arguments(settings.arguments, settings.secret_arguments, events)
    except LocustfileError as error:
        if isinstance(error.__cause__, UsageError):
            raise LocustfileError(str(error.__cause__), file=file) from error
        raise
    if settings.HasField("host"):
        options.host = settings.host
    return options


def renew_options(environment: Environment, settings: RunSettings) -> bool:
    """Bring `parsed_options` to the settings of a run, in place: user code may hold on to the object.

    False when the locustfile refuses them: then those before stay, and that is logged.
    """
    try:
        options = parse_settings(settings, file=environment.locustfile or "")
    except LocustfileError as error:
        logger.error("the options of the run are refused, those before stay: %s", error.message)
        return False
    if environment.parsed_options is None:
        environment.parsed_options = options
    else:
        vars(environment.parsed_options).update(vars(options))
    return True


def load_failed(error: LocustfileError) -> LoadFailed:
    """The error as a message."""
    return LoadFailed(file=error.file, line=error.line, message=error.message, traceback=error.traceback_text)


def _make_environment(settings: RunSettings, code: LoadedCode, options: Namespace) -> Environment:
    unknown = [name for name in settings.user_classes if name not in code.user_classes]
    if unknown:
        known = ", ".join(code.user_classes)
        raise LocustfileError(
            f"there is no user class {unknown[0]!r}; there are: {known}", file=code.files[0]
        )
    shapes = {name: shape_class() for name, shape_class in code.shape_classes.items()}
    return Environment(
        user_classes=[code.user_classes[name] for name in settings.user_classes or code.user_classes],
        shape_class=next(iter(shapes.values()), None),
        locustfile=os.path.basename(code.files[0]),
        events=events,
        host=settings.host or None,
        stop_timeout=settings.stop_timeout_ms / 1000,
        tags=options.tags,
        exclude_tags=options.exclude_tags,
        profile=options.profile,
        reset_stats=options.reset_stats,
        parsed_options=options,
        parsed_locustfiles=list(code.files),
        available_user_classes=dict(code.user_classes),
        available_shape_classes=shapes,
        available_user_tasks={name: list(each.tasks) for name, each in code.user_classes.items()},
    )
