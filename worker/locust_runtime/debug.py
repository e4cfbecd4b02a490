"""Running one user of a locustfile in a debugger: `run_single_user(MyUser)`.

There is no runner and no statistics; every request is printed. It must not be used in a test that counts.
"""

from __future__ import annotations

import inspect
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from locust_runtime import argument_parser, log
from locust_runtime.environment import Environment
from locust_runtime.exceptions import CatchResponseError
from locust_runtime.locustfile_events import events

if TYPE_CHECKING:
    from locust_runtime.users import User

_SHOWN_ERROR_CHARACTERS = 500

_environment: Environment | None = None


class PrintListener:
    """Prints each request of an Environment as one line of columns, separated by tabs."""

    def __init__(
        self,
        env: Environment,
        include_length: bool = False,
        include_time: bool = False,
        include_context: bool = False,
        include_payload: bool = False,
    ) -> None:
        self.include_length = include_length
        self.include_time = include_time
        self.include_context = include_context
        self.include_payload = include_payload
        titles = [
            *(["time".ljust(24)] if include_time else []),
            "type",
            "name".ljust(50),
            "resp_ms",
            *(["length"] if include_length else []),
            "exception",
            *(["context"] if include_context else []),
            *(["payload"] if include_payload else []),
        ]
        print("\n" + "\t".join(titles))
        env.events.request.add_listener(self.on_request)

    def on_request(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        response_length: int,
        exception: BaseException | None = None,
        context: dict[str, Any] | None = None,
        start_time: float | None = None,
        response: Any = None,
        **_: Any,
    ) -> None:
        """Prints one request."""
        moment = datetime.now(tz=UTC) if start_time is None else datetime.fromtimestamp(start_time, tz=UTC)
        columns = [
            *([str(moment)] if self.include_time else []),
            str(request_type),
            str(name or "").ljust(50),
            str(-1 if response_time is None else round(response_time)).ljust(7),
            *([str(response_length)] if self.include_length else []),
            _error_text(exception).ljust(9),
            *([str(context or "")] if self.include_context else []),
            *([_payload_text(response)] if self.include_payload else []),
        ]
        print("\t".join(columns))


def run_single_user(
    user_class: type[User],
    include_length: bool = False,
    include_time: bool = False,
    include_context: bool = False,
    include_payload: bool = False,
    loglevel: str | None = "WARNING",
) -> None:
    """Runs one user in this greenlet until it ends, and prints its requests.

    The first call makes an Environment from this process's command line and fires `init`; every call fires
    `test_start`. `test_stop` and `quit` are not fired. `loglevel=None` leaves logging as it is.
    """
    global _environment
    if loglevel:
        log.setup_logging(loglevel)
    if _environment is None:
        locustfile = os.path.basename(inspect.stack()[1].filename)
        _environment = _new_environment(locustfile)
        PrintListener(_environment, include_length, include_time, include_context, include_payload)
        _environment.events.init.fire(environment=_environment, runner=None, web_ui=None)
        if log.unhandled_greenlet_exception:
            raise SystemExit(1)
    environment = _environment
    environment.user_classes = [user_class]
    environment.filter_tasks_by_tags()
    environment.events.test_start.fire(environment=environment)
    environment.apply_host()
    user = user_class(environment)
    environment.single_user_instance = user  # type: ignore[attr-defined]
    user.run()


def _new_environment(locustfile: str) -> Environment:
    options = argument_parser.parse_options()
    options.locustfile = locustfile
    return Environment(events=events, locustfile=locustfile, host=options.host, parsed_options=options)


def _error_text(exception: BaseException | None) -> str:
    if not exception:
        return ""
    text = str(exception) if isinstance(exception, CatchResponseError) else repr(exception)
    return text[:_SHOWN_ERROR_CHARACTERS].replace("\n", " ")


def _payload_text(response: Any) -> str:
    """What was sent: a FastHttpUser's response has it as payload, one of requests as body."""
    sent = getattr(response, "_request", None) or getattr(response, "request", None)
    payload = getattr(sent, "payload", None) or getattr(sent, "body", None)
    return "" if payload is None else str(payload)
