"""What `import locust` gives in a runner: Locust's public names, all of them ours.

`import_hook` maps the name `locust` to this package and loads its submodules first. It only gathers; but
for the one `events` object that a locustfile and its Environment share, it defines nothing.
"""

from locust_runtime import argument_parser, debug, log, runners, shape, stats, wait_time
from locust_runtime import environment as env
from locust_runtime import events as event
from locust_runtime import exceptions as exception
from locust_runtime.debug import run_single_user
from locust_runtime.facade import clients, contrib, dispatch, rpc, user
from locust_runtime.facade import spans as util
from locust_runtime.http.fast_user import FastHttpUser
from locust_runtime.http.users import HttpUser
from locust_runtime.locustfile_events import events
from locust_runtime.markov import MarkovTaskSet, transition, transitions
from locust_runtime.sequential import SequentialTaskSet
from locust_runtime.shape import LoadTestShape
from locust_runtime.tags import tag
from locust_runtime.tasks import TaskSet, task
from locust_runtime.users import User
from locust_runtime.wait_time import between, constant, constant_pacing, constant_throughput, poisson

__version__ = "2.47.0"
"""The version of Locust whose API this follows; ours is `locust_runtime.__version__`."""

__all__ = [
    "FastHttpUser",
    "HttpUser",
    "LoadTestShape",
    "MarkovTaskSet",
    "SequentialTaskSet",
    "TaskSet",
    "User",
    "__version__",
    "argument_parser",
    "between",
    "clients",
    "constant",
    "constant_pacing",
    "constant_throughput",
    "contrib",
    "debug",
    "dispatch",
    "env",
    "event",
    "events",
    "exception",
    "log",
    "poisson",
    "rpc",
    "run_single_user",
    "runners",
    "shape",
    "stats",
    "tag",
    "task",
    "transition",
    "transitions",
    "user",
    "util",
    "wait_time",
]
