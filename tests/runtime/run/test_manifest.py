"""The manifest: user classes as master and screens need to know them."""

from __future__ import annotations

from typing import ClassVar

from locust_protocol.v1.manifest_pb2 import TaskNode
from locust_runtime.loader import LoadedCode
from locust_runtime.manifest import MAX_TASK_DEPTH, build_manifest
from locust_runtime.shape import LoadTestShape
from locust_runtime.tags import tag
from locust_runtime.tasks import TaskSet, task
from locust_runtime.users import User


class Shop(User):
    """Buys things.

    And more.
    """

    weight = 1.5
    fixed_count = 2
    host = "http://shop"

    @tag("slow", "money")
    @task(3)
    def buy(self) -> None: ...

    @task
    class Browse(TaskSet):
        @task(2)
        def page(self) -> None: ...


class Plain(User):
    pass


class Steps(LoadTestShape):
    use_common_options = True

    def tick(self) -> None: ...


def test_manifest_tells_all_of_a_class() -> None:
    """Weights, tags and nesting of tasks; the summary is one line."""
    code = LoadedCode(
        files=["a.py", "b.py"],
        user_classes={"Shop": Shop, "Plain": Plain},
        shape_classes={"Steps": Steps},
    )
    manifest = build_manifest(code, bundle_digest=b"d" * 32)
    shop, plain = manifest.user_classes
    assert (shop.name, shop.weight, shop.fixed_count, shop.host) == ("Shop", 1.5, 2, "http://shop")
    assert shop.summary == "Buys things."
    assert list(shop.tasks) == [
        TaskNode(name="buy", weight=3, tags=["money", "slow"]),
        TaskNode(name="Browse", weight=1, tasks=[TaskNode(name="page", weight=2)]),
    ]
    assert not plain.HasField("host")
    assert (plain.weight, plain.summary) == (1.0, "")
    assert [(each.name, each.uses_common_options) for each in manifest.load_shapes] == [("Steps", True)]
    assert manifest.locustfile == "a.py,b.py"
    assert manifest.bundle_digest == b"d" * 32


def test_manifest_ends_when_a_task_set_contains_itself() -> None:
    """Locust allows it; a message has to end."""

    class Loop(TaskSet):
        pass

    Loop.tasks = [Loop]

    class Looping(User):
        tasks: ClassVar[list[type[TaskSet]]] = [Loop]

    manifest = build_manifest(LoadedCode(files=[], user_classes={"Looping": Looping}), bundle_digest=b"")
    depth, nodes = 0, manifest.user_classes[0].tasks
    while nodes:
        depth, nodes = depth + 1, nodes[0].tasks
    assert depth == MAX_TASK_DEPTH
