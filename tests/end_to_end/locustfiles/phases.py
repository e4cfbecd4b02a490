"""Users whose requests are named by what the target answers: the phase that the test is in."""

from locust import FastHttpUser, constant, task


class Phased(FastHttpUser):
    """Asks for the phase, again and again."""

    wait_time = constant(0.01)

    @task
    def ask(self) -> None:
        with self.client.get("/", catch_response=True) as response:
            response.request_meta["name"] = response.text
