"""`locust.user.task`: tasks, sets of tasks, and tags."""

from locust_runtime.tags import filter_tasks_by_tags, tag
from locust_runtime.tasks import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    DefaultTaskSet,
    TaskSet,
    TaskSetMeta,
    task,
)

__all__ = [
    "LOCUST_STATE_RUNNING",
    "LOCUST_STATE_STOPPING",
    "LOCUST_STATE_WAITING",
    "DefaultTaskSet",
    "TaskSet",
    "TaskSetMeta",
    "filter_tasks_by_tags",
    "tag",
    "task",
]
