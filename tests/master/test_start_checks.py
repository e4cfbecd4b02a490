"""Classes, load shapes and hosts that a start asks for."""

from __future__ import annotations

import math

import pytest

from locust_master.planning.goal import ClassShare
from locust_master.start_checks import (
    check_host,
    chosen_shape,
    class_shares,
    shape_notices,
    shown_host,
    stages_notices,
)
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import manifest_pb2

A = manifest_pb2.UserClass(name="A", weight=3, needs_host=True, host="http://a")
B = manifest_pb2.UserClass(name="B", weight=1, fixed_count=2, needs_host=True)
C = manifest_pb2.UserClass(name="C", weight=0)


def manifest(*classes: manifest_pb2.UserClass, shapes: tuple[str, ...] = ()) -> manifest_pb2.Manifest:
    return manifest_pb2.Manifest(
        user_classes=classes, load_shapes=[manifest_pb2.LoadShape(name=name) for name in shapes]
    )


def test_all_classes_run_when_none_is_named() -> None:
    """In the order in which they were defined, with what they said of themselves."""
    assert class_shares(manifest(A, B), ()) == (ClassShare("A", 3, 0), ClassShare("B", 1, 2))


def test_named_classes_run_in_the_order_given_each_once() -> None:
    """A class that is named twice is no two classes."""
    assert [share.name for share in class_shares(manifest(A, B, C), ["C", "A", "C"])] == ["C", "A"]


def test_unknown_class_is_named_with_those_there_are() -> None:
    """A typo is seen at a glance."""
    with pytest.raises(UsageError, match="unknown user class 'X'; the locustfile has A, B"):
        class_shares(manifest(B, A), ["A", "X"])


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weight_that_is_none_is_refused_by_class(weight: float) -> None:
    """Placing users could not end well."""
    with pytest.raises(UsageError, match="user class D"):
        class_shares(manifest(A, manifest_pb2.UserClass(name="D", weight=weight)), ())


def test_classes_that_would_get_no_user_are_refused() -> None:
    """A run without load must not look like a run."""
    with pytest.raises(UsageError, match="every weight is 0"):
        class_shares(manifest(A, C), ["C"])
    fixed = manifest_pb2.UserClass(name="E", weight=0, fixed_count=1)
    assert class_shares(manifest(fixed), ()) == (ClassShare("E", 0, 1),)


@pytest.mark.parametrize(
    ("shapes", "wanted", "chosen"),
    [
        ((), None, ""),
        (("S",), None, "S"),
        (("S",), "", ""),
        (("S",), "S", "S"),
        (("S", "T"), None, "S"),
        (("S", "T"), "T", "T"),
        (("S", "T"), "", ""),
    ],
)
def test_load_shape_is_the_first_one_unless_said_otherwise(
    shapes: tuple[str, ...], wanted: str | None, chosen: str
) -> None:
    """Absent: the locustfile's first, as Locust takes it; empty: none."""
    assert chosen_shape(manifest(A, shapes=shapes), wanted) == chosen


@pytest.mark.parametrize(
    ("shapes", "wanted", "said"),
    [(("S", "T"), "X", "S, T"), (("S",), "X", "'X'; the locustfile has S"), ((), "X", "has none")],
)
def test_load_shape_that_cannot_be_chosen_is_named(
    shapes: tuple[str, ...], wanted: str | None, said: str
) -> None:
    """A wrong name must not mean another shape, or none."""
    with pytest.raises(UsageError, match=said):
        chosen_shape(manifest(A, shapes=shapes), wanted)


@pytest.mark.parametrize(
    ("names", "host", "is_refused"),
    [(["A"], None, False), (["B"], None, True), (["B"], "http://x", False), (["C"], None, False)],
)
def test_host_is_asked_for_only_when_a_chosen_class_needs_it(
    names: list[str], host: str | None, is_refused: bool
) -> None:
    """A class with a host of its own, or whose client joins no paths, runs without."""
    everything = manifest(A, B, manifest_pb2.UserClass(name="C", weight=1))
    shares = class_shares(everything, names)
    if is_refused:
        with pytest.raises(UsageError, match="no host for user class B"):
            check_host(everything, shares, host)
    else:
        check_host(everything, shares, host)


def test_shown_host_is_the_run_s_or_each_class_s_once() -> None:
    """Screens have one line for it."""
    again = manifest_pb2.UserClass(name="D", host="http://a")
    other = manifest_pb2.UserClass(name="E", host="http://e")
    assert shown_host(manifest(A, B, again, other), None) == "http://a, http://e"
    assert shown_host(manifest(A), "http://x") == "http://x"
    assert shown_host(manifest(B), None) == ""


def test_first_of_several_load_shapes_is_named_with_the_others() -> None:
    """Locust takes the first in silence; whoever has two wants to know which one runs."""
    (said,) = shape_notices(manifest(A, shapes=("S", "T")), "S", is_named=False, given=())
    assert said == "load shapes S, T: S is followed; choose with --load-shape"
    assert not shape_notices(manifest(A, shapes=("S", "T")), "S", is_named=True, given=())
    assert not shape_notices(manifest(A, shapes=("S",)), "S", is_named=False, given=())


@pytest.mark.parametrize(("uses_common_options", "is_said"), [(False, True), (True, False)])
def test_flags_that_a_load_shape_does_not_read_are_said(*, uses_common_options: bool, is_said: bool) -> None:
    """A number of users that changes nothing must not look as if it did."""
    shape = manifest_pb2.LoadShape(name="S", uses_common_options=uses_common_options)
    offered = manifest_pb2.Manifest(user_classes=[A], load_shapes=[shape])
    said = shape_notices(offered, "S", is_named=True, given=("--users", "--spawn-rate"))
    assert bool(said) is is_said
    assert not shape_notices(offered, "", is_named=True, given=("--users",))


def test_what_stages_leave_aside_is_said() -> None:
    """A number of users, or a load shape, that changes nothing must not look as if it did."""
    offered = manifest(A, shapes=("S",))
    assert stages_notices(offered, takes_all=True, given=("--users",)) == [
        "--stages says how many users there are, so --users change nothing",
        "--stages is followed, and not load shape S of the locustfile",
    ]
    assert not stages_notices(manifest(A), takes_all=False, given=("--users",)), "steps climb to --users"
