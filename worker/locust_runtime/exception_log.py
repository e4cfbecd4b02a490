"""Logs what user code raises, each kind a few times a minute: a thousand users that fail alike fill a disk.

A kind is what was raised, and where. Further ones are counted, and the number is said once the minute is
over, or when the run ends. Statistics count all of them elsewhere; nothing here changes a figure.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Final

import gevent

from locust_runtime.run.failure_texts import exception_text

MAX_PRINTED: Final = 2
"""Tracebacks of one kind a minute: enough to see that it was no accident, few enough to read the others,
where as many come from each of a machine's runners."""

LAST_ONE: Final = " (the next ones like it are only counted for a minute)"
"""What stands behind the text of the last one that is printed."""

MINUTE_S: Final = 60.0

MAX_KINDS: Final = 200
"""Kinds told apart within a minute; those beyond count as one, so that their texts cannot flood either."""

OTHERS: Final = "other exceptions"


class Print(enum.Enum):
    """Whether an exception is printed with its traceback; LAST: those like it are not, for a while."""

    NO = "no"
    YES = "yes"
    LAST = "last"


@dataclass(slots=True)
class _Kind:
    since_s: float
    what: str
    printed: int = 0
    repeated: int = 0


class ExceptionLog:
    """Decides which exceptions are printed. `now_s` is any clock that only goes forward."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, _Kind] = {}

    def take(self, error: BaseException, *, now_s: float) -> Print:
        """Counts an exception, and says whether it is to be printed."""
        key: Hashable = _key(error)
        if key not in self._kinds and len(self._kinds) >= MAX_KINDS:
            key = OTHERS
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(now_s, OTHERS if key == OTHERS else _described(error))
        if kind.printed < MAX_PRINTED:
            kind.printed += 1
            return Print.YES if kind.printed < MAX_PRINTED else Print.LAST
        kind.repeated += 1
        return Print.NO

    @property
    def has_repeated(self) -> bool:
        """Whether there is something that was only counted."""
        return any(kind.repeated for kind in self._kinds.values())

    def take_over(self, *, now_s: float) -> Iterator[str]:
        """Forgets kinds whose minute is over at `now_s`; yields a line for each that was repeated."""
        for key, kind in list(self._kinds.items()):
            if now_s - kind.since_s >= MINUTE_S:
                del self._kinds[key]
                if kind.repeated:
                    yield f"… repeated {kind.repeated} times: {kind.what}"


class _Process:
    """The log of this process, and the greenlet that tells what was only counted."""

    def __init__(self) -> None:
        self.log = ExceptionLog()
        self._teller: gevent.Greenlet[..., None] | None = None

    def tell(self, logger: logging.Logger, *, now_s: float) -> None:
        for line in self.log.take_over(now_s=now_s):
            logger.error("%s", line)

    def tell_later(self) -> None:
        if self._teller is None or self._teller.ready():
            self._teller = gevent.spawn_later(MINUTE_S, self._tell_in_a_minute)

    def _tell_in_a_minute(self) -> None:
        self.tell(_own_logger, now_s=monotonic())
        self._teller = None
        if self.log.has_repeated:
            self.tell_later()


_own_logger = logging.getLogger(__name__)
_process = _Process()


def log_exception(logger: logging.Logger, error: BaseException, text: str, *args: object) -> None:
    """Logs at ERROR what user code raised, with traceback unless its like was just logged often enough."""
    now_s = monotonic()
    _process.tell(_own_logger, now_s=now_s)
    is_to_print = _process.log.take(error, now_s=now_s)
    if is_to_print is Print.NO:
        _process.tell_later()
    else:
        logger.error(text + (LAST_ONE if is_to_print is Print.LAST else ""), *args, exc_info=error)


def tell_repeated() -> None:
    """Says now what was only counted so far: the run is over."""
    _process.tell(_own_logger, now_s=float("inf"))


def _key(error: BaseException) -> tuple[str, tuple[tuple[object, int], ...]]:
    """What was raised, and where: as the table of exceptions tells them apart."""
    return exception_text(error), tuple(_places(error.__traceback__))


def _places(tb: TracebackType | None) -> Iterator[tuple[object, int]]:
    while tb is not None:
        yield tb.tb_frame.f_code, tb.tb_lineno
        tb = tb.tb_next


def _described(error: BaseException) -> str:
    text, name = exception_text(error), type(error).__name__
    return name if text == name else f"{name}: {text}"
