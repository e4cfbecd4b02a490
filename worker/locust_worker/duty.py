"""What this worker should be doing: the newest assignment, and the reasons to do less than it says.

An assignment is the whole desired state; hearing the same one twice changes nothing. Three things make the
worker end its users although the assignment says RUN: the lease is over (fenced), the deadline of the run has
passed while nobody was there to say so, or the worker is leaving.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from locust_protocol.v1 import assignment_pb2, master_service_pb2
from locust_worker.clock import ClockEstimate


@dataclass(slots=True)
class Duty:
    """The present duty of the worker."""

    assignment: assignment_pb2.Assignment = field(default_factory=assignment_pb2.Assignment)
    observed_generation: int = 0
    refused_generation: int = 0
    refusal: str = ""
    is_fenced: bool = False
    is_leaving: bool = False
    is_past_deadline: bool = False
    clock: ClockEstimate = field(default_factory=ClockEstimate)
    """The estimate that the run's timeline is computed with."""

    def accept(self, assignment: assignment_pb2.Assignment, estimate: ClockEstimate) -> bool:
        """Takes an assignment; False for one older than the present, which is ignored."""
        if assignment.generation < self.assignment.generation:
            return False
        # A master that took the run up on another machine counts run time on another clock.
        if (assignment.run_id, assignment.run_start_ns) != (
            self.assignment.run_id,
            self.assignment.run_start_ns,
        ):
            self.clock = estimate
        if assignment.generation != self.assignment.generation:
            self.refused_generation, self.refusal = 0, ""
        self.assignment = assignment
        self.is_fenced = self.is_past_deadline = False
        return True

    def meet_new_master(self) -> None:
        """Another life of a master counts generations by itself; what is observed is to be shown anew."""
        self.assignment.generation = 0
        self.observed_generation = self.refused_generation = 0
        self.refusal = ""

    def refuse(self, reason: str) -> None:
        """The present assignment cannot be applied."""
        self.refused_generation = self.assignment.generation
        self.refusal = reason

    def observe(self) -> None:
        """The present assignment is applied in full."""
        if self.refused_generation != self.assignment.generation:
            self.observed_generation = self.assignment.generation

    def time_passed(self, now_ns: int) -> bool:
        """Looks at the deadline; True when it has just passed."""
        assignment = self.assignment
        if self.is_past_deadline or assignment.phase != assignment_pb2.PHASE_RUN:
            return False
        if assignment.HasField("deadline_us") and self.run_now_us(now_ns) >= assignment.deadline_us:
            self.is_past_deadline = True
        return self.is_past_deadline

    def follow_clock(self, estimate: ClockEstimate) -> bool:
        """Takes over a better estimate when the run's timeline is too far off; True when it did."""
        if not self.assignment.run_id or not estimate.is_off(self.clock):
            return False
        self.clock = estimate
        return True

    @property
    def phase(self) -> assignment_pb2.Phase.ValueType:
        """What to do with users, all reasons considered."""
        phase = self.assignment.phase or assignment_pb2.PHASE_IDLE
        if phase == assignment_pb2.PHASE_RUN and (self.is_fenced or self.is_leaving or self.is_past_deadline):
            return assignment_pb2.PHASE_DRAIN
        return phase

    def has_ended_users_since(self, said: master_service_pb2.RegisterRequest) -> bool:
        """True when the master was told that users run here, and they were ended after that was written."""
        progress, run = said.progress, assignment_pb2.PHASE_RUN
        return progress.run_id == self.assignment.run_id and progress.phase == run and self.phase != run

    @property
    def starts_nobody(self) -> bool:
        """True for an assignment of a run that only ends users: others may wait to start them elsewhere."""
        return self.assignment.phase == assignment_pb2.PHASE_RUN and not any(
            span.change > 0 for goal in self.assignment.goals for span in goal.users.spans
        )

    @property
    def may_be_taken_up_again(self) -> bool:
        """True when only the lease keeps users from running: the master may come back any moment."""
        is_wanted = self.assignment.phase == assignment_pb2.PHASE_RUN
        return is_wanted and self.is_fenced and not self.is_leaving and not self.is_past_deadline

    def is_last_report_due(self, run_id: bytes) -> bool:
        """True when the run is to end here for good once its users have; a fence may be lifted again."""
        if self.assignment.run_id != run_id or self.is_leaving or self.is_past_deadline:
            return True
        return self.assignment.phase != assignment_pb2.PHASE_RUN

    @property
    def run_start_ns(self) -> int:
        """This machine's monotonic clock at run time zero."""
        return self.assignment.run_start_ns - self.clock.offset_ns

    def run_now_us(self, now_ns: int) -> int:
        """Run time in microseconds; negative before the start."""
        return (now_ns - self.run_start_ns) // 1000

    def event_ms(self, now_ns: int) -> int:
        """Run time in milliseconds for events; 0 outside of a run."""
        return self.run_now_us(now_ns) // 1000 if self.assignment.run_id else 0
