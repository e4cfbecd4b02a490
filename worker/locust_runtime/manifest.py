"""What a locustfile offers, as the message that master and screens read.

Classes in, message out; nothing is run and nothing is changed. Arguments that the locustfile adds are filled
in by whoever parses a command line with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from locust_protocol.v1.manifest_pb2 import LoadShape, Manifest, TaskNode, UserClass
from locust_runtime.http.fast_user import FastHttpUser
from locust_runtime.http.users import HttpUser
from locust_runtime.loader import LoadedCode
from locust_runtime.shape import LoadTestShape
from locust_runtime.users import User

MAX_TASK_DEPTH = 16
"""Levels of nested task sets that are shown; a set may contain itself."""

MAX_SUMMARY_CHARS = 200
"""Characters of a class's summary: a line on a wide screen."""


def build_manifest(code: LoadedCode, *, bundle_digest: bytes) -> Manifest:
    """Return the manifest of loaded code; `bundle_digest` is empty for a folder of the user's own."""
    return Manifest(
        bundle_digest=bundle_digest,
        user_classes=[_user_class(each) for each in code.user_classes.values()],
        load_shapes=[_load_shape(each) for each in code.shape_classes.values()],
        locustfile=",".join(code.files),
    )


def _user_class(user_class: type[User]) -> UserClass:
    message = UserClass(
        name=user_class.__name__,
        weight=float(user_class.weight),
        fixed_count=int(user_class.fixed_count),
        tasks=_task_nodes(user_class, depth=1),
        summary=_summary(user_class),
        needs_host=issubclass(user_class, HttpUser | FastHttpUser),
    )
    if user_class.host is not None:
        message.host = str(user_class.host)
    return message


def _load_shape(shape_class: type[LoadTestShape]) -> LoadShape:
    return LoadShape(name=shape_class.__name__, uses_common_options=bool(shape_class.use_common_options))


def _task_nodes(holder: Any, *, depth: int) -> list[TaskNode]:
    """The tasks of a user class or task set, each once, with how often it stands in the list."""
    # Steps of a Markov chain are kept apart from the tasks; which comes next depends on the one before.
    steps: Mapping[str, Any] = getattr(holder, "_markov_tasks", None) or {}
    tasks: Sequence[Any] = list(steps.values()) or list(getattr(holder, "tasks", None) or ())
    weights: dict[Any, int] = {}
    for task in tasks:
        weights[task] = weights.get(task, 0) + 1
    return [_task_node(task, weight, depth) for task, weight in weights.items()]


def _task_node(task: Any, weight: int, depth: int) -> TaskNode:
    return TaskNode(
        name=getattr(task, "__name__", None) or repr(task),
        weight=weight,
        tags=sorted(getattr(task, "locust_tag_set", ())),
        tasks=_task_nodes(task, depth=depth + 1) if isinstance(task, type) and depth < MAX_TASK_DEPTH else (),
    )


def _summary(documented: type) -> str:
    """The first line of the class's own docstring."""
    lines = (documented.__doc__ or "").strip().splitlines()
    return lines[0].strip()[:MAX_SUMMARY_CHARS] if lines else ""
