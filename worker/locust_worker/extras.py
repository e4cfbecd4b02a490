"""What goes along with statistics: events, logs, custom messages, data of listeners, exemplars.

They wait here until the next report takes them, in a run or outside of one. Each kind has a bound; past it
the oldest goes, is counted, and `dropped` tells the next report's log how many there were.

Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from locust_protocol.limits import MAX_CUSTOM_MESSAGES_PER_REPORT, MAX_EVENTS_PER_REPORT
from locust_protocol.v1 import report_pb2, value_pb2

MAX_LOGS_PER_REPORT = 200
"""Log records in one report, of the agent and all its runners."""

MAX_WAITING_LOGS = 2_000
"""Log records that wait; a log storm must not grow the agent."""

MAX_WAITING_MESSAGES = 1_000
"""Custom messages that wait; they are delivered at most once anyway."""

MAX_WAITING_EVENTS = 1_000
"""Events that wait; each runner makes a few a minute at most."""

MAX_WAITING_DATA = 20_000
"""Entries of report_to_master data that wait: those of 8 runners over the time that a master may be away."""

MAX_WAITING_EXEMPLARS = 200
"""Exemplars that wait; they are examples."""

MAX_EXEMPLARS_PER_REPORT = 50
"""Exemplars in one report: up to 2 KiB each."""

Piece = (
    report_pb2.RunnerData
    | report_pb2.WorkerEvent
    | report_pb2.LogRecord
    | value_pb2.CustomMessage
    | report_pb2.Exemplar
)
"""One thing that goes along with a report."""


@dataclass(slots=True)
class _Waiting:
    field: str
    name: str
    per_report: int
    entries: deque[Piece]
    dropped: int = 0


class Extras:
    """Bounded queues of all that is no sample, by the field of `Report` that it goes into."""

    def __init__(self) -> None:
        self._waiting = {
            each.field: each
            for each in (
                _waiting("user_data", "listener data", MAX_WAITING_DATA, MAX_WAITING_DATA),
                _waiting("events", "events", MAX_EVENTS_PER_REPORT, MAX_WAITING_EVENTS),
                _waiting("logs", "log records", MAX_LOGS_PER_REPORT, MAX_WAITING_LOGS),
                _waiting("messages", "custom messages", MAX_CUSTOM_MESSAGES_PER_REPORT, MAX_WAITING_MESSAGES),
                _waiting("exemplars", "exemplars", MAX_EXEMPLARS_PER_REPORT, MAX_WAITING_EXEMPLARS),
            )
        }

    def put(self, field: str, piece: Piece) -> None:
        """Adds one, named by its field of `Report`."""
        waiting = self._waiting[field]
        if len(waiting.entries) == waiting.entries.maxlen:
            waiting.dropped += 1
        waiting.entries.append(piece)

    def put_back(self, report: report_pb2.Report) -> None:
        """Puts in front what a report carried that will never be sent as it is."""
        for waiting in self._waiting.values():
            entries: list[Piece] = list(getattr(report, waiting.field))
            for piece in reversed(entries):
                if len(waiting.entries) == waiting.entries.maxlen:
                    waiting.dropped += 1
                else:
                    waiting.entries.appendleft(piece)

    def take(self) -> Iterator[tuple[str, Piece]]:
        """Removes what one report may carry; yields each with its field."""
        for waiting in self._waiting.values():
            for _ in range(min(waiting.per_report, len(waiting.entries))):
                yield waiting.field, waiting.entries.popleft()

    def take_dropped(self) -> list[str]:
        """Returns a sentence for each kind of which something was dropped since the last call."""
        sentences = []
        for waiting in self._waiting.values():
            if waiting.dropped:
                sentences.append(f"{waiting.dropped} {waiting.name} were dropped: too many for one second")
                waiting.dropped = 0
        return sentences

    @property
    def is_empty(self) -> bool:
        """True when nothing waits."""
        return not any(waiting.entries for waiting in self._waiting.values())


def _waiting(field: str, name: str, per_report: int, limit: int) -> _Waiting:
    return _Waiting(field, name, per_report, deque(maxlen=limit))
