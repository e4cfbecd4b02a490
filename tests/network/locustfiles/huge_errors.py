"""Failures with megabytes of text each, all different from the first letter on; then success."""

import itertools
import os
import time

from locust import User, constant, task

FAILURES = int(os.environ["TEST_FAILURES"])
REST = "and so on, " * (int(os.environ["TEST_TEXT_BYTES"]) // 11)
NUMBERS = itertools.count(1)


class Babbler(User):
    wait_time = constant(0)

    @task
    def babble(self):
        number = next(NUMBERS)
        text = None
        if number <= FAILURES:
            text = os.urandom(512).hex() + REST
        self.environment.events.request.fire(
            request_type="SAY",
            name="something",
            response_time=1,
            response_length=0,
            exception=RuntimeError(text) if text else None,
            start_time=time.time(),
        )
