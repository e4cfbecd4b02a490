"""Facts of a run as rows: written in a transaction of the caller's, and read back.

Raises `sqlite3.Error` when the disk does not take or give it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from locust_master.lifecycle import RunState
from locust_master.losses import Loss, LossKind
from locust_master.planning.plan import PlanBasis
from locust_master.store.facts import Facts, Progress, ReportMark, SecondUsers, StoredMember, Written
from locust_master.store.plan_text import plan_basis, plan_text
from locust_protocol.v1 import master_service_pb2, report_pb2


def write_facts(connection: sqlite3.Connection, facts: Facts, written: Written) -> None:
    """Writes what is given; the rest stays."""
    _write_progress(connection, facts.progress, written)
    if facts.plan is not None:
        connection.execute("INSERT OR REPLACE INTO plan VALUES (1, ?)", (plan_text(facts.plan),))
    if facts.members is not None:
        _write_members(connection, facts.members)
    if facts.losses is not None:
        connection.execute("DELETE FROM losses")
        connection.executemany(
            "INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(number, *_loss_row(each)) for number, each in enumerate(facts.losses, start=1)],
        )
    connection.executemany(
        "INSERT OR REPLACE INTO second_users VALUES (?, ?, ?)",
        [(each.second, each.users, each.planned_users) for each in facts.users],
    )


def read_progress(connection: sqlite3.Connection) -> tuple[Progress, Written] | None:
    """Returns how far a run is and when that was written; None when an older release wrote the file."""
    row = connection.execute(
        "SELECT written_wall_ms, written_ns, boot_id, start_ns, generation, session_id, state, stats_epoch,"
        " deadline_us, stop_timeout_ms, stop_requested_us, last_actor FROM progress"
    ).fetchone()
    if row is None:
        return None
    wall_ms, ns, boot_id, start_ns, generation, session_id, state, *rest = row
    stats_epoch, deadline_us, stop_timeout_ms, stop_requested_us, last_actor = rest
    progress = Progress(
        start_ns=start_ns,
        generation=generation,
        session_id=session_id,
        state=RunState(state),
        stats_epoch=stats_epoch,
        deadline_us=deadline_us,
        stop_timeout_ms=stop_timeout_ms,
        stop_requested_us=stop_requested_us,
        last_actor=last_actor,
    )
    return progress, Written(wall_ms, ns, boot_id)


def read_plan(connection: sqlite3.Connection) -> PlanBasis | None:
    """Returns what the newest plan follows from; None before the first."""
    row = connection.execute("SELECT basis FROM plan").fetchone()
    return None if row is None else plan_basis(row[0])


def read_members(connection: sqlite3.Connection) -> tuple[StoredMember, ...]:
    """Returns the members in the order in which they joined."""
    rows = connection.execute(
        "SELECT worker_uid, is_live, name, address, runner_indices, request FROM members ORDER BY place"
    )
    return tuple(
        StoredMember(
            uid=uid,
            is_live=bool(is_live),
            name=name,
            address=address,
            runner_indices=tuple(map(int, indices.split())),
            request=master_service_pb2.RegisterRequest.FromString(request),
        )
        for uid, is_live, name, address, indices, request in rows
    )


def read_losses(connection: sqlite3.Connection) -> tuple[Loss, ...]:
    """Returns the losses in the order in which they came."""
    rows = connection.execute(
        "SELECT worker, at_ms, missing_ms, kind, until_ms, if_cut_off_ms FROM losses ORDER BY loss_id"
    )
    return tuple(
        Loss(worker, at_ms, missing_ms, LossKind(kind), until_ms, if_cut_off_ms)
        for worker, at_ms, missing_ms, kind, until_ms, if_cut_off_ms in rows
    )


def _loss_row(loss: Loss) -> tuple[str, int, int, str, int | None, int]:
    return loss.worker, loss.at_ms, loss.missing_ms, loss.kind.value, loss.until_ms, loss.if_cut_off_ms


def read_users(connection: sqlite3.Connection) -> list[SecondUsers]:
    """Returns the users of every second in order."""
    rows = connection.execute("SELECT second, users, planned_users FROM second_users ORDER BY second")
    return [SecondUsers(*row) for row in rows]


def read_report_marks(connection: sqlite3.Connection) -> dict[bytes, ReportMark]:
    """Returns the newest stored report of each worker."""
    marks: dict[bytes, ReportMark] = {}
    for table in ("contributions", "journal"):
        for uid, sequence, at_ms, blob in connection.execute(
            f"SELECT worker_uid, sequence, at_ms, report FROM {table} ORDER BY sequence"
        ):
            known = marks.get(uid)
            if known is None or sequence > known.sequence:
                report = report_pb2.Report.FromString(blob)
                marks[uid] = ReportMark(sequence, report.final, min(at_ms, _newest_slice_ms(report, at_ms)))
    return marks


def _newest_slice_ms(report: report_pb2.Report, at_ms: int) -> int:
    """Run time of the newest samples of a report that may have been long on its way; else when it came."""
    if report.snapshot:  # its slices are as wide as the run
        return at_ms
    return max((each.start_ms for each in report.slices), default=at_ms)


def _write_progress(connection: sqlite3.Connection, progress: Progress, written: Written) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO progress VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            written.wall_ms,
            written.ns,
            written.boot_id,
            progress.start_ns,
            progress.generation,
            progress.session_id,
            progress.state.value,
            progress.stats_epoch,
            progress.deadline_us,
            progress.stop_timeout_ms,
            progress.stop_requested_us,
            progress.last_actor,
        ),
    )


def _write_members(connection: sqlite3.Connection, members: Sequence[StoredMember]) -> None:
    connection.execute("DELETE FROM members")
    connection.executemany(
        "INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                member.uid,
                place,
                member.is_live,
                member.name,
                member.address,
                " ".join(map(str, member.runner_indices)),
                member.request.SerializeToString(),
            )
            for place, member in enumerate(members)
        ],
    )
    # Reports name their worker by uid only: its name must be there when it is gone, too.
    connection.executemany(
        "INSERT OR REPLACE INTO workers VALUES (?, ?)", [(member.uid, member.name) for member in members]
    )
