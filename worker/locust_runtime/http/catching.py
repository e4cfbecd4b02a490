"""What a `with` block around a request decides: success, failure, or nothing recorded.

The logic that both clients share. `decide` is the rule, as a function of data; `CatchingResponse` is the
context manager that keeps the verdict and reports it once.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from gevent import GreenletExit

from locust_runtime.exceptions import CatchResponseError, LocustError, ResponseError
from locust_runtime.http import flight


class Ending(enum.Enum):
    """How the request of a `with` block is accounted for."""

    REPORT_VERDICT = enum.auto()
    """The block said success or failure: that is reported."""
    REPORT_STATUS = enum.auto()
    """The block said nothing: the response's status decides."""
    INTERRUPTED = enum.auto()
    """The user was ended inside the block, before a verdict."""
    DROP = enum.auto()
    """An exception of the block's own left it: nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a block ended: what is reported, as which error, and whether its exception stops here."""

    ending: Ending
    error: Exception | None = None
    swallows: bool = False


Verdict = bool | Exception | None
"""True: success. An exception: failure. None: not decided by the block."""


def decide(verdict: Verdict, raised: BaseException | None) -> Decision:
    """The decision on a block that gave `verdict` and was left by the exception `raised`, if any."""
    if verdict is not None:
        error = verdict if isinstance(verdict, Exception) else None
        return Decision(Ending.REPORT_VERDICT, error, swallows=raised is None)
    if raised is None:
        return Decision(Ending.REPORT_STATUS, swallows=True)
    if isinstance(raised, ResponseError):
        return Decision(Ending.REPORT_VERDICT, raised, swallows=True)
    if isinstance(raised, GreenletExit):
        return Decision(Ending.INTERRUPTED)
    return Decision(Ending.DROP)


class CatchingResponse:
    """Mixin of a response that is a context manager with `success()` and `failure()`.

    Whoever makes a response sets the attributes below.
    """

    request_meta: flight.RequestMeta
    """What will be reported; may be edited inside the block."""
    _manual_result: Verdict
    _entered: bool
    _catch_response: bool
    _user: Any
    _request_event: flight.RequestHook

    def __enter__(self) -> Self:
        if not self._catch_response:
            raise LocustError(
                "A request in a with-block needs catch_response=True: "
                "without it, the outcome is recorded already."
            )
        self._entered = True
        flight.begin(self._user)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        decision = decide(self._manual_result, exc)
        meta = self.request_meta
        if decision.ending is Ending.DROP:
            flight.drop(self._user)
        elif decision.ending is Ending.INTERRUPTED:
            flight.interrupt(self._user, sent=True, request_type=meta["request_type"], name=meta["name"])
        else:
            if decision.ending is Ending.REPORT_VERDICT:
                meta["exception"] = decision.error
            elif (error := self._status_error()) is not None:
                meta["exception"] = error
            flight.record(self._user, self._request_event, meta)
        return decision.swallows

    def success(self) -> None:
        """The request counts as successful, whatever its status. Only inside a `with` block."""
        self._require_block("success")
        self._manual_result = True

    def failure(self, exc: object) -> None:
        """The request counts as failed with `exc`; anything but an exception becomes a CatchResponseError.

        Only inside a `with` block. The last verdict counts.
        """
        self._require_block("failure")
        self._manual_result = exc if isinstance(exc, Exception) else CatchResponseError(exc)

    def _require_block(self, verdict: str) -> None:
        if not self._catch_response:
            raise LocustError(
                f"response.{verdict}() needs catch_response=True in the request, and a with-block."
            )
        if not self._entered:
            raise LocustError(
                f"response.{verdict}() was called outside of a with-block. Write it as:\n\n"
                "with self.client.request(..., catch_response=True) as response:\n"
                f"    response.{verdict}(...)"
            )

    def _status_error(self) -> BaseException | None:
        """The failure that the response stands for when the block gave no verdict; None is success."""
        raise NotImplementedError
