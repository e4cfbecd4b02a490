"""The fault bench: a run on real processes while everything around it breaks, and what it came to.

    target ← users of 8 runners ← 4 agents ← 4 chaos proxies ← 1 master, killed and started again

The master's final numbers are compared with the target's own count, runner by runner and path by path.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from locust_protocol.v1 import snapshot_pb2
from tests.chaos.accounts import Accounts, Reported, settle
from tests.chaos.declared import read_declared, with_declarations
from tests.chaos.fault_cluster import FaultCluster
from tests.chaos.monitor import Monitor
from tests.chaos.network_hand import NetworkHand
from tests.chaos.outages import Outages
from tests.chaos.plan import Extent, network_plan, process_plan
from tests.chaos.process_hand import ProcessHand
from tests.chaos.recoveries import Recoveries, RecoveryTimes
from tests.chaos.truth import Truth, TruthTarget, smallest_rate
from tests.chaos.wishes import Overshoot, worst_overshoot

LOCUSTFILE = Path(__file__).parent / "locustfiles" / "named_users.py"

NETWORK_REST_S = 60.0
"""Seconds that network faults may go on after the last process fault; then they are given up."""

WINDOW_S = 1.0
"""Seconds over which the load while the master is away is measured."""

FULL = Extent(
    seconds=450.0,
    workers=4,
    runners=2,
    cuts=100,
    other_network_faults=45,
    long_hangs=2,
    runner_kills=20,
    master_kills=5,
    agent_kills=2,
    leaves=2,
    pauses=2,
    edits=((56, 8.0), (24, 8.0), (64, 20.0), (40, 20.0)),
)

SHORT = Extent(
    seconds=10.0,
    workers=2,
    runners=2,
    cuts=10,
    other_network_faults=4,
    long_hangs=0,
    runner_kills=1,
    master_kills=1,
    agent_kills=0,
    leaves=0,
    pauses=0,
    edits=((16, 8.0),),
)


@dataclass(frozen=True, slots=True)
class Load:
    """What the users do."""

    users: int
    spawn_rate: float
    pacing_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run with faults came to."""

    seed: int
    seconds: float
    accounts: Accounts
    overshoot: Overshoot
    recoveries: dict[str, RecoveryTimes]
    load_while_master_away: float | None
    """The least share of the wanted load in any second in which the master was away; None: it never was."""
    state: snapshot_pb2.RunSummary
    complaints: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not self.complaints


def run_bench(folder: Path, extent: Extent, load: Load, *, seed: int) -> Outcome:
    """Runs everything; processes end with it. Raises AssertionError when not even a run can be had."""
    started_s = time.monotonic()
    recoveries, outages = Recoveries(), Outages()
    with (
        TruthTarget() as target,
        FaultCluster(
            folder,
            LOCUSTFILE,
            host=target.url,
            workers=extent.workers,
            runners=extent.runners,
            seed=seed,
            environment={"CHAOS_PACING_S": str(load.pacing_s)},
        ) as cluster,
        Monitor(cluster.client) as monitor,
    ):
        hand = ProcessHand(cluster, monitor=monitor, recoveries=recoveries, master_outages=outages)
        hand.start_run(users=load.users, spawn_rate=load.spawn_rate)
        network = network_plan(extent, seed=seed)
        network_hands = [
            NetworkHand(
                cluster,
                seat,
                steps=[step for step in network if step.seat == seat.number],
                monitor=monitor,
                recoveries=recoveries,
                master_outages=outages,
            )
            for seat in cluster.seats
        ]
        for each in network_hands:
            each.start()
        try:
            hand.follow(process_plan(extent, seed=seed))
        finally:
            rest_s = time.monotonic() + NETWORK_REST_S
            for each in network_hands:
                each.finish(deadline_s=max(0.0, rest_s - time.monotonic()))
        try:
            hand.wait_whole(after_s=time.monotonic())
        except AssertionError as error:
            recoveries.fail(f"not whole after all faults: {error}")
        cluster.client.stop()
        cluster.client.wait_state(snapshot_pb2.RUN_STATE_STOPPED)
        snapshot, truth = cluster.client.snapshot(), target.truth()
        run_file = cluster.run_files[-1]
        deaths, undeclared = with_declarations(hand.deaths, read_declared(run_file))
        if len(cluster.run_files) > 1:
            recoveries.fail(f"{len(cluster.run_files)} runs were written instead of one")
        (folder / "logs.txt").write_text(cluster.logs())
    accounts = settle(truth, Reported.of_snapshot(snapshot), deaths)
    overshoot = worst_overshoot(truth, hand.wishes)
    complaints = [*accounts.complaints(), *undeclared, *recoveries.failures]
    if overshoot.excess > overshoot.allowed:
        complaints.append(f"{overshoot.seen} users at once, at most {overshoot.wanted} were wanted")
    return Outcome(
        seed=seed,
        seconds=time.monotonic() - started_s,
        accounts=accounts,
        overshoot=overshoot,
        recoveries=recoveries.by_kind(),
        load_while_master_away=_load_share(truth, outages, hand, load),
        state=snapshot.run,
        complaints=tuple(complaints),
    )


def _load_share(truth: Truth, outages: Outages, hand: ProcessHand, load: Load) -> float | None:
    shares = []
    for start_s, end_s in outages.spans():
        users = [wish.users for wish in hand.wishes if wish.done_s <= start_s][-1]
        rate = smallest_rate(truth, [(start_s, end_s)], window_s=WINDOW_S)
        if rate is not None:
            shares.append(rate * load.pacing_s / users)
    return min(shares, default=None)
