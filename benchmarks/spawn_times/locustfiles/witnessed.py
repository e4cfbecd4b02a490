"""Users that say to the target when they start and when they stop, and rest in between.

The same file for both sides. The weights are 6:6:2, of which largest remainder makes a mix that stops users
on the way up.
"""

from locust import FastHttpUser, constant, task


class Witnessed(FastHttpUser):
    abstract = True
    wait_time = constant(3600)

    def say(self, moment):
        worker = self.environment.runner.worker_index
        self.client.get(f"/{moment}/{type(self).__name__}/{worker}")

    def on_start(self):
        self.say("started")

    def on_stop(self):
        self.say("stopped")

    @task
    def rest(self):
        pass


class Reader(Witnessed):
    weight = 6


class Buyer(Witnessed):
    weight = 6


class Admin(Witnessed):
    weight = 2
