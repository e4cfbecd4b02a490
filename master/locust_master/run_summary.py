"""Facts of a run as messages and sentences, as far as they stand without its cluster. Pure."""

from __future__ import annotations

from collections import Counter

from locust_master.lifecycle import RunState
from locust_master.losses import LossKind, WorkerLossPolicy
from locust_master.run import Run
from locust_protocol.v1 import report_pb2, snapshot_pb2

STATES = {
    RunState.READY: snapshot_pb2.RUN_STATE_READY,
    RunState.SPAWNING: snapshot_pb2.RUN_STATE_SPAWNING,
    RunState.RUNNING: snapshot_pb2.RUN_STATE_RUNNING,
    RunState.STOPPING: snapshot_pb2.RUN_STATE_STOPPING,
    RunState.STOPPED: snapshot_pb2.RUN_STATE_STOPPED,
}

_OF_WORKERS: dict[int, snapshot_pb2.RunEventKind.ValueType] = {
    report_pb2.WORKER_EVENT_KIND_FENCED: snapshot_pb2.RUN_EVENT_KIND_FENCED,
    report_pb2.WORKER_EVENT_KIND_RUNNER_RESTARTED: snapshot_pb2.RUN_EVENT_KIND_UNSPECIFIED,
    report_pb2.WORKER_EVENT_KIND_RUNNER_RECOVERED: snapshot_pb2.RUN_EVENT_KIND_UNSPECIFIED,
    report_pb2.WORKER_EVENT_KIND_QUIT_REQUESTED: snapshot_pb2.RUN_EVENT_KIND_UNSPECIFIED,
    report_pb2.WORKER_EVENT_KIND_NAMES_LIMITED: snapshot_pb2.RUN_EVENT_KIND_UNSPECIFIED,
}
"""What became of a trouble is information, and what has a sentence of its own; all else is trouble."""

MAX_TROUBLES_SAID = 10
"""Troubles of runners that have a sentence of their own in the summary."""

MAX_LOSSES_SAID = 10
"""Losses that have a warning of their own; further ones are counted in one sentence."""


def recorded_summary(run: Run, *, now_ns: int) -> snapshot_pb2.RunSummary:
    """Returns the facts about a run that stand without its cluster: what the run store keeps."""
    record, options = run.record, run.record.options
    return snapshot_pb2.RunSummary(
        run_id=record.run_id,
        state=STATES[run.lifecycle.state],
        target_users=run.goal.users,
        spawn_rate=run.goal.spawn_rate,
        host=record.host,
        locustfile=record.locustfile,
        elapsed_ms=run.now_us(now_ns) // 1_000,
        deadline_ms=None if run.deadline_us is None else run.deadline_us // 1_000,
        started_wall_ms=record.started_wall_ms,
        name=options.name,
        note=options.note,
        profile=options.profile,
        tags=options.tags,
        load_shape=record.load_shape,
        interrupted=run.totals.interrupted_count,
        last_actor=run.last_actor,
        stats_epoch=run.stats_epoch,
    )


def run_event_kind(kind: report_pb2.WorkerEventKind.ValueType) -> snapshot_pb2.RunEventKind.ValueType:
    """Returns what kind of event of the run an event of a worker is."""
    return _OF_WORKERS.get(kind, snapshot_pb2.RUN_EVENT_KIND_RUNNER)


def trouble_sentences(run: Run) -> list[str]:
    """Says which runners were blocked or died; what came often is said once, with how often."""
    first_ms: dict[str, int] = {}
    times: Counter[str] = Counter()
    for event in run.events.events:
        if event.kind == snapshot_pb2.RUN_EVENT_KIND_RUNNER:
            first_ms.setdefault(event.text, event.at_ms)
            times[event.text] += 1
    said = [
        f"{text} at {at_ms / 1000:.0f} s" if times[text] == 1 else f"{text}, {times[text]} times"
        for text, at_ms in first_ms.items()
    ]
    more = len(said) - MAX_TROUBLES_SAID
    if more <= 0:
        return said
    return [*said[:MAX_TROUBLES_SAID], f"{more} further kinds of trouble, which the run's events have"]


def loss_sentences(run: Run) -> list[str]:
    """Says what was lost with whom, at most `MAX_LOSSES_SAID` losses one by one."""
    keeps = run.loss_terms.policy is WorkerLossPolicy.KEEP
    said = [
        f"{loss.sentence()}; its users were not run by others"
        if keeps and loss.kind is LossKind.WORKER
        else loss.sentence()
        for loss in run.losses[:MAX_LOSSES_SAID]
    ]
    more = run.losses[MAX_LOSSES_SAID:]
    if more:
        missing_ms = sum(loss.at_most_ms for loss in more)
        said.append(f"{len(more)} further losses, up to {missing_ms} ms of samples missing")
    return said


def names_limited_sentence(run: Run) -> str:
    """Says that names ran over the limit, with some of them: the pattern shows what to name."""
    examples = ", ".join(run.totals.series.newest_names)
    return (
        f'more request names than --max-names allows: the rest counts as "(other)"; '
        f"names like {examples} need a common name= in the locustfile"
    )


def resumed_sentences(run: Run) -> list[str]:
    """Says when the master took the run up again after its own end."""
    kind = snapshot_pb2.RUN_EVENT_KIND_RESUMED
    return [
        f"{event.text} at {event.at_ms / 1000:.0f} s" for event in run.events.events if event.kind == kind
    ]
