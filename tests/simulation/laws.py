"""What must hold at every moment, whatever happens; and what must hold in the end.

A law that is broken raises `LawBroken` with the diary of what was done, so that a seed explains itself.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locust_master.losses import LossKind
from locust_master.planning.plan import PlacementPlan, planned_placement, planned_users
from locust_protocol.limits import LEASE_REASSIGN_GRACE_S, MAX_PENDING_SLICES, MAX_UNACKED_REPORTS
from tests.simulation.simulated_runner import SimulatedRunner
from tests.simulation.truth import Sample, counted
from tests.simulation.virtual_loop import SECOND_NS, ProcessState

if TYPE_CHECKING:
    from tests.simulation.worker_life import WorkerLife
    from tests.simulation.world import World

REACTION_S = 0.5
"""Seconds from a change of the plan until everybody in touch follows it: two ways, a tick, two links."""

COUNT_EVERY = 10
"""Looks between two counts of samples."""

STALL_S = 6.0
"""Seconds after a runner stood still for which its samples may be late: no watermark waits for it."""


class LawBroken(AssertionError):
    """A law does not hold."""


@dataclass
class _PlanInForce:
    """A plan, and until when it was the newest."""

    plan: PlacementPlan
    since_s: float
    until_s: float = 0.0


class Laws:
    """Looks at a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._plans: deque[_PlanInForce] = deque()
        self._stall_s: dict[bytes, float] = {}
        self._trouble_s = -1e9
        self._looks = 0
        self.lost_samples = 0
        """Samples that went with a worker that was lost; the run declares them."""

    def look(self) -> None:
        """Looks once; called many times a virtual second."""
        self._looks += 1
        self._note_trouble()
        self._users_are_not_more_than_planned()
        self._lost_workers_run_nothing()
        self._nobody_runs_after_the_run_time()
        self._memory_is_bounded()
        if self._looks % COUNT_EVERY == 0 and self._world.master.process.state is ProcessState.ALIVE:
            self._nothing_is_counted_twice()
            self._watermark_passes_nobody()

    def fail(self, text: str) -> None:
        """Breaks off with what is wrong and what was done."""
        diary = "\n".join(self._world.diary)
        raise LawBroken(f"at {self._world.loop.time():.2f} s: {text}\n{diary}")

    # ── at every moment ──────────────────────────────────────────────────────────────────────────────────

    def _note_trouble(self) -> None:
        world = self._world
        now_s = world.loop.time()
        is_trouble = world.master.process.state is not ProcessState.ALIVE
        for worker in world.workers:
            is_trouble = is_trouble or (worker.is_present and not worker.is_in_touch)
            if any(map(_is_frozen, worker.host.runners)):
                self._stall_s[worker.uid] = now_s
        if is_trouble:
            self._trouble_s = now_s
        run = world.master.run
        if run is None:
            return
        if not self._plans or self._plans[-1].plan is not run.plan:
            self._plans.append(_PlanInForce(run.plan, now_s))
        self._plans[-1].until_s = now_s if run.lifecycle.is_active else min(self._plans[-1].until_s, now_s)
        longest_s = world.settings.lease_ttl_s + LEASE_REASSIGN_GRACE_S + 2 * REACTION_S
        while len(self._plans) > 1 and self._plans[0].until_s < now_s - longest_s:
            self._plans.popleft()

    @property
    def calm_s(self) -> float:
        """Seconds since everybody last was out of touch with somebody."""
        return self._world.loop.time() - self._trouble_s

    def _users_are_not_more_than_planned(self) -> None:
        """Two workers never run the same share, over expiry, fencing and return."""
        world = self._world
        running = sum(
            worker.users - worker.host.ending() for worker in world.workers if not self._stood_still(worker)
        )
        if not self._plans:
            if running:
                self.fail(f"{running} users before the start")
            return
        at_us = (world.loop.now_ns - world.journal.start_ns) // 1_000
        if running <= planned_users(self._plans[-1].plan, at_us) and world.master.has_active_run:
            return
        longest_s = world.settings.lease_ttl_s + LEASE_REASSIGN_GRACE_S
        window_s = REACTION_S if self.calm_s > longest_s + REACTION_S else longest_s + 2 * REACTION_S
        since_s = world.loop.time() - window_s
        in_force = [each.plan for each in self._plans if each.until_s >= since_s]
        planned = max((self._most_users(plan, at_us, window_s) for plan in in_force), default=0)
        allowed = planned + max(planned * 0.02, 1)
        if running > allowed:
            shares = {worker.name: worker.users for worker in world.workers if worker.users}
            self.fail(f"{running} users run, {planned} are planned: {shares}")

    def _stood_still(self, worker: WorkerLife) -> bool:
        """A runner under SIGSTOP cannot end its users; it does so when it goes on."""
        return self._world.loop.time() - self._stall_s.get(worker.uid, -1e9) < REACTION_S

    @staticmethod
    def _most_users(plan: PlacementPlan, at_us: int, window_s: float) -> int:
        """The most that a plan wants around a moment: orders are on their way, clocks are a little off."""
        around = (at_us + 30_000, at_us, at_us - 250_000, at_us - round(window_s * 1e6))
        return max(planned_users(plan, each_us) for each_us in around)

    def _lost_workers_run_nothing(self) -> None:
        """The lease ends at the worker before the master gives its share away."""
        for member in self._world.master.cluster.membership.all():
            worker = next(each for each in self._world.workers if each.uid == member.uid)
            if member.is_live or member.has_left or self._stood_still(worker):
                continue
            if worker.users:
                self.fail(f"{worker.name} is lost for the master and runs {worker.users} users")

    def _nobody_runs_after_the_run_time(self) -> None:
        """Whether or not there is a master that says so."""
        deadline_s = self._world.journal.deadline_s
        if deadline_s is None or self._world.loop.time() < deadline_s + 2 * REACTION_S:
            return
        for worker in self._world.workers:
            if worker.users and not self._stood_still(worker):
                self.fail(f"{worker.name} runs {worker.users} users after the run time")

    def _memory_is_bounded(self) -> None:
        for worker in self._world.workers:
            outbox = worker.agent.reporting.outbox
            if outbox is None:
                continue
            if len(outbox.open) > MAX_PENDING_SLICES or outbox.unacked > MAX_UNACKED_REPORTS + 1:
                self.fail(f"{worker.name}: {len(outbox.open)} slices open, {outbox.unacked} reports frozen")

    def _nothing_is_counted_twice(self) -> None:
        run = self._world.master.run
        if run is None:
            return
        numbers = counted(run.totals)
        twice = [number for number, times in numbers.items() if times != 1]
        if twice:
            self.fail(f"counted more than once: {[self._about(number) for number in sorted(twice)[:5]]}")
        foreign = [n for n in numbers if self._world.truth.samples[n].epoch != run.totals.epoch]
        if foreign:
            self.fail(f"of another epoch: {[self._about(number) for number in sorted(foreign)[:5]]}")

    def _watermark_passes_nobody(self) -> None:
        """What is shown as complete has the samples of every live worker."""
        run = self._world.master.run
        if run is None or not run.lifecycle.is_active:
            return
        live = {member.key for member in self._world.master.cluster.membership.live()}
        until_ms = run.totals.complete_until_ms(live)
        numbers = counted(run.totals)
        for sample in reversed(self._world.truth.samples):
            at_ms = self._run_ms(sample)
            if at_ms >= until_ms or sample.epoch != run.totals.epoch:
                continue
            if at_ms < until_ms - 10_000:
                return
            if sample.worker.hex() in live and sample.number not in numbers:
                if sample.number in self._world.truth.died_with_runner or self._may_be_late(sample):
                    continue
                self.fail(f"the watermark is at {until_ms} ms, but {self._about(sample.number)} is missing")

    def _may_be_late(self, sample: Sample) -> bool:
        """The agent reports on while a runner of it stands still, and the watermark follows the agent."""
        return self._world.loop.time() - self._stall_s.get(sample.worker, -1e9) < STALL_S

    def _run_ms(self, sample: Sample) -> int:
        return (sample.at_ns - self._world.journal.start_ns) // 1_000_000

    def _about(self, number: int) -> str:
        sample = self._world.truth.samples[number]
        return (
            f"#{number} of {sample.runner} at {self._run_ms(sample)} ms of the run "
            f"({(sample.at_ns / SECOND_NS) - 100_000:.2f} s), epoch {sample.epoch}"
        )

    # ── after the last blow, and in the end ──────────────────────────────────────────────────────────────

    def users_follow_the_plan(self) -> str:
        """Returns what is not as planned; empty when all is."""
        run = self._world.master.run
        assert run is not None
        planned = planned_placement(run.plan, run.now_us(self._world.loop.now_ns))
        total = sum(sum(classes.values()) for classes in planned.values())
        can_run = any(member.usable_runners for member in self._world.master.cluster.membership.live())
        if total != run.goal.users and can_run and self._world.present():
            return f"{total} users are planned, the goal is {run.goal.users}"
        for worker in self._world.workers:
            users = dict(+worker.host.users())
            wanted = planned.get(worker.uid.hex(), {})
            if users != wanted:
                return f"{worker.name} runs {users}, the plan wants {wanted}"
        return ""

    def all_is_counted(self) -> None:
        """In the end: every sample once, but for what died; and what died was declared."""
        run = self._world.master.run
        assert run is not None
        self._nothing_is_counted_twice()
        numbers = counted(run.totals)
        truth = self._world.truth
        missing = [
            sample
            for sample in truth.samples
            if sample.number not in numbers
            and sample.epoch == run.totals.epoch
            and sample.number not in truth.died_with_runner
        ]
        self.lost_samples = len(missing)
        for worker in self._world.workers:
            self._loss_is_declared(worker, [sample for sample in missing if sample.worker == worker.uid])
        undead = [n for n in numbers if n in truth.died_with_runner]
        if undead:
            self.fail(f"counted though it died: {self._about(undead[0])}")
        self.user_data_is_taken_once()

    def _loss_is_declared(self, worker: WorkerLife, missing: list[Sample]) -> None:
        """Only who is lost takes samples along, and never more than the run says.

        What it says of a worker that died when its connection ended holds for all but those who lived on, cut
        off; for these it says another figure.
        """
        if not missing:
            return
        if worker.was_killed and self._world.master.cluster.membership.by_uid(worker.uid) is None:
            return  # it joined, and its master died before the store had that: two deaths
        run = self._world.master.run
        assert run is not None
        about = f"{len(missing)} samples of {worker.name} are missing: {self._about(missing[0].number)}"
        declared = [
            loss
            for loss in run.losses
            if loss.worker == worker.name
            and loss.until_ms is None
            and loss.kind in (LossKind.WORKER, LossKind.LAST_REPORT)
        ]
        if not declared:
            self.fail(f"{about} … {self._about(missing[-1].number)}; losses {run.losses}")
        missing_ms = (missing[-1].at_ns - missing[0].at_ns) // 1_000_000
        said_ms = max(loss.at_most_ms if worker.was_cut_off else loss.missing_ms for loss in declared)
        if missing_ms > said_ms:
            self.fail(f"{about} … {self._about(missing[-1].number)}; declared {declared}")

    def seconds_are_true(self) -> None:
        """Clocks that are hours off change nothing: each second has the requests that ended in it.

        For a run in which nobody had to send a snapshot or to join slices: these know no seconds.
        """
        run = self._world.master.run
        assert run is not None
        ended = Counter(self._run_ms(sample) // 1_000 for sample in self._world.truth.samples)
        seen = {each.number: each.requests for each in run.totals.history.between(0, 10**9) if each.requests}
        if seen != dict(ended):
            wrong = {
                at: (seen.get(at), ended.get(at))
                for at in ended.keys() | seen
                if seen.get(at) != ended.get(at)
            }
            self.fail(f"requests by second, counted and true: {wrong}")

    def user_data_is_taken_once(self) -> None:
        """What listeners add to reports reaches the master's listeners at most once."""
        lives = self._world.master
        taken = Counter(lives.data_before + lives.store.taken)
        if twice := [number for number, times in taken.items() if times > 1]:
            self.fail(f"user data taken more than once: {twice[:5]}")


def _is_frozen(runner: SimulatedRunner) -> bool:
    return runner.process.state is ProcessState.FROZEN
