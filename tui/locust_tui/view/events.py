"""What the list of events shows: what should be known now, then what happened, the newest first. Pure."""

from __future__ import annotations

from locust_protocol.v1.snapshot_pb2 import RunEvent, RunEventKind
from locust_tui import formats
from locust_tui.model import Picture
from locust_tui.view.filters import RowFilter
from locust_tui.view.header import WARNINGS
from locust_tui.view.layout import Field, table, text_piece
from locust_tui.view.shapes import Piece, Table, Tone

EVENTS: dict[int, tuple[str, Tone]] = {
    RunEventKind.RUN_EVENT_KIND_STARTED: ("started", Tone.GOOD),
    RunEventKind.RUN_EVENT_KIND_EDITED: ("edited", Tone.ACCENT),
    RunEventKind.RUN_EVENT_KIND_SPAWNED: ("spawned", Tone.GOOD),
    RunEventKind.RUN_EVENT_KIND_RESET: ("reset", Tone.ACCENT),
    RunEventKind.RUN_EVENT_KIND_STOPPING: ("stopping", Tone.WARN),
    RunEventKind.RUN_EVENT_KIND_STOPPED: ("stopped", Tone.PLAIN),
    RunEventKind.RUN_EVENT_KIND_WORKER_JOINED: ("joined", Tone.PLAIN),
    RunEventKind.RUN_EVENT_KIND_WORKER_LEFT: ("left", Tone.WARN),
    RunEventKind.RUN_EVENT_KIND_WORKER_LOST: ("lost", Tone.BAD),
    RunEventKind.RUN_EVENT_KIND_FENCED: ("fenced", Tone.BAD),
    RunEventKind.RUN_EVENT_KIND_MARK: ("mark", Tone.STRONG),
    RunEventKind.RUN_EVENT_KIND_STAGE: ("stage", Tone.ACCENT),
    RunEventKind.RUN_EVENT_KIND_THRESHOLD: ("threshold", Tone.BAD),
    RunEventKind.RUN_EVENT_KIND_RUNNER: ("runner", Tone.WARN),
    RunEventKind.RUN_EVENT_KIND_RESUMED: ("resumed", Tone.WARN),
}


def events(picture: Picture, *, width: int, row_filter: RowFilter) -> Table:
    """Returns what should be known now, then what happened, the newest first."""
    fields: tuple[Field[tuple[str, str, Tone, str, str]], ...] = (
        Field("at", "at", 10, lambda item: Piece(item[0], Tone.MUTED)),
        Field("kind", " what", 17, lambda item: Piece(f" {item[1]}", item[2]), is_right_aligned=False),
        Field("text", "event", 0, lambda item: text_piece(item[3]), is_right_aligned=False, least=48),
        Field(
            "actor", "by", 18, lambda item: text_piece(item[4], Tone.MUTED), drop=1, is_right_aligned=False
        ),
    )
    now = [
        (
            f"warning {each.kind} {each.text}",
            ("now", *WARNINGS.get(each.kind, ("note", Tone.PLAIN)), each.text, ""),
        )
        for each in picture.warnings
    ]
    past = [
        (f"event {each.id}", (formats.duration(each.at_ms), *_event_word(each), each.text, each.actor))
        for _, each in sorted(picture.events.items(), reverse=True)
    ]
    return table(fields, [*now, *past], width=width, row_filter=row_filter, empty="no events yet")


def _event_word(event: RunEvent) -> tuple[str, Tone]:
    return EVENTS.get(event.kind, ("note", Tone.PLAIN))


def newest_event(picture: Picture) -> Piece | None:
    """Returns the newest event as one line."""
    if not picture.events:
        return None
    event = picture.events[max(picture.events)]
    word, tone = _event_word(event)
    by = f" (by {event.actor})" if event.actor else ""
    return text_piece(f"{formats.duration(event.at_ms)} {word}: {event.text}{by}", tone)


def event_text(picture: Picture, key: str) -> str:
    """Returns one event or warning in full."""
    kind, _, rest = key.partition(" ")
    if kind == "warning":
        return formats.plain_lines(rest.partition(" ")[2])
    event = picture.events.get(int(rest))
    return "" if event is None else formats.plain_lines(f"{event.text}\n\n{event.actor}")
