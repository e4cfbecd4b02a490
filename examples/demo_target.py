"""A small shop to send load at, and a witness of what arrived.

Two jobs. For a person it is something worth looking at on a first run: routes differ in speed, some
requests fail, and behind all of it stands a pool of database connections, so that response times climb
once requests queue for one. For a test it counts: every request whose headers were parsed is counted
once, before it is answered, whether or not the client stays to read the answer. `GET /_counts` is
therefore the truth that a load generator's own totals are compared with.

It must never count a request twice, count its own `/_…` routes, or keep a test waiting: `--instant`
switches simulated latency and errors off, and SIGTERM or SIGINT ends it with exit code 0.

    python examples/demo_target.py --port 8089
    python examples/demo_target.py --port 0 --port-file port.txt --instant
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

MAX_PATHS = 100_000
"""Distinct `METHOD path` keys kept apart; later ones share OTHER, so a fuzzer cannot fill the memory."""

MAX_ARRIVAL_SECONDS = 86_400
"""Seconds of the arrival series kept, a day; later arrivals still count in the totals."""

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Largest body that `/bytes/{n}` makes: beyond it a typing error would become an outage."""

MAX_DELAY_MS = 60_000
"""Longest `/delay/{ms}`: a minute is longer than any timeout under test."""

MAX_WAITING = 1_000
"""Requests that may queue for a database connection; the next ones get 503, as in a real shop."""

SHUTDOWN_GRACE_S = 0.2
"""Requests in progress may finish within this time after a signal; nobody waits longer for a demo."""

OTHER = "OTHER (too many paths)"
COLOURS = ("red", "blue", "green", "black")
THINGS = ("mug", "lamp", "chair", "kettle", "notebook")
PRODUCTS: list[dict[str, object]] = [
    {"id": number, "name": f"{colour} {thing}", "price_cents": 495 + 250 * number}
    for number, (thing, colour) in enumerate(itertools.product(THINGS, COLOURS), start=1)
]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Ledger:
    """Counts requests received since the start or the last reset."""

    total: int = 0
    by_path: Counter[str] = field(default_factory=Counter)
    by_user: Counter[str] = field(default_factory=Counter)
    per_second: list[int] = field(default_factory=list)
    first_arrival_s: float | None = None

    def record(self, *, method: str, path: str, user: str | None, now_s: float) -> None:
        """Count one request; `now_s` is monotonic, `user` the `X-User` header if it was sent."""
        self.total += 1
        self.by_path[_bounded(self.by_path, f"{method} {path}")] += 1
        if user is not None:
            self.by_user[_bounded(self.by_user, user)] += 1
        if self.first_arrival_s is None:
            self.first_arrival_s = now_s
        second = int(now_s - self.first_arrival_s)
        if second < MAX_ARRIVAL_SECONDS:
            self.per_second.extend([0] * (second + 1 - len(self.per_second)))
            self.per_second[second] += 1

    def reset(self) -> None:
        """Forget everything counted so far."""
        self.total = 0
        self.by_path.clear()
        self.by_user.clear()
        self.per_second.clear()
        self.first_arrival_s = None


def _bounded(counter: Counter[str], key: str) -> str:
    return key if key in counter or len(counter) < MAX_PATHS else OTHER


class Weather:
    """Simulated slowness and errors: log-normal service times behind a pool of connections.

    Below the pool's capacity a request takes its service time. Beyond it, throughput stops growing and
    the wait for a connection grows instead: the knee in the curve.
    """

    def __init__(self, *, instant: bool, seed: int, connections: int) -> None:
        self._instant = instant
        self._seed = seed
        self._pool = asyncio.Semaphore(connections)
        self._waiting = 0
        self._latency = random.Random(f"{seed}:latency")
        self._luck: dict[str, random.Random] = {}

    async def wait_query(self, median_ms: float, *, sigma: float = 0.35) -> None:
        """Hold a database connection for a service time around `median_ms`; 503 if the queue is full."""
        if self._instant:
            return
        if self._waiting >= MAX_WAITING:
            raise web.HTTPServiceUnavailable(text="too many requests wait for the database")
        self._waiting += 1
        try:
            await self._pool.acquire()
        finally:
            self._waiting -= 1
        try:
            await self.wait_elsewhere(median_ms, sigma=sigma)
        finally:
            self._pool.release()

    async def wait_elsewhere(self, median_ms: float, *, sigma: float = 0.35) -> None:
        """Take a time around `median_ms` without a database connection."""
        if not self._instant:
            await asyncio.sleep(self._latency.lognormvariate(math.log(median_ms / 1000), sigma))

    def strikes(self, route: str, rate: float) -> bool:
        """Whether this request of `route` fails: a fixed sequence for each route and seed."""
        if self._instant:
            return False
        luck = self._luck.setdefault(route, random.Random(f"{self._seed}:{route}"))
        return luck.random() < rate


class Shop:
    """The routes that a locustfile visits."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._orders = 0

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self.home),
            web.get("/products", self.products),
            web.get("/products/{product_id:\\d+}", self.product),
            web.get("/search", self.search),
            web.post("/cart", self.add_to_cart),
            web.post("/checkout", self.checkout),
            web.get("/slow", self.slow),
            web.get("/error", self.error),
            web.get("/bytes/{size:\\d+}", self.some_bytes),
            web.get("/delay/{delay_ms:\\d+}", self.delay),
            web.get("/status/{code:[2-5]\\d\\d}", self.status),
            web.get("/health", self.health),
        ]

    async def home(self, request: web.Request) -> web.Response:
        await self._weather.wait_elsewhere(8)
        return web.Response(text="<h1>The demo shop</h1>", content_type="text/html")

    async def products(self, request: web.Request) -> web.Response:
        await self._weather.wait_query(25)
        return web.json_response(PRODUCTS)

    async def product(self, request: web.Request) -> web.Response:
        await self._weather.wait_query(15)
        return web.json_response(_product(int(request.match_info["product_id"])))

    async def search(self, request: web.Request) -> web.Response:
        await self._weather.wait_query(60, sigma=0.5)
        wanted = request.query.get("q", "")
        return web.json_response([product for product in PRODUCTS if wanted in str(product["name"])])

    async def add_to_cart(self, request: web.Request) -> web.Response:
        """Needs `{"product_id": 3, "quantity": 1}`."""
        body = await _json_object(request)
        product = _product(body.get("product_id"))
        await self._weather.wait_query(20)
        return web.json_response({"added": product["name"], "quantity": body.get("quantity", 1)}, status=201)

    async def checkout(self, request: web.Request) -> web.Response:
        """Declines some payments with status 200: only the body says so."""
        await self._weather.wait_query(90, sigma=0.5)
        if self._weather.strikes("checkout", rate=0.02):
            return web.json_response({"status": "declined"})
        self._orders += 1
        return web.json_response({"status": "paid", "order": self._orders})

    async def slow(self, request: web.Request) -> web.Response:
        await self._weather.wait_elsewhere(1200)
        return web.json_response({"report": "monthly sales"})

    async def error(self, request: web.Request) -> web.Response:
        await self._weather.wait_elsewhere(10)
        if self._weather.strikes("error", rate=0.3):
            raise web.HTTPInternalServerError(text="the stock service did not answer")
        return web.json_response({"stock": "ok"})

    async def some_bytes(self, request: web.Request) -> web.Response:
        size = int(request.match_info["size"])
        if size > MAX_BODY_BYTES:
            raise web.HTTPBadRequest(text=f"at most {MAX_BODY_BYTES} bytes")
        return web.Response(body=b"x" * size)

    async def delay(self, request: web.Request) -> web.Response:
        """Answers after exactly what was asked for, with `--instant` too: the client chose it."""
        delay_ms = int(request.match_info["delay_ms"])
        if delay_ms > MAX_DELAY_MS:
            raise web.HTTPBadRequest(text=f"at most {MAX_DELAY_MS} ms")
        await asyncio.sleep(delay_ms / 1000)
        return web.json_response({"delay_ms": delay_ms})

    async def status(self, request: web.Request) -> web.Response:
        """Answers with the status that was asked for, with `--instant` too."""
        return web.Response(status=int(request.match_info["code"]))

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})


def _product(product_id: object) -> dict[str, object]:
    if not isinstance(product_id, int) or not 1 <= product_id <= len(PRODUCTS):
        raise web.HTTPNotFound(text=f"no product {product_id!r}: there are 1 to {len(PRODUCTS)}")
    return PRODUCTS[product_id - 1]


async def _json_object(request: web.Request) -> dict[str, object]:
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise web.HTTPBadRequest(text=f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    return body


def _ledger_routes(ledger: Ledger) -> list[web.AbstractRouteDef]:
    async def counts(request: web.Request) -> web.Response:
        return web.json_response({**ledger.by_path, "total": ledger.total})

    async def users(request: web.Request) -> web.Response:
        return web.json_response(ledger.by_user)

    async def arrivals(request: web.Request) -> web.Response:
        """Requests in each second since the first arrival, the last second still growing."""
        return web.json_response(ledger.per_second)

    async def reset(request: web.Request) -> web.Response:
        ledger.reset()
        return web.Response(status=204)

    return [
        web.get("/_counts", counts),
        web.get("/_users", users),
        web.get("/_arrivals", arrivals),
        web.post("/_reset", reset),
    ]


def make_app(*, instant: bool, seed: int, connections: int) -> web.Application:
    """The shop with its ledger in front: unknown paths and wrong methods are counted like the rest."""
    ledger = Ledger()

    @web.middleware
    async def count_received(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]
        if not path.startswith("/_"):
            user = request.headers.get("X-User")
            ledger.record(method=request.method, path=path, user=user, now_s=time.monotonic())
        return await handler(request)

    app = web.Application(middlewares=[count_received])
    app.add_routes(Shop(Weather(instant=instant, seed=seed, connections=connections)).routes())
    app.add_routes(_ledger_routes(ledger))
    return app


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; raises OSError if the address cannot be listened on."""
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
    app = make_app(instant=options.instant, seed=options.seed, connections=options.connections)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port, backlog=1024).start()
        port = runner.addresses[0][1]
        if options.port_file is not None:
            _write_whole(options.port_file, f"{port}\n")
        host = f"[{options.host}]" if ":" in options.host else options.host
        print(f"listening on http://{host}:{port}", flush=True)
        await stopped.wait()
    finally:
        await runner.cleanup()


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader finds no file or all of it."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A small shop to send load at.", allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--port-file", type=Path, help="write the port here once listening")
    parser.add_argument("--instant", action="store_true", help="no simulated latency, no simulated errors")
    parser.add_argument("--seed", type=int, default=1, help="of latencies and errors (default %(default)s)")
    parser.add_argument("--connections", type=int, default=8, help="database pool size (default %(default)s)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = _parse(sys.argv[1:] if argv is None else argv)
    try:
        asyncio.run(serve(options))
    except OSError as error:
        print(f"cannot listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
