"""The judge of the fault bench finds what is wrong, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from tests.chaos.accounts import ANSWER_MS, Accounts, Death, Reported, settle
from tests.chaos.declared import Declared, with_declarations
from tests.chaos.truth import Arrival, Truth
from tests.chaos.wishes import Wish, users_wanted_at_most, worst_overshoot

PATH = "GET /"
TRUTH = Truth(tuple(Arrival(at_s, PATH, "1", "1-1") for at_s in (1.0, 1.1, 1.2, 1.3)))
KEY = (PATH, "1")


def reported(count: int, *, interrupted: int = 0) -> Reported:
    return Reported(
        requests={KEY: count},
        interrupted={KEY: interrupted},
        shared={PATH: count},
        total=2 * count,
        history_total=2 * count,
    )


def killed(declared_ms: int | None, *, is_worker: bool = False) -> Death:
    return Death("w0", ("1",), 1.4, is_worker, declared_ms)


def test_equal_counts_leave_nothing_to_complain_about() -> None:
    """What a stop cut off is part of what arrived."""
    accounts = settle(TRUTH, reported(3, interrupted=1), [])
    assert accounts.complaints() == []
    assert (accounts.served, accounts.reported, accounts.interrupted) == (4, 3, 1)


@pytest.mark.parametrize(("count", "word"), [(3, "lost"), (5, "too many")])
def test_a_runner_that_lived_has_to_agree_exactly(count: int, word: str) -> None:
    """One request is enough."""
    (complaint,) = settle(TRUTH, reported(count), []).complaints()
    assert word in complaint


def test_a_request_that_nobody_saw_is_too_many() -> None:
    """Also of a runner that the target never heard of."""
    accounts = settle(Truth(()), reported(1), [])
    assert accounts.duplicated == {KEY: 1}


def test_a_killed_runner_may_lack_what_was_declared_and_have_no_more_than_arrived() -> None:
    """Its death excuses a loss, never a duplicate."""
    assert settle(TRUTH, reported(2), [killed(250)]).complaints() == []
    assert settle(TRUTH, reported(5), [killed(250)]).duplicated == {KEY: 1}


@pytest.mark.parametrize(
    ("death", "word"),
    [
        (killed(None), "no loss was declared"),
        (killed(200 - ANSWER_MS - 1), "200 ms lost"),
        (killed(501), "at most 500"),
        (dataclasses.replace(killed(400), at_s=1.2 + 0.501 + ANSWER_MS / 1000), "at most 500"),
        (dataclasses.replace(killed(9_000, is_worker=True), at_s=5.0), "at most 3000"),
    ],
)
def test_a_death_is_judged_by_its_loss_and_by_what_was_declared(death: Death, word: str) -> None:
    """Declared at least what is true, and both bounded."""
    (complaint,) = settle(TRUTH, reported(2), [death]).complaints()
    assert word in complaint


def test_sums_and_seconds_have_to_agree_too() -> None:
    """The merged sum and the history are derived: they can go wrong by themselves."""
    spoilt = dataclasses.replace(reported(4), shared={PATH: 5}, history_total=7)
    accounts: Accounts = settle(TRUTH, spoilt, [])
    assert accounts.shared_off == {PATH: 1}
    assert accounts.history_off == -1
    assert len(accounts.complaints()) == 2


def test_declarations_are_matched_in_order_and_strangers_are_named() -> None:
    """Two deaths of one worker's runners have two declarations."""
    first, second = Death("w0", ("1",), 1.0), Death("w0", ("2",), 2.0)
    declared = [Declared("w0", 10, "runner"), Declared("w0", 20, "runner"), Declared("w1", 30, "runner")]
    matched, strangers = with_declarations([second, first], declared)
    assert [death.declared_ms for death in matched] == [10, 20]
    assert len(strangers) == 1
    assert "w1" in strangers[0]


def test_wishes_allow_a_ramp_up_from_its_call_and_a_ramp_down_after_it() -> None:
    """The readings that are kindest to the cluster."""
    wishes = [Wish(10.0, 10.5, 20, 10.0), Wish(20.0, 20.5, 10, 5.0)]
    wanted = {at_s: users_wanted_at_most(wishes, at_s) for at_s in (9.0, 10.0, 11.0, 15.0, 21.0, 22.5, 30.0)}
    assert wanted == {9.0: 0, 10.0: 1, 11.0: 11, 15.0: 20, 21.0: 20, 22.5: 15, 30.0: 10}


def test_overshoot_is_users_that_are_there_at_the_same_time() -> None:
    """One after the other is no overshoot."""
    spans = {"1-1": (1.0, 3.0), "1-2": (2.0, 4.0), "1-3": (3.5, 5.0)}
    arrivals = [Arrival(at_s, PATH, "1", user) for user, span in spans.items() for at_s in span]
    truth = Truth(tuple(sorted(arrivals)))
    assert worst_overshoot(truth, [Wish(0.0, 0.0, 2, 10.0)]).excess == 0
    assert worst_overshoot(truth, [Wish(0.0, 0.0, 1, 10.0)]).excess == 1
