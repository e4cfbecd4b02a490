"""Users that say in every request who they are and on which host; many names, so that reports have size."""

import itertools
import os
import uuid

from locust import FastHttpUser, constant, task

NAMES = 200


class Named(FastHttpUser):
    wait_time = constant(0.1)

    def on_start(self):
        self.me = {"X-User": f"{os.environ['TEST_HOST']}/{uuid.uuid4().hex}"}
        self.numbers = itertools.count(uuid.uuid4().int % NAMES)

    @task
    def item(self):
        self.client.get(f"/item/{next(self.numbers) % NAMES}", headers=self.me)
