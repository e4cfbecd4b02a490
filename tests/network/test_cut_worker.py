"""One worker is cut off from its master, while both still reach the target: what the target sees of it.

In one run: a cut shorter than the lease, one that is longer, and a line that is too slow for the reports.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from locust_protocol.limits import LEASE_REASSIGN_GRACE_S
from locust_protocol.v1 import snapshot_pb2
from tests.network.conditions import needs_network, slow
from tests.network.hosts import HostCluster, is_heard
from tests.network.witness import Life, Seen
from tests.support.wait import wait_until

pytestmark = [pytest.mark.end_to_end, needs_network]

USERS = 30
SPAWN_RATE = 10
ONE_MORE = 1
"""Users over the plan that may be seen at one moment: 2 % of 30, and at least one."""

NOTICE_S = 3.0
"""Seconds beyond a promise for clocks that tick ten times a second, and for a machine that stands still for a
moment."""

STANDSTILL_S = 0.5
"""Seconds without a request of a user that makes ten a second: its machine stood still, and whoever was due
meanwhile starts all at once."""

BACK_S = 3.0
"""Seconds after the heal within which reports come in again."""

RATE_WINDOW_S = 0.5
"""Seconds in which never more users may start than the spawn rate allows, and a few for a late wake-up."""

SLOW_KILOBITS_PER_S = 256
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Cuts:
    """One round of faults; times in seconds."""

    lease_s: float
    short_s: float
    long_s: float
    slow_line_s: float


QUICK = Cuts(lease_s=6.0, short_s=3.0, long_s=12.5, slow_line_s=3.0)
DEFAULT_LEASE = Cuts(lease_s=10.0, short_s=5.0, long_s=23.0, slow_line_s=15.0)


@pytest.mark.parametrize("cuts", [pytest.param(QUICK), pytest.param(DEFAULT_LEASE, marks=slow)])
def test_cut_worker_neither_loses_nor_doubles_load_or_samples(tmp_path: Path, cuts: Cuts) -> None:
    """The promise about networks, on hosts with addresses of their own."""
    options = ("--lease-ttl", str(cuts.lease_s))
    with HostCluster(tmp_path, workers=3, master_options=options) as cluster:
        cluster.client.start(users=USERS, spawn_rate=SPAWN_RATE)
        cluster.client.wait_users(USERS)
        wait_users_seen(cluster, USERS)

        short_cut_stops_nobody(cluster, cuts)
        long_cut_moves_the_share_and_gives_it_back(cluster, cuts)
        slow_line_delays_reports_only(cluster, cuts)

        cluster.stop()
        assert cluster.reported() == cluster.witness.seen().counts
        assert cluster.witness.seen().most_at_once() <= USERS + ONE_MORE
        assert any(
            warning.kind == snapshot_pb2.WARNING_KIND_DEGRADED and "w1" in warning.text
            for warning in cluster.client.snapshot().warnings
        )


def short_cut_stops_nobody(cluster: HostCluster, cuts: Cuts) -> None:
    """Users run on without the master, and reports come as soon as they can."""
    cut_s = cut(cluster)
    pass_time(until_s=cut_s + cuts.short_s)
    healed_s = heal(cluster)
    heard_s = cluster.wait_worker("w1", is_heard, deadline_s=DEADLINE_S)
    assert heard_s - healed_s <= BACK_S + NOTICE_S
    wait_users_seen(cluster, USERS)
    seen = cluster.witness.seen()
    assert len(seen.lives) == USERS, "nobody was stopped, nobody started"
    assert max(life.longest_pause_s for life in seen.lives) < cuts.short_s
    print(f"cut of {cuts.short_s:g} s: heard {heard_s - healed_s:.2f} s after the heal, nobody stopped")


def long_cut_moves_the_share_and_gives_it_back(cluster: HostCluster, cuts: Cuts) -> None:
    """First its users end, then others start; after the heal they come back, at the spawn rate."""
    cut_s = cut(cluster)
    pass_time(until_s=cut_s + cuts.long_s)
    seen = cluster.witness.seen()
    ended = [life for life in seen.on("w1") if life.last_s >= cut_s]
    moved = [life for life in seen.lives if life.first_s > cut_s]
    last_ended_s = max(life.last_s for life in ended) - cut_s
    first_moved_s = min(life.first_s for life in moved) - cut_s
    last_moved_s = max(life.first_s for life in moved) - cut_s
    assert last_ended_s <= cuts.lease_s + NOTICE_S
    assert len(moved) == len(ended) == USERS // 3
    assert {life.host for life in moved} == {"w2", "w3"}
    ramp_s = len(moved) / SPAWN_RATE
    assert last_moved_s <= cuts.lease_s + LEASE_REASSIGN_GRACE_S + ramp_s + NOTICE_S
    assert first_moved_s > last_ended_s, "no share runs twice"
    assert most_starts(moved) <= RATE_WINDOW_S * SPAWN_RATE + 2 or stood_still(seen)

    healed_s = heal(cluster)
    heard_s = cluster.wait_worker("w1", is_heard, deadline_s=DEADLINE_S)
    assert heard_s - healed_s <= BACK_S + NOTICE_S
    wait_users_seen(cluster, USERS, on_w1=USERS // 3)
    seen = cluster.witness.seen()
    back = [life for life in seen.on("w1") if life.first_s > healed_s]
    assert most_starts(back) <= RATE_WINDOW_S * SPAWN_RATE + 2 or stood_still(seen)
    print(
        f"cut of {cuts.long_s:g} s with a lease of {cuts.lease_s:g} s: users ended {last_ended_s:.2f} s "
        f"after the cut, moved {first_moved_s:.2f} to {last_moved_s:.2f} s after it; heard "
        f"{heard_s - healed_s:.2f} s after the heal, users back {back[-1].first_s - healed_s:.2f} s after it"
    )


def slow_line_delays_reports_only(cluster: HostCluster, cuts: Cuts) -> None:
    """What does not fit through the line waits and is merged; the lease holds."""
    slowed_s = time.monotonic()
    cluster.network.limit_rate(cluster.worker_hosts[1], kilobits_per_s=SLOW_KILOBITS_PER_S)
    before = cluster.worker("w2").acknowledged_sequence
    pass_time(until_s=slowed_s + cuts.slow_line_s)
    cluster.wait_worker("w2", lambda w2: w2.acknowledged_sequence > before, deadline_s=DEADLINE_S)
    users = {life.host for life in cluster.witness.seen().lives if life.runs_at(slowed_s)}
    assert "w2" in users


def cut(cluster: HostCluster) -> float:
    cluster.network.cut(cluster.worker_hosts[0], cluster.master_host)
    return time.monotonic()


def heal(cluster: HostCluster) -> float:
    cluster.network.heal(cluster.worker_hosts[0], cluster.master_host)
    return time.monotonic()


def pass_time(*, until_s: float) -> None:
    """Lets a fault last: its length is what is tested."""
    wait_until(lambda: time.monotonic() >= until_s, deadline_s=DEADLINE_S, describe="the end of a fault")


def wait_users_seen(cluster: HostCluster, users: int, *, on_w1: int | None = None) -> None:
    """Waits until the target has heard from so many users since now."""
    since_s = time.monotonic()

    def heard() -> list[Life]:
        return [life for life in cluster.witness.seen().lives if life.last_s >= since_s]

    def is_whole() -> bool:
        hosts = [life.host for life in heard() if life.runs_at(life.last_s)]
        return len(hosts) >= users and on_w1 in (None, hosts.count("w1"))

    wait_until(is_whole, deadline_s=DEADLINE_S, describe=lambda: f"{users} users; heard {len(heard())}")


def stood_still(seen: Seen) -> bool:
    """True when some user that nobody stopped was not let run for a while."""
    return max(life.longest_pause_s for life in seen.lives) >= STANDSTILL_S


def most_starts(lives: list[Life]) -> int:
    """The most users that started within the window."""
    starts = [life.first_s for life in lives]
    return max((sum(s <= t < s + RATE_WINDOW_S for t in starts) for s in starts), default=0)
