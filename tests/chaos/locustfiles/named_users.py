"""Users that say who they are, so that the target's count and ours can be compared runner by runner.

Each request has the runner in its name (one series a runner: what died with a killed runner is told apart
from everything else), and is counted a second time, in the same breath, under a name that all runners share
(the sums that are merged over runners and workers). The target learns the user from a header.
"""

from __future__ import annotations

import itertools
import os

from locust import FastHttpUser, HttpUser, constant_pacing, events, task

RUNNER = str(os.getpid())
SHARED = "ALL"
"""Request type of the second count."""

PACING_S = float(os.environ.get("CHAOS_PACING_S", "0.25"))
numbers = itertools.count(1)


@events.request.add_listener
def count_shared(request_type, name, **outcome):
    """Nothing switches to another greenlet between the two counts: they are flushed, or lost, together."""
    if request_type != SHARED:
        events.request.fire(request_type=SHARED, name=f"{request_type} {name.partition(' ')[0]}", **outcome)


def name_of(path):
    return f"{path} [{RUNNER}]"


class NamesItself:
    """What all users do alike."""

    wait_time = constant_pacing(PACING_S)

    def on_start(self):
        self.headers = {"X-User": f"{RUNNER}-{next(numbers)}"}


class Reader(NamesItself, FastHttpUser):
    weight = 3

    @task(3)
    def products(self):
        self.client.get("/products", name=name_of("/products"), headers=self.headers)

    @task
    def slow(self):
        self.client.get("/slow", name=name_of("/slow"), headers=self.headers)


class Buyer(NamesItself, FastHttpUser):
    weight = 2

    @task
    def cart(self):
        self.client.post("/cart", name=name_of("/cart"), headers=self.headers, json={"product_id": 1})


class Visitor(NamesItself, HttpUser):
    weight = 1

    @task
    def home(self):
        self.client.get("/", name=name_of("/"), headers=self.headers)
