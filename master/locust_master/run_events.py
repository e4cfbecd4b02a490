"""Events on the run's timeline. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from locust_protocol.v1 import snapshot_pb2

MAX_EVENTS = 2_000
"""Events kept in memory for one run; older ones are in the store only."""


@dataclass(slots=True)
class EventLog:
    """Events of one run, in order, numbered from 1. `on_added` is told each, whoever adds it."""

    events: list[snapshot_pb2.RunEvent] = field(default_factory=list)
    on_added: Callable[[snapshot_pb2.RunEvent], None] | None = None
    _count: int = 0

    def add(
        self, kind: snapshot_pb2.RunEventKind.ValueType, text: str, *, at_ms: int, actor: str = ""
    ) -> snapshot_pb2.RunEvent:
        """Adds an event and returns it."""
        self._count += 1
        event = snapshot_pb2.RunEvent(id=self._count, at_ms=at_ms, kind=kind, text=text, actor=actor)
        self.events.append(event)
        if len(self.events) > MAX_EVENTS:
            del self.events[0]
        if self.on_added is not None:
            self.on_added(event)
        return event

    @classmethod
    def restored(cls, events: Sequence[snapshot_pb2.RunEvent]) -> EventLog:
        """Returns a log that goes on after `events`."""
        return cls(list(events[-MAX_EVENTS:]), _count=events[-1].id if events else 0)

    def after(self, event_id: int) -> list[snapshot_pb2.RunEvent]:
        """Returns the events that came after the one with this number."""
        return [event for event in self.events if event.id > event_id]

    @property
    def last_id(self) -> int:
        """Number of the newest event, 0 when there is none."""
        return self._count
