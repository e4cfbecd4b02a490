"""The exceptions of the locustfile API.

Names and hierarchy are the ones that locustfiles import from `locust.exception`. This module imports
nothing of ours, so that every other module may import it.
"""

from __future__ import annotations

from gevent import GreenletExit


class LocustError(Exception):
    """Base of errors in how a locustfile uses the API."""


class ResponseError(Exception):
    """Raise it inside a `catch_response` block: the request counts as failed, and nothing propagates."""


class CatchResponseError(Exception):
    """What `response.failure("text")` is recorded as."""


class MissingWaitTimeError(LocustError):
    """Neither the TaskSet nor its user says how long to wait between tasks."""


class InterruptTaskSet(Exception):
    """Leaves the running TaskSet and hands control to its parent.

    `reschedule=True` lets the parent pick its next task at once; False lets it wait first.
    """

    def __init__(self, reschedule: bool = True) -> None:
        super().__init__(reschedule)
        self.reschedule = reschedule


class StopTest(Exception):
    """Ends the whole test: a headless run quits, any other one stops."""


class StopUser(Exception):
    """Ends the user that raises it; the others go on, and it is not replaced."""


class RescheduleTask(Exception):
    """Ends the running task early, as `return` would; the user waits, then picks its next task."""


class RescheduleTaskImmediately(Exception):
    """Ends the running task early; the user picks its next task without waiting."""


class RPCError(Exception):
    """A connection between nodes broke. Kept for the name: transport errors stay outside of runners."""


class RPCSendError(Exception):
    """A message could not be sent. Kept for the name."""


class RPCReceiveError(Exception):
    """A message could not be received. Kept for the name."""

    def __init__(self, *args: object, addr: object = None) -> None:
        super().__init__(*args)
        self.addr = addr


class RunnerAlreadyExistsError(Exception):
    """An Environment has one runner, and this one has it already."""


class RequestInterrupted(GreenletExit):
    """A user is being killed and its request is still on the wire.

    Thrown into the user's greenlet by `run.spawner`. A GreenletExit and so no `Exception`: a locustfile's
    `except Exception` cannot swallow it. The contract with clients stands in `users.py`.
    """
