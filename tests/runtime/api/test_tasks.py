"""Tasks: how they are declared, in which proportion they run, and how control leaves a TaskSet."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from gevent import GreenletExit

from locust_runtime.environment import Environment
from locust_runtime.exceptions import (
    InterruptTaskSet,
    LocustError,
    MissingWaitTimeError,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopUser,
)
from locust_runtime.tasks import TaskSet, task
from locust_runtime.users import User
from locust_runtime.wait_time import constant


def names(tasks: list[Any]) -> Counter[str]:
    return Counter(each.__name__ for each in tasks)


def run(user_class: type[User], **options: Any) -> User:
    """Runs a user in this greenlet until it ends."""
    user = user_class(Environment(user_classes=[user_class], **options))
    user.run()
    return user


def first(user: Any) -> None: ...


def second(user: Any) -> None: ...


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([first, second], {"first": 1, "second": 1}),
        ([(first, 3), second], {"first": 3, "second": 1}),
        ({first: 2, second: 5}, {"first": 2, "second": 5}),
        ({first: 0, second: 1}, {"second": 1}),
        ([], {}),
        (None, {}),
    ],
)
def test_tasks_attribute_is_expanded_by_weight(tasks: Any, expected: dict[str, int]) -> None:
    """Lists, pairs and dicts are the forms that locustfiles use."""
    user_class: Any = type("Shopper", (User,), {"tasks": tasks})
    assert names(user_class.tasks) == expected


def test_decorated_methods_are_tasks_with_their_weight() -> None:
    """`@task` alone and `@task(n)` mean weight 1 and n."""

    class Shopper(User):
        @task
        def look(self) -> None: ...

        @task(3)
        def buy(self) -> None: ...

        def helper(self) -> None: ...

    assert names(Shopper.tasks) == {"look": 1, "buy": 3}


def test_tasks_are_inherited_and_added_to() -> None:
    """A subclass keeps the tasks of its base."""

    class Base(User):
        @task
        def look(self) -> None: ...

    class Buyer(Base):
        @task(2)
        def buy(self) -> None: ...

    assert names(Base.tasks) == {"look": 1}
    assert names(Buyer.tasks) == {"look": 1, "buy": 2}


def test_run_cannot_be_a_task() -> None:
    """It is the user's own loop."""
    with pytest.raises(LocustError, match="run"):

        class Broken(User):
            @task
            def run(self) -> None: ...  # type: ignore[misc]


def test_attribute_that_answers_to_every_name_is_no_task() -> None:
    """Proxies and mocks among the class attributes must not become tasks."""

    class Proxy:
        def __getattr__(self, name: str) -> int:
            return 7

    class Shopper(User):
        session = Proxy()

    assert Shopper.tasks == []


def test_user_without_tasks_says_so_and_what_to_do() -> None:
    """The first mistake of a newcomer."""

    class Idle(User):
        pass

    with pytest.raises(LocustError, match=r"Idle has no tasks: .*@task"):
        run(Idle, catch_exceptions=False)


def test_task_attribute_instead_of_tasks_is_named() -> None:
    """A likely slip."""

    class Slip(User):
        task = first

    with pytest.raises(LocustError, match="did you mean 'tasks'"):
        run(Slip, catch_exceptions=False)


def test_function_task_gets_the_user() -> None:
    """Functions outside of the class take it as their argument."""
    seen: list[Any] = []

    def stop(user: Any) -> None:
        seen.append(user)
        raise StopUser

    user_class = type("Shopper", (User,), {"tasks": [stop]})
    assert run(user_class) is seen[0]


def test_nested_task_set_knows_user_and_parent_and_client() -> None:
    """What nested code reaches the rest by."""
    seen: list[Any] = []

    class Shopper(User):
        client = "the client"

        @task
        class Outer(TaskSet):
            @task
            class Inner(TaskSet):
                @task
                def look(self) -> None:
                    seen.extend([self.user, self.parent, self.parent.parent, self.client])
                    raise StopUser

    user = run(Shopper)
    assert seen[0] is user
    assert type(seen[1]).__name__ == "Outer"
    assert seen[2] is user
    assert seen[3] == "the client"


def test_interrupt_hands_back_to_the_parent_at_once() -> None:
    """`interrupt()` runs on_stop and lets the parent pick without waiting."""
    calls: list[str] = []

    class Shopper(User):
        def wait_time(self) -> float:
            calls.append("wait")
            return 0

        @task
        class Cart(TaskSet):
            def on_start(self) -> None:
                calls.append("start")
                if calls.count("start") == 2:
                    raise StopUser

            def on_stop(self) -> None:
                calls.append("stop")

            @task
            def leave(self) -> None:
                calls.append("leave")
                self.interrupt()

    run(Shopper)
    assert calls == ["start", "leave", "stop", "start"]


def test_interrupt_without_reschedule_lets_the_parent_wait() -> None:
    """`interrupt(reschedule=False)`."""
    calls: list[str] = []

    class Shopper(User):
        def wait_time(self) -> float:
            calls.append("wait")
            raise StopUser

        @task
        class Cart(TaskSet):
            @task
            def leave(self) -> None:
                self.interrupt(reschedule=False)

    run(Shopper)
    assert calls == ["wait"]


def test_interrupt_in_on_start_leaves_the_task_set() -> None:
    """A TaskSet may decline."""

    class Declining(TaskSet):
        def on_start(self) -> None:
            raise InterruptTaskSet(reschedule=False)

    class Shopper(User):
        pass

    with pytest.raises(RescheduleTask):
        Declining(Shopper(Environment())).run()


@pytest.mark.parametrize(("error", "waits"), [(RescheduleTask, 1), (RescheduleTaskImmediately, 0)])
def test_reschedule_ends_the_task_and_waits_or_not(error: type[Exception], waits: int) -> None:
    """RescheduleTask is like return; the other one skips the wait."""
    calls: list[str] = []

    class Shopper(User):
        def wait_time(self) -> float:
            calls.append("wait")
            return 0

        @task
        def look(self) -> None:
            calls.append("task")
            if calls.count("task") == 2:
                raise StopUser
            raise error

    run(Shopper)
    assert calls.count("wait") == waits


def test_scheduled_tasks_run_before_any_other_and_first_before_those() -> None:
    """`schedule_task` queues; `first=True` goes to the front."""
    calls: list[str] = []

    class Cart(TaskSet):
        def on_start(self) -> None:
            self.schedule_task(self.pay)
            self.schedule_task(self.add, first=True)

        def add(self) -> None:
            calls.append("add")

        def pay(self) -> None:
            calls.append("pay")

        @task
        def end(self) -> None:
            raise StopUser

    class Shopper(User):
        tasks: ClassVar = [Cart]

    run(Shopper)
    assert calls == ["add", "pay"]


def test_exception_in_a_task_is_reported_and_the_user_goes_on() -> None:
    """user_error fires, the user waits, and the next task runs."""
    calls: list[str] = []
    reported: list[dict[str, Any]] = []

    class Shopper(User):
        def wait_time(self) -> float:
            calls.append("wait")
            return 0

        @task
        def look(self) -> None:
            calls.append("task")
            if calls.count("task") == 2:
                raise StopUser
            raise ZeroDivisionError("by zero")

    environment = Environment(user_classes=[Shopper])
    environment.events.user_error.add_listener(lambda **kwargs: reported.append(kwargs))
    Shopper(environment).run()
    assert calls == ["task", "wait", "task"]
    assert set(reported[0]) == {"user_instance", "exception", "tb"}
    assert isinstance(reported[0]["exception"], ZeroDivisionError)


def test_exception_ends_the_user_when_exceptions_are_not_caught() -> None:
    """`catch_exceptions=False` is for debugging."""

    class Shopper(User):
        @task
        def look(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Shopper, catch_exceptions=False)


def test_on_stop_runs_from_the_inside_out_when_the_user_is_killed() -> None:
    """Every TaskSet on the way, then the user."""
    calls: list[str] = []

    class Shopper(User):
        def on_stop(self) -> None:
            calls.append("user")

        @task
        class Outer(TaskSet):
            def on_stop(self) -> None:
                calls.append("outer")
                raise ZeroDivisionError("must not keep the others from running")

            @task
            class Inner(TaskSet):
                def on_stop(self) -> None:
                    calls.append("inner")

                @task
                def look(self) -> None:
                    raise GreenletExit

    run(Shopper)
    assert calls == ["inner", "outer", "user"]


def test_on_stop_runs_when_the_user_is_stopped_in_the_wait_after_an_error() -> None:
    """That wait is no way around on_stop."""
    calls: list[str] = []

    class Cart(TaskSet):
        wait_time = constant(0)

        def on_stop(self) -> None:
            calls.append("cart")

        def wait(self) -> None:
            raise GreenletExit

        @task
        def look(self) -> None:
            raise ZeroDivisionError

    class Shopper(User):
        tasks: ClassVar = [Cart]

    run(Shopper)
    assert calls == ["cart"]


def test_task_set_has_its_own_wait_time_or_the_users() -> None:
    """The inner one wins."""

    class Shopper(User):
        wait_time = constant(2)

    class Own(TaskSet):
        wait_time = constant(5)

    user = Shopper(Environment())
    assert Own(user).wait_time() == 5
    assert TaskSet(user).wait_time() == 2


def test_wait_time_falls_back_to_min_and_max_wait_in_ms_then_fails() -> None:
    """The old attributes still work when there is no wait_time."""

    class Old(User):
        wait_time = None
        min_wait = 1000
        max_wait = 1000

    class Unset(User):
        wait_time = None

    assert TaskSet(Old(Environment())).wait_time() == 1.0
    with pytest.raises(MissingWaitTimeError):
        TaskSet(Unset(Environment())).wait_time()
