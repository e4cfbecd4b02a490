"""What a target asks for, as a table."""

from __future__ import annotations

import pytest

from locust_protocol.runner.v1.link_pb2 import Target
from locust_protocol.v1.assignment_pb2 import Phase
from locust_runtime.run.control import Step, next_step

A, B = b"a" * 16, b"b" * 16
IDLE, PREPARE, RUN, DRAIN = Phase.PHASE_IDLE, Phase.PHASE_PREPARE, Phase.PHASE_RUN, Phase.PHASE_DRAIN
UNKNOWN = Phase.PHASE_UNSPECIFIED


@pytest.mark.parametrize(
    ("phase", "wanted", "run_id", "ended", "step"),
    [
        (IDLE, b"", b"", b"", Step.REST),
        (UNKNOWN, b"", b"", b"", Step.REST),
        (PREPARE, A, b"", b"", Step.REST),
        (RUN, A, b"", b"", Step.BEGIN),
        (RUN, b"", b"", b"", Step.REST),
        (RUN, A, A, b"", Step.CHANGE),
        (RUN, B, A, b"", Step.END),
        (RUN, B, b"", A, Step.BEGIN),
        (RUN, A, b"", A, Step.REST),
        (DRAIN, A, A, b"", Step.END),
        (DRAIN, A, b"", A, Step.REST),
        (IDLE, b"", A, b"", Step.END),
        (UNKNOWN, b"", A, b"", Step.END),
        (PREPARE, B, A, b"", Step.END),
    ],
)
def test_next_step_follows_from_target_and_run(
    phase: Phase.ValueType, wanted: bytes, run_id: bytes, ended: bytes, step: Step
) -> None:
    """A run that has ended here never begins again."""
    target = Target(phase=phase, run_id=wanted)
    assert next_step(target, run_id=run_id, ended_run_id=ended, now_ns=5) is step


@pytest.mark.parametrize(
    ("now_ns", "run_id", "step"),
    [(10_999, A, Step.CHANGE), (11_000, A, Step.END), (10_999, b"", Step.BEGIN), (11_000, b"", Step.REST)],
)
def test_next_step_ends_the_run_at_its_deadline(now_ns: int, run_id: bytes, step: Step) -> None:
    """Even when the master is away; a target that arrives after it begins nothing."""
    target = Target(phase=RUN, run_id=A, run_start_ns=10_000, deadline_us=1)
    assert next_step(target, run_id=run_id, ended_run_id=b"", now_ns=now_ns) is step
