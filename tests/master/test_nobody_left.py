"""A run in which nobody runs any more says so once, with the reason where there is one."""

from __future__ import annotations

import logging

from locust_master.lifecycle import RunTrigger
from locust_master.nobody_left import NobodyLeft, Notice
from tests.master.cluster_builders import report, started

LOGIN = '  File "/shop/lf.py", line 7, in on_start\n    raise ValueError("no login")\n'
TASK = '  File "/shop/lf.py", line 9, in buy\n    raise ValueError("no stock")\n'


class Scene:
    """A run on one worker, and what is said of it."""

    def __init__(self, users: int, *, is_ramp: bool = False) -> None:
        self._fleet, (self._member,) = started(1, users=users)
        self._look = NobodyLeft()
        assert self._fleet.cluster.run is not None
        if not is_ramp:
            self._fleet.cluster.run.lifecycle.apply(RunTrigger.GOAL_REACHED)

    def told(self, sequence: int, *, running: int, ended: int, traceback: str = "") -> Notice | None:
        """Returns what is said once the worker has told how its users are."""
        made = report(sequence)
        made.status.users.add(user_class="A", running=running, ended=ended)
        if traceback:
            made.exceptions.add(id=1, message="no login", traceback=traceback)
            made.slices.add(width_ms=1_000, stats_epoch=1, exception_id=[1], exception_count=[ended])
        self._fleet.tell(self._member, made)
        return self._look.look(self._fleet.cluster.run, self._fleet.cluster.membership.live())


def test_users_that_all_failed_in_on_start_are_a_warning_with_the_last_exception() -> None:
    """A login that fails for everybody leaves a run that looks quiet."""
    notice = Scene(20).told(1, running=0, ended=20, traceback=LOGIN)
    assert notice is not None
    assert notice.level == logging.WARNING
    assert notice.text == "no user is left: all 20 ended in on_start, the last with 'no login' (lf.py:7)"


def test_users_that_all_stopped_themselves_are_information() -> None:
    """A locustfile may want just that, whatever its tasks raised before."""
    for traceback in ("", TASK):
        notice = Scene(3).told(1, running=0, ended=3, traceback=traceback)
        assert notice is not None
        assert notice.level == logging.INFO
        assert notice.text == "no user is left: all 3 ended by themselves, and the run goes on"


def test_it_is_said_once_and_again_when_users_ran_meanwhile() -> None:
    """Not ten times a second."""
    scene = Scene(3)
    assert scene.told(1, running=1, ended=2) is None
    assert scene.told(2, running=0, ended=3) is not None
    assert scene.told(3, running=0, ended=3) is None
    assert scene.told(4, running=3, ended=0) is None
    assert scene.told(5, running=0, ended=3) is not None


def test_slow_ramp_of_users_that_all_fail_is_told_early_and_short_lives_are_not() -> None:
    """Nobody should wait an hour for the last of them."""
    notice = Scene(1_000, is_ramp=True).told(1, running=0, ended=5, traceback=LOGIN)
    assert notice is not None
    assert "all 5 so far ended in on_start" in notice.text
    assert Scene(1_000, is_ramp=True).told(1, running=0, ended=4, traceback=LOGIN) is None
    assert Scene(1_000, is_ramp=True).told(1, running=0, ended=5) is None


def test_nothing_is_said_of_a_run_without_users_or_without_a_run() -> None:
    """Nobody was wanted, so nobody is missed."""
    assert Scene(0).told(1, running=0, ended=0) is None
    assert NobodyLeft().look(None, []) is None
