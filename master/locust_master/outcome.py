"""What the master's life came to, and the exit code that follows."""

from __future__ import annotations

from dataclasses import dataclass

from locust_master.run import Run
from locust_master.settings import MasterSettings
from locust_master.store.writer import RunWriter
from locust_master.verdict import exit_code


@dataclass(frozen=True, slots=True)
class Outcome:
    """Facts about the run that ended last; all zero when there was none."""

    failures: int
    exceptions: int
    is_degraded: bool
    output_failed: bool
    exit_code_on_error: int

    @classmethod
    def of(cls, run: Run | None, settings: MasterSettings, writer: RunWriter | None) -> Outcome:
        """Reads the facts off a run."""
        if run is None:
            return cls(0, 0, False, False, settings.exit_code_on_error)
        return cls(
            failures=run.totals.failure_count,
            exceptions=run.totals.exception_count,
            is_degraded=run.is_degraded,
            output_failed=writer is not None and bool(writer.failed),
            exit_code_on_error=settings.exit_code_on_error,
        )

    def exit_code(self, process_exit_code: int | None) -> int:
        """The exit code; `process_exit_code` is what the locustfile set, None when it set nothing."""
        return exit_code(
            failures=self.failures,
            exceptions=self.exceptions,
            exit_code_on_error=self.exit_code_on_error,
            degraded=self.is_degraded,
            output_failed=self.output_failed,
            process_exit_code=process_exit_code,
        )
