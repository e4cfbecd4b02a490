"""Tags on tasks, and the choice of tasks by them.

Filtering rewrites the `tasks` lists of classes, once, before users start; it must not be done twice with
other tags, since what was filtered out is gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

TaggedT = TypeVar("TaggedT", bound=Callable[..., Any])


def tag(*tags: str) -> Callable[[TaggedT], TaggedT]:
    """Tags a task, or every task of a TaskSet class, for `--tags` and `--exclude-tags`.

    Raises ValueError without a name (`@tag` and `@tag()`).
    """
    if not tags or not all(isinstance(name, str) for name in tags):
        raise ValueError("@tag needs at least one name: @tag('checkout')")

    def attach(decorated: TaggedT) -> TaggedT:
        if hasattr(decorated, "tasks"):
            decorated.tasks = [tag(*tags)(inner) for inner in decorated.tasks]
            return decorated
        # Its own set: one that was inherited belongs to the parent as well.
        own: set[str] = vars(decorated).get("locust_tag_set", set())
        decorated.locust_tag_set = own | set(tags)  # type: ignore[attr-defined]
        return decorated

    return attach


def filter_tasks_by_tags(
    task_holder: Any,
    tags: set[str] | None = None,
    exclude_tags: set[str] | None = None,
    checked: dict[Any, bool] | None = None,
) -> None:
    """Removes from a User or TaskSet class, and from those nested in it, the tasks that were not asked for.

    With `tags`, a task needs one of them; with `exclude_tags`, it may have none of those; exclusion wins.
    A TaskSet stays while it has a task left. `checked` remembers verdicts during the recursion.
    """
    verdicts = {} if checked is None else checked
    kept = []
    for candidate in task_holder.tasks:
        if candidate not in verdicts:
            verdicts[candidate] = _is_wanted(candidate, tags, exclude_tags, verdicts)
        if verdicts[candidate]:
            kept.append(candidate)
    task_holder.tasks = kept
    if not kept and not _has_other_tasks(task_holder):
        logger.warning(
            "%s has no tasks left after filtering by tags: its users will fail", task_holder.__name__
        )


def _is_wanted(
    candidate: Any, tags: set[str] | None, exclude_tags: set[str] | None, verdicts: dict[Any, bool]
) -> bool:
    if hasattr(candidate, "tasks"):
        filter_tasks_by_tags(candidate, tags, exclude_tags, verdicts)
        return bool(candidate.tasks) or _has_other_tasks(candidate)
    own: set[str] = getattr(candidate, "locust_tag_set", set())
    if exclude_tags is not None and own & exclude_tags:
        return False
    return tags is None or bool(own & tags)


def _has_other_tasks(task_holder: Any) -> bool:
    """A Markov chain keeps its tasks elsewhere, and is never filtered."""
    return bool(getattr(task_holder, "_markov_tasks", None))
