"""Guards changes: a repeated request gets its first answer, a wish made on an old state is told so."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from locust_master.refusals import NotOnGeneration
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import control_service_pb2

REMEMBERED_S = 600.0
"""Seconds for which an answer is given again to the same request id."""

MAX_REMEMBERED = 10_000
"""Answers kept at most, the oldest dropped first."""

MAX_ID_CHARS = 100
"""Characters in a request id or an actor."""


@dataclass(slots=True)
class CommandGate:
    """Answers given, by request id, with the time in seconds."""

    _answers: OrderedDict[str, tuple[float, control_service_pb2.CommandResult]] = field(
        default_factory=OrderedDict
    )

    def earlier_answer(
        self, precondition: control_service_pb2.Precondition, *, now_s: float
    ) -> control_service_pb2.CommandResult | None:
        """Returns the first answer to this request id, marked as replayed; None when it is new."""
        if not precondition.request_id:
            raise UsageError("the request has no request id", remedy="make a new one for each wish")
        if max(len(precondition.request_id), len(precondition.actor)) > MAX_ID_CHARS:
            raise UsageError(f"request id or actor is over {MAX_ID_CHARS} characters", remedy="shorten it")
        self._forget(now_s)
        kept = self._answers.get(precondition.request_id)
        if kept is None:
            return None
        return replayed(kept[1])

    def check_generation(
        self, precondition: control_service_pb2.Precondition, *, commanded: int, newest: int, last_actor: str
    ) -> None:
        """Raises `NotOnGeneration` when somebody's wish was carried out since the state it was made on.

        `commanded` is the newest generation that a wish led to. Later ones, up to the `newest`, came of
        workers that joined or left: nobody's wish is another one because of that.
        """
        if not precondition.HasField("expected_generation"):
            return
        if not commanded <= precondition.expected_generation <= newest:
            raise NotOnGeneration(
                f"the run was changed meanwhile by {last_actor or 'the master'}",
                remedy="look at the present state and ask again",
            )

    def remember(
        self,
        precondition: control_service_pb2.Precondition,
        result: control_service_pb2.CommandResult,
        *,
        now_s: float,
    ) -> None:
        """Keeps an answer."""
        self._answers[precondition.request_id] = (now_s, result)
        if len(self._answers) > MAX_REMEMBERED:
            self._answers.popitem(last=False)

    def _forget(self, now_s: float) -> None:
        while self._answers:
            oldest = next(iter(self._answers))
            if now_s - self._answers[oldest][0] <= REMEMBERED_S:
                return
            del self._answers[oldest]


def replayed(result: control_service_pb2.CommandResult) -> control_service_pb2.CommandResult:
    """Returns a copy of an answer that says that it was given before."""
    again = control_service_pb2.CommandResult()
    again.CopyFrom(result)
    again.replayed = True
    return again
