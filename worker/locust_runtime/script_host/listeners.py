"""Calls the listeners of an event one by one and collects what they raise.

Nothing that a listener raises reaches the caller: a StopTest and a `sys.exit` become a wish to the master,
everything else a line for people.
"""

from __future__ import annotations

import logging
from typing import Any

from locust_protocol.limits import MAX_ERROR_TEXT_CHARS
from locust_runtime import log
from locust_runtime.environment import Environment
from locust_runtime.events import EventHook
from locust_runtime.exceptions import StopTest
from locust_runtime.loader import LocustfileError, reporting_errors
from locust_runtime.run.failure_texts import shortened
from locust_runtime.script_host.port import MasterPort

logger = logging.getLogger(__name__)


class Listeners:
    """The listeners of one Environment."""

    def __init__(self, environment: Environment, port: MasterPort) -> None:
        self._environment = environment
        self._port = port

    def call(self, event: EventHook, *, reverse: bool = False, **arguments: Any) -> list[str]:
        """Call all listeners, with `reverse` the last one first; return a line for each that raised."""
        errors: list[str] = []
        # A copy: listeners may add and remove listeners.
        handlers = list(event._handlers)
        for handler in reversed(handlers) if reverse else handlers:
            try:
                with reporting_errors(self._environment.locustfile or "the locustfile"):
                    handler(**arguments)
            except LocustfileError as error:
                errors += self._take(error)
        return errors

    def exit_by_user_code(self, order: SystemExit) -> None:
        """User code called `sys.exit`: the program is to end, with that code."""
        code = order.code
        if not isinstance(code, int | None):
            logger.error("%s", code)
            code = 1
        self._environment.process_exit_code = code or 0
        self._port.request_end("the locustfile called sys.exit()", end_program=True)

    def _take(self, error: LocustfileError) -> list[str]:
        cause = error.__cause__
        if isinstance(cause, StopTest):
            is_headless = bool(getattr(self._environment.parsed_options, "headless", False))
            self._port.request_end(f"a listener raised StopTest: {cause}", end_program=is_headless)
            return []
        if isinstance(cause, SystemExit):
            self.exit_by_user_code(cause)
            return []
        log.note_unhandled_exception()
        logger.error("a listener raised: %s\n%s", error, error.traceback_text.rstrip())
        return [shortened(str(error), MAX_ERROR_TEXT_CHARS)]
