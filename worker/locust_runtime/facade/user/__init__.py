"""`locust.user`. Its `task` is the decorator, although there is a submodule of that name."""

# First: importing a submodule binds its name here, and the decorator must have the last word.
from locust_runtime.facade.user import task as _task_module  # noqa: F401  isort: skip
from locust_runtime import markov as markov_taskset
from locust_runtime import sequential as sequential_taskset
from locust_runtime import wait_time
from locust_runtime.facade.user import users
from locust_runtime.http.users import HttpUser
from locust_runtime.tags import tag
from locust_runtime.tasks import TaskSet, task
from locust_runtime.users import User

__all__ = [
    "HttpUser",
    "TaskSet",
    "User",
    "markov_taskset",
    "sequential_taskset",
    "tag",
    "task",
    "users",
    "wait_time",
]
