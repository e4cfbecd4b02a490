"""Tags: how tasks get them, and which tasks are left after filtering."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import pytest

from locust_runtime.environment import Environment
from locust_runtime.tags import filter_tasks_by_tags, tag
from locust_runtime.tasks import TaskSet, task
from locust_runtime.users import User


def shopper() -> type[User]:
    class Shopper(User):
        @tag("read")
        @task
        def look(self) -> None: ...

        @tag("write")
        @tag("slow", "money")
        @task(2)
        def buy(self) -> None: ...

        @task
        def idle(self) -> None: ...

        @tag("read")
        @task
        class Search(TaskSet):
            @tag("slow")
            @task
            def deep(self) -> None: ...

            @task
            def flat(self) -> None: ...

    return Shopper


def left(user_class: type[User]) -> list[str]:
    return [each.__name__ for each in user_class.tasks]


@pytest.mark.parametrize(
    ("tags", "exclude", "expected", "nested"),
    [
        (None, None, ["look", "buy", "buy", "idle", "Search"], ["deep", "flat"]),
        ({"read"}, None, ["look", "Search"], ["deep", "flat"]),
        ({"money"}, None, ["buy", "buy"], []),
        ({"slow"}, None, ["buy", "buy", "Search"], ["deep"]),
        (None, {"slow"}, ["look", "idle", "Search"], ["flat"]),
        ({"read"}, {"slow"}, ["look", "Search"], ["flat"]),
        ({"read"}, {"read"}, [], []),
        ({"unknown"}, None, [], []),
    ],
)
def test_tasks_are_filtered_by_tags_and_exclusion_wins(
    tags: set[str] | None, exclude: set[str] | None, expected: list[str], nested: list[str]
) -> None:
    """The table of --tags and --exclude-tags."""
    user_class = shopper()
    search: Any = user_class.Search  # type: ignore[attr-defined]
    filter_tasks_by_tags(user_class, tags, exclude)
    assert left(user_class) == expected
    assert [each.__name__ for each in search.tasks] == nested


@pytest.mark.parametrize("misuse", [lambda: tag(), lambda: tag(lambda: None)])  # type: ignore[arg-type]
def test_tag_without_a_name_is_refused(misuse: Callable[[], object]) -> None:
    """`@tag` without parentheses is the likely slip."""
    with pytest.raises(ValueError, match="at least one name"):
        misuse()


def test_tagging_a_task_in_a_subclass_leaves_the_other_alone() -> None:
    """Sets of tags are not shared."""

    def look(user: Any) -> None: ...

    tag("a")(look)
    before = look.locust_tag_set  # type: ignore[attr-defined]
    tag("b")(look)
    assert before == {"a"}
    assert look.locust_tag_set == {"a", "b"}  # type: ignore[attr-defined]


def test_environment_filters_once() -> None:
    """A second run must not filter what is left again with other tags."""
    user_class = shopper()
    environment = Environment(user_classes=[user_class], tags=["read"])
    environment.filter_tasks_by_tags()
    environment.tags = ["money"]
    environment.filter_tasks_by_tags()
    assert left(user_class) == ["look", "Search"]


def test_empty_lists_of_options_mean_no_filter() -> None:
    """What a parser gives when the flag is absent."""

    user_class = shopper()
    Environment(
        user_classes=[user_class], parsed_options=Namespace(tags=[], exclude_tags=None)
    ).filter_tasks_by_tags()
    assert len(left(user_class)) == 5
