"""Each sequence of a worker counts once, whatever order, copies and gaps its reports arrive with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locust_master.ledger import Ledger, Verdict

RUN = b"r" * 16
WORKER = b"w" * 16


def judge(ledger: Ledger, sequence: int, *, snapshot: bool = False, run: bytes = RUN) -> Verdict:
    return ledger.judge(worker_uid=WORKER, run_id=run, sequence=sequence, is_snapshot=snapshot)


DELIVERIES = st.lists(st.tuples(st.integers(1, 8), st.booleans()), max_size=40)


@given(DELIVERIES)
def test_every_sequence_counts_once_in_any_history(deliveries: list[tuple[int, bool]]) -> None:
    """The law: what is applied is 1..n without holes and without doubles; a snapshot n stands for 1..n."""
    ledger = Ledger(RUN)
    counted: list[int] = []
    for sequence, is_snapshot in deliveries:
        verdict = judge(ledger, sequence, snapshot=is_snapshot)
        if verdict is Verdict.APPLY:
            counted.append(sequence)
        elif verdict is Verdict.REPLACE:
            counted = list(range(1, sequence + 1))
        else:
            continue
        ledger.note_applied(WORKER, sequence, is_final=False)
        assert counted == list(range(1, len(counted) + 1))
        assert ledger.applied[WORKER] == len(counted)


@given(DELIVERIES)
def test_ledger_never_refuses_the_next_report(deliveries: list[tuple[int, bool]]) -> None:
    """A worker that sends on in order can never be stuck."""
    ledger = Ledger(RUN)
    for sequence, is_snapshot in deliveries:
        if judge(ledger, sequence, snapshot=is_snapshot) in (Verdict.APPLY, Verdict.REPLACE):
            ledger.note_applied(WORKER, sequence, is_final=False)
    assert judge(ledger, ledger.applied.get(WORKER, 0) + 1) is Verdict.APPLY


def test_judging_changes_nothing() -> None:
    """A merge that fails must find the ledger as it was."""
    ledger = Ledger(RUN)
    assert judge(ledger, 1) is Verdict.APPLY
    assert judge(ledger, 1) is Verdict.APPLY


def test_report_of_another_run_is_foreign_even_as_a_snapshot() -> None:
    """A late report must never count for the run that followed."""
    ledger = Ledger(RUN)
    assert judge(ledger, 1, run=b"x" * 16) is Verdict.FOREIGN
    assert judge(ledger, 1, run=b"x" * 16, snapshot=True) is Verdict.FOREIGN


def test_gap_is_a_gap_until_a_snapshot_comes() -> None:
    """Later deltas must not slip in before what is missing."""
    ledger = Ledger(RUN)
    ledger.note_applied(WORKER, 1, is_final=False)
    assert judge(ledger, 3) is Verdict.GAP
    assert judge(ledger, 4) is Verdict.GAP
    assert judge(ledger, 5, snapshot=True) is Verdict.REPLACE


def test_stored_never_goes_back() -> None:
    """Commits may be told out of order; an acknowledgement is cumulative."""
    ledger = Ledger(RUN)
    ledger.note_stored(WORKER, 3)
    ledger.note_stored(WORKER, 2)
    assert ledger.stored[WORKER] == 3


def test_worker_is_final_only_when_its_last_report_is_stored() -> None:
    """A run must not end on what a crash could still lose."""
    ledger = Ledger(RUN)
    assert not ledger.is_final(WORKER)
    ledger.note_applied(WORKER, 1, is_final=True)
    assert not ledger.is_final(WORKER)
    ledger.note_stored(WORKER, 1)
    assert ledger.is_final(WORKER)


def test_worker_is_no_longer_final_when_it_reports_on() -> None:
    """Samples that came after the final report are a part of the run as well."""
    ledger = Ledger(RUN)
    ledger.note_applied(WORKER, 1, is_final=True)
    ledger.note_stored(WORKER, 1)
    ledger.note_applied(WORKER, 2, is_final=False)
    assert not ledger.is_final(WORKER)
