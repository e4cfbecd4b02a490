"""What a person typed, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locust_protocol.v1.manifest_pb2 import LoadShape
from locust_tui.forms import (
    EditForm,
    Field,
    StartFields,
    host_hint,
    initial_fields,
    ramp_text,
    read_edit,
    read_start,
    uses_users_and_rate,
)
from tests.tui.builders import manifest

FIELDS = StartFields(
    users="120", spawn_rate="10", host=" https://shop.test ", run_time="1h30m", classes=("Browser", "Buyer")
)


def test_start_form_becomes_options() -> None:
    """All classes chosen means none named: a class added later takes part."""
    form = read_start(FIELDS, manifest=manifest())
    assert not form.problems
    assert (form.options.users, form.options.spawn_rate) == (120, 10.0)
    assert form.options.host == "https://shop.test"
    assert form.options.run_time_ms == 5_400_000
    assert not form.options.user_classes


def test_empty_fields_take_what_the_classes_have_and_no_end() -> None:
    """An empty host is sent, for it takes the command line's away."""
    form = read_start(replace(FIELDS, host="", run_time="", classes=("Buyer",)), manifest=manifest())
    assert form.options.HasField("host")
    assert form.options.host == ""
    assert (form.options.HasField("run_time_ms"), form.options.run_time_ms) == (True, 0)
    assert list(form.options.user_classes) == ["Buyer"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"users": ""}, Field.USERS),
        ({"users": "-3"}, Field.USERS),
        ({"users": "many"}, Field.USERS),
        ({"users": "1000001"}, Field.USERS),
        ({"spawn_rate": "0"}, Field.SPAWN_RATE),
        ({"spawn_rate": "nan"}, Field.SPAWN_RATE),
        ({"spawn_rate": "inf"}, Field.SPAWN_RATE),
        ({"spawn_rate": "fast"}, Field.SPAWN_RATE),
        ({"run_time": "soon"}, Field.RUN_TIME),
        ({"run_time": "0s"}, Field.RUN_TIME),
        ({"host": "https://shop .test"}, Field.HOST),
        ({"host": "shop.test"}, Field.HOST),
        ({"classes": ()}, Field.CLASSES),
    ],
)
def test_what_is_wrong_is_said_of_its_field(changes: dict[str, str], field: Field) -> None:
    """An invalid field says why below itself, and no other does."""
    form = read_start(replace(FIELDS, **changes), manifest=manifest())  # type: ignore[arg-type]
    assert set(form.problems) == {field}


def test_all_classes_are_named_where_the_command_line_names_some() -> None:
    """Else the master would take those of its command line."""
    offer = manifest()
    offer.defaults.user_classes.append("Buyer")
    assert initial_fields(offer).classes == ("Buyer",)
    assert list(read_start(FIELDS, manifest=offer).options.user_classes) == ["Browser", "Buyer"]


def test_users_may_be_typed_as_they_are_shown() -> None:
    """The screen writes 1,200."""
    assert read_edit(users="1,200", spawn_rate="0.5") == EditForm(1_200, 0.5, {})


def test_form_starts_with_the_defaults_of_the_command_line() -> None:
    """What the master was started with is what a person expects."""
    assert initial_fields(manifest()) == StartFields("120", "10", "", "10m", ("Browser", "Buyer"), None)


def test_a_shape_takes_users_and_rate_away_unless_it_uses_them() -> None:
    """Fields that mean nothing must not look as if they did."""
    offer = manifest()
    offer.manifest.load_shapes.extend(
        [LoadShape(name="Stages"), LoadShape(name="Own", uses_common_options=True)]
    )
    assert initial_fields(offer).load_shape == "Stages"
    assert not uses_users_and_rate(offer, "Stages")
    assert uses_users_and_rate(offer, "Own")
    assert uses_users_and_rate(offer, "")
    form = read_start(replace(FIELDS, users="", load_shape="Stages"), manifest=offer)
    assert not form.problems
    assert form.options.load_shape == "Stages"
    assert not form.options.HasField("users")


@pytest.mark.parametrize(
    ("with_host", "hint"),
    [(True, "as the classes have it: https://shop.test"), (False, "a class has no host: give one")],
)
def test_empty_host_says_what_it_means(with_host: bool, hint: str) -> None:
    """Somebody has to name the target."""
    assert host_hint(manifest(with_host=with_host)).startswith(hint)


@pytest.mark.parametrize(
    ("now", "then", "text"),
    [
        (120, 200, "120 → 200 users, in 8 s"),
        (200, 120, "200 → 120 users, in 8 s"),
        (5, 5, "5 users, as now"),
        (0, 5_000, "0 → 5,000 users, in 00:08:20"),
    ],
)
def test_edit_says_what_will_be(now: int, then: int, text: str) -> None:
    """Before it is done."""
    assert ramp_text(users_now=now, users_then=then, spawn_rate=10) == text
