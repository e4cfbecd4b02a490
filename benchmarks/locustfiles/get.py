"""Users that ask for one small page as fast as they can: the work of a request and nothing else."""

from locust import FastHttpUser, HttpUser, task


class FastGet(FastHttpUser):
    @task
    def get(self):
        self.client.get("/")


class RequestsGet(HttpUser):
    @task
    def get(self):
        self.client.get("/")
