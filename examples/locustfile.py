"""A first locustfile: three kinds of visitors of the demo shop.

    python examples/demo_target.py --port 8000
    locust-master -f examples/locustfile.py -H http://127.0.0.1:8000 --processes 2

Weights share the users out: of six, three browse, two buy and one administers.
"""

import random

from locust import FastHttpUser, HttpUser, between, task

SEARCHES = ["red", "mug", "green chair", "lamp"]


class Browser(FastHttpUser):
    """Looks around and buys nothing."""

    weight = 3
    wait_time = between(0.5, 2)

    @task(3)
    def open_home_page(self):
        self.client.get("/")

    @task(5)
    def look_at_a_product(self):
        # Twenty paths are one line in the statistics.
        self.client.get(f"/products/{random.randint(1, 20)}", name="/products/[id]")

    @task(2)
    def search(self):
        self.client.get(f"/search?q={random.choice(SEARCHES)}", name="/search")


class Buyer(FastHttpUser):
    """Puts something into the cart and pays."""

    weight = 2
    wait_time = between(1, 3)

    def on_start(self):
        self.client.get("/products")

    @task(3)
    def add_to_cart(self):
        self.client.post("/cart", json={"product_id": random.randint(1, 20), "quantity": 1})

    @task(1)
    def pay(self):
        # A declined payment comes with status 200, so the body decides what counts as a failure.
        with self.client.post("/checkout", json={}, catch_response=True) as response:
            if response.json()["status"] != "paid":
                response.failure("payment declined")


class Admin(HttpUser):
    """Looks at reports. HttpUser's client is a requests session: slower to run, and familiar."""

    weight = 1
    wait_time = between(2, 5)

    @task(4)
    def look_at_the_stock(self):
        with self.client.get("/error", name="/stock", catch_response=True) as response:
            if response.status_code == 500:
                response.failure("stock service is down")

    @task(2)
    def export(self):
        size = random.choice([1_000, 10_000, 100_000])
        self.client.get(f"/bytes/{size}", name="/bytes/[size]")

    @task(1)
    def monthly_report(self):
        self.client.get("/slow")
