"""What stands above every screen: two lines of facts and, in trouble, a banner. Pure.

What a person must know stands top left and never moves: the state as a word in its colour, then the host.
The figures at the right have fixed widths, so that nothing jumps when a digit is added.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from locust_protocol.v1.report_pb2 import WorkerState
from locust_protocol.v1.snapshot_pb2 import RunState, WarningKind
from locust_tui import connection, formats
from locust_tui.connection import Link, LinkPhase
from locust_tui.model import Picture
from locust_tui.view.shapes import Line, Piece, Tone

STATES: dict[int, tuple[str, Tone]] = {
    RunState.RUN_STATE_READY: ("READY", Tone.READY_STATE),
    RunState.RUN_STATE_SPAWNING: ("SPAWNING", Tone.SPAWNING_STATE),
    RunState.RUN_STATE_RUNNING: ("RUNNING", Tone.RUNNING_STATE),
    RunState.RUN_STATE_STOPPING: ("STOPPING", Tone.STOPPING_STATE),
    RunState.RUN_STATE_STOPPED: ("STOPPED", Tone.STOPPED_STATE),
}

WARNINGS: dict[int, tuple[str, Tone]] = {
    WarningKind.WARNING_KIND_DEGRADED: ("DEGRADED", Tone.BAD),
    WarningKind.WARNING_KIND_STORE: ("STORE", Tone.BAD),
    WarningKind.WARNING_KIND_REFUSED: ("REFUSED", Tone.BAD),
    WarningKind.WARNING_KIND_GENERATOR_BOUND: ("GENERATOR-BOUND", Tone.WARN),
    WarningKind.WARNING_KIND_OVERSUBSCRIBED: ("OVERSUBSCRIBED", Tone.WARN),
    WarningKind.WARNING_KIND_NAMES_LIMITED: ("NAMES LIMITED", Tone.WARN),
    WarningKind.WARNING_KIND_INSECURE: ("INSECURE", Tone.BAD),
}
"""Word and tone of each kind of warning, the gravest first."""

_STATE_WIDTH = 10
_ABSENT = frozenset({WorkerState.WORKER_STATE_UNSPECIFIED, WorkerState.WORKER_STATE_MISSING})


@dataclass(frozen=True, slots=True)
class Header:
    """Two lines that are always there, and one more in trouble."""

    first: Line
    second: Line
    banner: Line = ()


def is_stale(picture: Picture, link: Link, *, now_s: float, news_s: float) -> bool:
    """Tells whether the numbers may be old: the master is lost, or silent while a run goes on."""
    if not picture.is_known:
        return False
    if link.phase is not LinkPhase.CONNECTED:
        return True
    return picture.is_moving and now_s - news_s > connection.SILENT_AFTER_S


def header(picture: Picture, link: Link, *, now_s: float, news_s: float, width: int) -> Header:
    """Returns the header; `news_s` is the monotonic second of the newest snapshot."""
    if not picture.is_known:
        return _unknown_header(link, now_s, width)
    stale = is_stale(picture, link, now_s=now_s, news_s=news_s)
    word, tone = ("STALE", Tone.TROUBLE_STATE) if stale else state_word(picture)
    return Header(
        first=_first_line(picture, word, tone, width),
        second=_second_line(picture, width),
        banner=_banner(picture, link, stale=stale, now_s=now_s, news_s=news_s, width=width),
    )


def state_word(picture: Picture) -> tuple[str, Tone]:
    """Returns the state of the run as a word and its tone."""
    return STATES.get(picture.run.state, STATES[RunState.RUN_STATE_READY])


def present_workers(picture: Picture) -> int:
    """Returns how many workers are here."""
    return sum(
        1
        for worker in picture.workers
        if worker.state not in _ABSENT and worker.state != WorkerState.WORKER_STATE_GONE
    )


def missing_workers(picture: Picture) -> int:
    """Returns how many workers should be here and are silent."""
    return sum(1 for worker in picture.workers if worker.state in _ABSENT)


def quantile_us(quantiles: object, share: float) -> int | None:
    """Returns a percentile in microseconds, None where it was not sent."""
    for quantile in quantiles:  # type: ignore[attr-defined]
        if abs(quantile.share - share) < 1e-6:
            return int(quantile.value_us)
    return None


def _unknown_header(link: Link, now_s: float, width: int) -> Header:
    trouble = link.trouble is not None
    word = "NO MASTER" if trouble else "CONNECTING"
    tone = Tone.TROUBLE_STATE if trouble else Tone.READY_STATE
    right = f"trying again, {max(0.0, now_s - link.since_s):.0f} s " if trouble else ""
    badge = _badge(word, tone)
    return Header(
        first=_spread((badge, Piece(f"  {link.target}", Tone.STRONG)), (Piece(right, Tone.MUTED),), width),
        second=(Piece(" " * width),),
    )


def _badge(word: str, tone: Tone) -> Piece:
    return Piece(f" {formats.fit(word, _STATE_WIDTH)} ", tone)


def _first_line(picture: Picture, word: str, tone: Tone, width: int) -> Line:
    run, total = picture.run, picture.total
    failing = total.failures > 0
    # The last complete seconds of a run that has ended say nothing about now.
    has_ended = run.state == RunState.RUN_STATE_STOPPED
    rps = formats.NO_VALUE if has_ended else formats.rate(total.current_rps)
    right = (
        Piece(_users_text(picture)),
        Piece(formats.fit(f"{rps} rps", 12, right=True), Tone.STRONG),
        Piece(
            formats.fit(f"{formats.percent(total.failures, total.requests)}% fail", 11, right=True)
            if total.requests
            else formats.fit(f"{formats.NO_VALUE} fail", 11, right=True),
            Tone.BAD if failing else Tone.PLAIN,
        ),
        *_workers_pieces(picture),
    )
    room = width - _STATE_WIDTH - 4 - sum(cell_len(piece.text) for piece in right)
    host = formats.cut(formats.plain(run.host), max(0, room)) or ""
    return _spread((_badge(word, tone), Piece(f"  {host}", Tone.STRONG)), right, width)


def _users_text(picture: Picture) -> str:
    """Users now and wanted; as wide as it gets on the way there."""
    users, wanted = (
        formats.count(number, width=7) for number in (picture.run.users, picture.run.target_users)
    )
    return f"{formats.fit(users, max(len(users), len(wanted)), right=True)}/{wanted} users"


def _workers_pieces(picture: Picture) -> tuple[Piece, ...]:
    here, missing = present_workers(picture), missing_workers(picture)
    wanted = max(here + missing, picture.run.expected_workers)
    text = f"  {formats.fit(str(here), len(str(wanted)), right=True)}/{wanted} w"
    tone = Tone.BAD if missing or not here else Tone.WARN if here < wanted else Tone.PLAIN
    return (Piece(text, tone), Piece(" "))


def _second_line(picture: Picture, width: int) -> Line:
    run, total = picture.run, picture.total
    left: list[Piece] = [Piece(" ")]
    if picture.has_run:
        left.append(Piece(f"{formats.duration(run.elapsed_ms)} elapsed"))
        if run.HasField("deadline_ms"):
            rest = max(0, run.deadline_ms - run.elapsed_ms)
            left.append(Piece(f" · {formats.duration(rest)} left", Tone.MUTED))
    else:
        left.append(Piece("no run yet", Tone.MUTED))
    figures = [
        Piece(formats.fit(f"{name} {_quantile_text(picture, share)}", 14, right=True))
        for name, share in (("p50", 0.5), ("p95", 0.95))
    ]
    if width >= 100:
        failures = f"{formats.rate(total.current_failures_per_second)} fail/s"
        figures.append(
            Piece(
                formats.fit(failures, 14, right=True),
                Tone.BAD if total.current_failures_per_second else Tone.PLAIN,
            )
        )
    insecure = any(each.kind == WarningKind.WARNING_KIND_INSECURE for each in picture.warnings)
    slot = Piece(formats.fit("INSECURE" if insecure else "", 11, right=True), Tone.BAD)
    return _spread(tuple(left), (*figures, slot, Piece(" ")), width)


def _quantile_text(picture: Picture, share: float) -> str:
    return formats.response_time_with_unit(quantile_us(picture.total.quantiles, share))


def _banner(picture: Picture, link: Link, *, stale: bool, now_s: float, news_s: float, width: int) -> Line:
    texts: list[tuple[str, Tone]] = []
    if stale:
        reason = connection.headline(link, now_s) or f"master silent for {now_s - news_s:.0f} s"
        texts.append((f"STALE {reason}; the numbers are from then", Tone.BAD))
    for kind, (word, tone) in WARNINGS.items():
        if kind != WarningKind.WARNING_KIND_INSECURE:
            texts += [
                (f"{word} {formats.plain(each.text)}", tone) for each in picture.warnings if each.kind == kind
            ]
    if not texts:
        return ()
    text, tone = texts[0]
    more = f" (+{len(texts) - 1} more: 6)" if len(texts) > 1 else ""
    return (Piece(formats.fit(f" {formats.cut(text, width - 2 - len(more))}{more}", width), tone),)


def _spread(left: Line, right: Line, width: int) -> Line:
    """`left` and `right` at the two edges; the gap between them takes what is left."""
    taken = sum(cell_len(piece.text) for piece in (*left, *right))
    return (*left, Piece(" " * max(0, width - taken)), *right)
