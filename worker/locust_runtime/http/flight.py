"""The client's side of the contract about requests in flight (it stands at the top of `users.py`).

A flight begins before a request connects and ends in one of three ways: it is recorded, it was interrupted
by the end of its user, or it is dropped without a record (a bug, or an exception of the user's own block).
Nothing else may touch the user's counter.
"""

from __future__ import annotations

from typing import Any, Protocol

Context = dict[str, Any]
RequestMeta = dict[str, Any]
"""The keyword arguments of a request event; a locustfile may edit them inside its `with` block."""


class RequestHook(Protocol):
    """The event that a client reports to: `environment.events.request`, or any hook of a test."""

    def fire(self, **kwargs: Any) -> None: ...


def begin(user: Any) -> None:
    """The user's request is about to connect."""
    if user is not None:
        user._requests_in_flight += 1


def record(user: Any, hook: RequestHook, meta: RequestMeta) -> None:
    """The request has an outcome: reports it, and lets the user go if a stop waits for that.

    Raises GreenletExit in a user that is to stop, and whatever a listener raises to steer the user.
    """
    if user is None:
        hook.fire(**meta)
        return
    # no switch of greenlets between these two, or a stop could slip in and lose the sample
    user._requests_in_flight -= 1
    hook.fire(**meta)
    if user._exit_after_request:
        user._exit_between_requests()


def pause(user: Any) -> None:
    """The request waits for its `with` block to begin; no greenlet switches until then."""
    drop(user)


def interrupt(user: Any, *, sent: bool, request_type: str, name: str) -> None:
    """The user ends before the outcome is known; `sent`: the target may have seen the request."""
    if user is None:
        return
    user._requests_in_flight -= 1
    if sent:
        user.environment.record_interrupted(request_type, name)


def drop(user: Any) -> None:
    """The request ends without a record."""
    if user is not None:
        user._requests_in_flight -= 1
