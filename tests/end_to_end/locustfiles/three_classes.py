"""Three classes with weights 3:2:1, one request path each, so that totals compare with the target's count."""

from locust import FastHttpUser, HttpUser, constant, task


class Reader(HttpUser):
    weight = 3
    wait_time = constant(0.05)

    @task
    def products(self):
        self.client.get("/products")


class Buyer(FastHttpUser):
    weight = 2
    wait_time = constant(0.05)

    @task
    def cart(self):
        self.client.post("/cart", json={"product_id": 1})


class Admin(HttpUser):
    weight = 1
    wait_time = constant(0.05)

    @task
    def health(self):
        self.client.get("/health")
