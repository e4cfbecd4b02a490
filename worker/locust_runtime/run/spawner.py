"""The users of one process: starts them, stops them, and knows how many run.

A user that ends by itself (StopUser, an error in `on_start`) counts as placed and is not replaced: who
compares with a wanted number must use `placed_count`, not `running_count`.

How users stop: with a timeout, those that wait leave at once and the others when their task ends; whoever
is left then is forced. A forced user leaves at once, or between requests if one is on the wire: that
request gets REQUEST_GRACE_S (contract in `users.py`). `on_stop` may then run up to ON_STOP_LIMIT_S.

Nothing here decides how many users there should be, or when.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import gevent
from gevent import Greenlet, getcurrent
from gevent.pool import Group

from locust_runtime.exception_log import log_exception
from locust_runtime.exceptions import StopTest
from locust_runtime.users import REQUEST_GRACE_S, Leave, User

if TYPE_CHECKING:
    from locust_runtime.environment import Environment

logger = logging.getLogger(__name__)

ON_STOP_LIMIT_S: Final = 30.0
"""Seconds that a user's `on_stop` may take: enough to log out or clean up, not for ever."""


class UserPopulation:
    """The running users of one process.

    `on_stop_test(reason)` is called, in the greenlet of a user that ends, when a user raises StopTest; it
    must not block. `group` holds the users' greenlets.
    """

    def __init__(
        self, environment: Environment, *, on_stop_test: Callable[[str], None], group: Group | None = None
    ) -> None:
        self.group = Group() if group is None else group
        self._environment = environment
        self._on_stop_test = on_stop_test
        self._alive: defaultdict[type[User], dict[User, None]] = defaultdict(dict)
        self._leaving: defaultdict[type[User], set[User]] = defaultdict(set)
        self._ended: defaultdict[type[User], int] = defaultdict(int)
        self._stoppers = Group()

    def start_user(self, user_class: type[User]) -> User | None:
        """Starts one user; None when its constructor raised, which counts as a user that ended."""
        try:
            user = user_class(self._environment)
        except StopTest as stop:
            self._ended[user_class] += 1
            self._on_stop_test(str(stop))
            return None
        except Exception as error:
            self._ended[user_class] += 1
            log_exception(logger, error, "a user of class %s could not be made", user_class.__name__)
            return None
        if not hasattr(user, "environment"):
            self._ended[user_class] += 1
            logger.error("%s.__init__ does not call super().__init__(environment)", user_class.__name__)
            return None
        self._alive[user_class][user] = None
        greenlet = user._spawn(self.group, self._run_user)
        greenlet.rawlink(partial(self._note_end, user))
        return user

    def stop_users(self, user_class: type[User], count: int, *, stop_timeout_s: float | None = None) -> None:
        """Lets `count` users of a class leave, the latest first, and returns at once.

        Users that ended by themselves are taken first. `stop_timeout_s` is the environment's unless given.
        """
        already_ended = min(count, self._ended[user_class])
        self._ended[user_class] -= already_ended
        leaving = self._leaving[user_class]
        staying = (user for user in reversed(self._alive[user_class]) if user not in leaving)
        chosen = list(islice(staying, count - already_ended))
        if chosen:
            leaving.update(chosen)
            self._stoppers.spawn(self._stop, chosen, self._timeout_s(stop_timeout_s))

    def stop_all(self, timeout_s: float | None = None) -> None:
        """Lets all users leave and returns when they have; then forgets who ended by itself.

        `timeout_s` is the environment's stop timeout unless given. A user may call it: that user leaves as
        soon as it switches, and is not waited for.
        """
        for user_class, users in self._alive.items():
            self._leaving[user_class].update(users)
        self._stop(self.users(), self._timeout_s(timeout_s))
        self._ended.clear()

    def wait_stopped(self, timeout_s: float | None = None) -> bool:
        """Waits until all stops that `stop_users` began are done; returns whether they are."""
        self._stoppers.join(timeout=timeout_s)
        return len(self._stoppers) == 0

    def running_count(self, user_class: type[User]) -> int:
        """Users of a class that run, those that are leaving included."""
        return len(self._alive[user_class])

    def placed_count(self, user_class: type[User]) -> int:
        """Users of a class for who wants a number of them: running and not leaving, or ended by itself."""
        staying = len(self._alive[user_class]) - len(self._leaving[user_class])
        return staying + self._ended[user_class]

    def ended_count(self, user_class: type[User]) -> int:
        """Users of a class that ended by themselves and still count as placed."""
        return self._ended[user_class]

    def counts(self) -> dict[str, int]:
        """Users that run, by name of their class; a class that never had one is absent."""
        return {user_class.__name__: len(users) for user_class, users in self._alive.items()}

    def users(self) -> list[User]:
        """The users that run."""
        return [user for users in self._alive.values() for user in users]

    def _timeout_s(self, given: float | None) -> float:
        return self._environment.stop_timeout if given is None else given

    def _stop(self, users: list[User], timeout_s: float) -> None:
        current = getcurrent()
        own = [user for user in users if user.greenlet is current]
        others = [user for user in users if user.greenlet is not current]
        if timeout_s > 0:
            for user in others:
                user._exit(Leave.AFTER_TASK)
            late = _wait_ended(others, timeout_s)
            if late:
                logger.info(
                    "users did not end their tasks in time: timeout_s=%g count=%d", timeout_s, len(late)
                )
        _force(others)
        for user in own:
            user._exit(Leave.NOW)

    def _run_user(self, user: User) -> None:
        try:
            user.run()
        except StopTest as stop:
            self._on_stop_test(str(stop))
        except Exception as error:
            log_exception(logger, error, "a user of class %s ended", type(user).__name__)

    def _note_end(self, user: User, _greenlet: object) -> None:
        # Runs in the hub: it must neither block nor log.
        user_class = type(user)
        del self._alive[user_class][user]
        if user in self._leaving[user_class]:
            self._leaving[user_class].remove(user)
        else:
            self._ended[user_class] += 1


def _force(users: Iterable[User]) -> None:
    users = [user for user in users if _is_alive(user)]
    for user in users:
        user._exit(Leave.AFTER_REQUEST)
    for user in _wait_ended(users, REQUEST_GRACE_S):
        if user._exit_after_request:
            user._exit(Leave.NOW)
    late = _wait_ended(users, ON_STOP_LIMIT_S)
    if late:
        logger.warning("on_stop is cut off after %g s for %d users", ON_STOP_LIMIT_S, len(late))
        gevent.killall(_greenlets(late), block=False)


def _wait_ended(users: Iterable[User], timeout_s: float) -> list[User]:
    """Waits until all have ended, or the time is over; returns those that have not."""
    gevent.joinall(_greenlets(users), timeout=timeout_s)
    return [user for user in users if _is_alive(user)]


def _greenlets(users: Iterable[User]) -> list[Greenlet[..., Any]]:
    return [user.greenlet for user in users if user.greenlet is not None]


def _is_alive(user: User) -> bool:
    return user.greenlet is not None and not user.greenlet.ready()
