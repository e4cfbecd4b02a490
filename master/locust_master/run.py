"""The present run: what it is after, how far it is, what was counted. State, no I/O, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from locust_master.generator_watch import GeneratorWatch
from locust_master.handover import Handover
from locust_master.ledger import Ledger
from locust_master.lifecycle import Lifecycle
from locust_master.losses import Loss, LossKind, LossTerms, is_beyond
from locust_master.membership import Member
from locust_master.merging.ahead import SlicePart
from locust_master.merging.totals import RunTotals
from locust_master.planning.goal import Goal, TimedGoal
from locust_master.planning.moves import givers, held_placement, held_schedules
from locust_master.planning.plan import (
    PlacementPlan,
    PlanBasis,
    WorkerCapacity,
    end_us,
    next_start_us,
    plan_of,
    planned_placement,
    planned_users,
)
from locust_master.run_events import EventLog
from locust_master.run_options import RunOptions
from locust_protocol.schedule_messages import write_goal
from locust_protocol.v1 import assignment_pb2, bundle_pb2, report_pb2, snapshot_pb2

EMPTY_PLAN = PlacementPlan(start_us=0, by_worker={}, total_target=0)
CHANGE_LEAD_US = 100_000
"""Microseconds from a change to its first step: assignments arrive, and are answered, before that is due."""

HANDOVER_LATE_US = 150_000
"""Microseconds after a plan's start in which its starts may still be given free as they are: those that are
due by then come as late as those of a change that was long on its way."""

BEFORE_START_US = -1
"""A moment before run time zero, when the first user is due: until then nobody runs, whatever is planned."""

NOBODY: frozenset[str] = frozenset()


@dataclass(slots=True)
class RunRecord:
    """Facts of a run that never change."""

    run_id: bytes
    options: RunOptions
    settings: assignment_pb2.RunSettings
    bundle: bundle_pb2.BundleReference
    locustfile: str
    load_shape: str
    host: str
    start_ns: int
    started_wall_ms: int
    defaults: RunOptions = field(default_factory=RunOptions)
    """What the master's command line says: a client may have asked for something else."""


@dataclass(slots=True)
class Run:
    """One run, from start to the start of the next one."""

    record: RunRecord
    goal: Goal
    deadline_us: int | None
    totals: RunTotals
    ledger: Ledger
    lifecycle: Lifecycle
    later: tuple[TimedGoal, ...] = ()
    """Goals that follow the present one, in order of time."""
    plan: PlacementPlan = EMPTY_PLAN
    handover: Handover = field(default_factory=Handover)
    """Who has to hear of the plan before users may be started by it."""
    on_planned: Callable[[PlanBasis, Callable[[], None]], None] | None = None
    """Told what each new plan follows from, before anybody follows the plan; calls back when that is kept."""
    basis: PlanBasis | None = None
    """What the plan follows from."""
    stats_epoch: int = 1
    events: EventLog = field(default_factory=EventLog)
    losses: list[Loss] = field(default_factory=list)
    loss_terms: LossTerms = field(default_factory=LossTerms)
    generator: GeneratorWatch = field(default_factory=GeneratorWatch)
    stop_requested_us: int | None = None
    stopped_us: int | None = None
    stop_timeout_ms: int = 0
    last_actor: str = ""

    def now_us(self, now_ns: int) -> int:
        """Run time in microseconds, never negative; it stands still once the run ended."""
        if self.stopped_us is not None:
            return self.stopped_us
        return max(0, (now_ns - self.record.start_ns) // 1_000)

    def replan(
        self,
        members: Sequence[Member],
        *,
        at_us: int,
        goal: Goal | None = None,
        idle: Collection[str] = NOBODY,
        is_held: bool = False,
    ) -> None:
        """Makes the plan from what is planned at `at_us` to the goal, over the members that are here.

        A new `goal` holds from `CHANGE_LEAD_US` later on, when every worker has heard of it; until then the
        one before is pursued. Other members begin as much later. `idle` are the keys of members that run
        nothing, whatever was planned: their users come again one after the other, like all others. With
        `is_held` nobody was told what the plan so far starts.
        """
        is_held = is_held or self.handover.is_pending
        if at_us == 0:
            at_us = BEFORE_START_US
        before, later = self.goal, self.later
        if goal is not None:
            self.goal, later = goal, (TimedGoal(at_us + CHANGE_LEAD_US, goal), *later)
        here = {member.key for member in members if member.key not in idle}
        planned = (held_placement if is_held else planned_placement)(self.plan, at_us)
        start_us = next_start_us(self.plan, at_us=at_us, spawn_rate=before.spawn_rate)
        if goal is None and self.plan.legs:
            start_us = max(start_us, at_us + CHANGE_LEAD_US)
        for member in members:
            self.totals.expect(member.key, member.name, at_ms=max(0, at_us) // 1_000)
        basis = PlanBasis(
            start_us=start_us,
            current={worker: classes for worker, classes in planned.items() if worker in here},
            goal=before,
            workers=tuple(WorkerCapacity(member.key, member.usable_runners) for member in members),
            later=later,
        )
        replaced, self.plan = self.plan, plan_of(basis)
        giving = givers(replaced, self.plan, at_us=at_us, idle=idle, is_held=is_held)
        self.handover.begin(giving, at_us=at_us)
        self._keep(basis)

    def advance(self, at_us: int) -> bool:
        """Makes a later goal the present one when its time has come; True when it did. The plan knows it."""
        is_due = bool(self.later) and self.later[0].from_us <= at_us
        while self.later and self.later[0].from_us <= at_us:
            self.goal, self.later = self.later[0].goal, self.later[1:]
        return is_due

    def _keep(self, basis: PlanBasis) -> None:
        self.basis = replace(basis, is_held=self.handover.is_pending)
        if self.on_planned is not None:
            self.handover.note_planned()
            self.on_planned(self.basis, self.handover.note_kept)

    def count(
        self,
        member: Member,
        report: report_pb2.Report,
        *,
        now_ns: int,
        earlier: Callable[[], Iterable[report_pb2.Report]] = tuple,
        ahead: SlicePart | None = None,
    ) -> None:
        """Counts a report that arrived at `now_ns`; `earlier` and `ahead` are those of `RunTotals.apply`.

        Raises `MalformedReport` or `UnknownContribution` and changes nothing then.
        """
        at_us = self.now_us(now_ns)
        at_ms = at_us // 1_000
        is_new_second = not self.totals.knows_second(at_ms)
        self.totals.apply(member.key, member.name, report, at_ms=at_ms, earlier=earlier, ahead=ahead)
        self.generator.note(member.key, member.name, report.status, at_ms=at_ms)
        if is_new_second:
            self.totals.note_planned(at_ms, self.planned_users(at_us) if self.lifecycle.is_active else 0)

    def median_us(self) -> float | None:
        """Median response time of all requests in microseconds."""
        return self.totals.total.quantiles_us((0.5,))[0]

    def planned_users(self, at_us: int) -> int:
        """Users that the plan wants at a run time."""
        return planned_users(self.plan, at_us)

    def planned_by_class(self, at_us: int) -> dict[str, int]:
        """Users by class that the plan wants at a run time."""
        counts: dict[str, int] = {}
        for classes in planned_placement(self.plan, at_us).values():
            for name, users in classes.items():
                counts[name] = counts.get(name, 0) + users
        return counts

    def is_goal_reached(self, members: Sequence[Member], *, generation: int, at_us: int) -> bool:
        """True when the ramp is over and every worker says that it runs its share."""
        if self.later:
            if self.planned_users(at_us) != self.goal.users:
                return False
        elif at_us < end_us(self.plan):
            return False
        planned = planned_placement(self.plan, at_us)
        # Nobody waits for who has no share yet, or no runner any more.
        waited = [member for member in members if member.key in planned and member.usable_runners]
        missing = planned.keys() - {member.key for member in members}
        if any(planned[key] for key in missing):
            return False
        if any(member.status.observed_generation < generation for member in waited):
            return False
        if self.goal.users and not waited:
            return False
        return all(member.placed_users >= sum(planned[member.key].values()) for member in waited)

    @property
    def is_degraded(self) -> bool:
        """True when more was lost than the operator allows."""
        return is_beyond(self.losses, self.loss_terms)

    @property
    def without_workers_since_ms(self) -> int | None:
        """Run time since which there is no worker; None while there is one."""
        kind = LossKind.NO_WORKER
        return next((o.at_ms for o in self.losses if o.kind is kind and o.until_ms is None), None)

    def settle_losses(self, worker: str, kind: LossKind, *, at_ms: int) -> None:
        """Notes that losses of a kind are over: whoever comes back brings all its samples."""
        if not any(o.worker == worker and o.kind is kind and o.until_ms is None for o in self.losses):
            return
        self.losses = [
            replace(loss, until_ms=at_ms, missing_ms=0, if_cut_off_ms=0)
            if loss.worker == worker and loss.kind is kind and loss.until_ms is None
            else loss
            for loss in self.losses
        ]

    def note_worker_event(
        self,
        worker: str,
        kind: snapshot_pb2.RunEventKind.ValueType,
        text: str,
        *,
        maybe_lost_ms: int,
        at_ms: int,
    ) -> None:
        """Records what happened on a worker, and what may be missing because of it."""
        self.events.add(kind, text, at_ms=at_ms)
        if maybe_lost_ms:
            self.losses.append(Loss(worker, at_ms, maybe_lost_ms, LossKind.RUNNER))
        elif kind == snapshot_pb2.RUN_EVENT_KIND_FENCED:
            self.losses.append(Loss(worker, at_ms, 0, LossKind.FENCED))

    def go_on(self, members: Sequence[Member], *, at_us: int) -> None:
        """All who lose users by the plan have heard of it: what it starts is no longer held back."""
        self.handover.end()
        if at_us > self.plan.start_us + HANDOVER_LATE_US:
            # Users are due that nobody was told to start: they come at the spawn rate, not at once.
            self.replan(members, at_us=at_us, is_held=True)
        elif self.basis is not None:
            self._keep(self.basis)

    def goals_of(self, member: Member) -> list[assignment_pb2.ClassGoal]:
        """Returns the member's share of the plan as a message; without what is held back for now."""
        schedules = self.plan.by_worker.get(member.key, ())
        shown = held_schedules(schedules) if self.handover.is_pending else schedules
        return [write_goal(schedule) for schedule in shown]


def edited_goal(goal: Goal, *, users: int | None, spawn_rate: float | None) -> Goal:
    """Returns the goal with what an edit sets."""
    return replace(
        goal,
        users=goal.users if users is None else users,
        spawn_rate=goal.spawn_rate if spawn_rate is None else spawn_rate,
    )
