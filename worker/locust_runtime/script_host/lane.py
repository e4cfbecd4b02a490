"""Jobs that run one after the other, in a greenlet of their own.

User code may take as long as it likes; whoever reads the link must go on meanwhile. So what user code is to
do is put into a lane, and what must not wait for it goes into another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.queue import Full, JoinableQueue

logger = logging.getLogger(__name__)

Job = Callable[[], object]


class Lane:
    """Runs jobs in order; what one raises is handed on, and the next one has its turn."""

    def __init__(
        self, subject: str, *, max_waiting: int, on_error: Callable[[BaseException], object]
    ) -> None:
        """`subject` says in the log what a job is about; more than `max_waiting` jobs are dropped."""
        self._subject = subject
        self._jobs: JoinableQueue[Job] = JoinableQueue(maxsize=max_waiting)
        self._on_error = on_error
        self._is_dropping = False

    def start(self) -> None:
        """Start to work."""
        gevent.spawn(self._work)

    def add(self, job: Job) -> None:
        """Run a job after those that wait; it is dropped, and that is logged, when too many do."""
        try:
            self._jobs.put_nowait(job)
            self._is_dropping = False
        except Full:
            if not self._is_dropping:
                logger.error("the locustfile is too slow, it misses some of: %s", self._subject)
            self._is_dropping = True

    def wait_idle(self, *, timeout_s: float) -> bool:
        """Wait until all jobs are done; False at the timeout."""
        return bool(self._jobs.join(timeout=timeout_s))

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except BaseException as error:
                self._on_error(error)
            finally:
                self._jobs.task_done()
