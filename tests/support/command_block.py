"""Commands that live as long as a block: they start with it and end with it, whatever happens inside."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from tests.support.processes import Command


class CommandBlock:
    """What a cluster is to a test; a failure, also at the start, carries what the commands wrote.

    Who derives from it puts everything that must end into `_stack`.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException as error:
            self._close(error)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close(error)

    def _start(self) -> None:
        """Starts the commands and waits until they are there."""
        raise NotImplementedError

    def _shown(self) -> Iterable[Command]:
        """The commands whose output a failure carries, as far as they are started."""
        raise NotImplementedError

    def _close(self, error: BaseException | None) -> None:
        self._stack.close()
        if error is not None:  # now, when their last words are there, too
            for command in self._shown():
                error.add_note(command.describe())
