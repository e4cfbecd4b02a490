"""How many users there should have been at most at each moment, from what was asked for. Pure.

Taken from the bench's own calls and never from what the cluster says of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.truth import Truth

SLACK_S = 1.0
"""A user that is to stop may have a request on the wire for as long as the grace for it."""

ALLOWED_SHARE = 0.02
ALLOWED_USERS = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """A start or an edit: sent and answered at these moments, on the target's clock."""

    sent_s: float
    done_s: float
    users: int
    spawn_rate: float


def users_wanted_at_most(wishes: Sequence[Wish], at_s: float) -> int:
    """The most users that any reading of the wishes allows at a moment. `wishes` are in order of time."""
    present = 0.0
    most = 0.0
    for index, wish in enumerate(wishes):
        if wish.sent_s > at_s:
            break
        end_s = min(at_s, wishes[index + 1].sent_s) if index + 1 < len(wishes) else at_s
        if wish.users >= present:
            present = min(wish.users, present + 1 + (end_s - wish.sent_s) * wish.spawn_rate)
            most = present
        else:
            ramp_s = max(0.0, end_s - SLACK_S - wish.done_s)
            most = max(wish.users, present - ramp_s * wish.spawn_rate)
            present = most
    return int(most)


@dataclass(frozen=True, slots=True)
class Overshoot:
    """The worst moment: when, how many users the target saw, how many there should have been at most."""

    at_s: float
    seen: int
    wanted: int

    @property
    def excess(self) -> int:
        """Users too many."""
        return self.seen - self.wanted

    @property
    def allowed(self) -> int:
        """Users too many that are let pass."""
        return max(int(self.wanted * ALLOWED_SHARE), ALLOWED_USERS)


def worst_overshoot(truth: Truth, wishes: Sequence[Wish]) -> Overshoot:
    """Returns the moment with the most users beyond the wishes; one with none when there is no such."""
    worst = Overshoot(0.0, 0, 0)
    for at_s, seen in truth.users_over_time():
        wanted = users_wanted_at_most(wishes, at_s)
        if seen - wanted > worst.excess or worst.seen == 0:
            worst = Overshoot(at_s, seen, wanted)
    return worst
