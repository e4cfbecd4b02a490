"""One run's file: what is written into it, and when the journal is folded. Blocking; for one thread.

Every method is one transaction or none. Raises `sqlite3.Error` when the disk does not take it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from locust_master.merging.series import SeriesTable, labels_of, series_key
from locust_master.run import RunRecord
from locust_master.store.fact_rows import write_facts
from locust_master.store.facts import Facts, Written, newest_of
from locust_master.store.folding import SecondsFold, WorkerFold
from locust_master.store.schema import connect
from locust_master.store.slice_content import SliceContent, SliceId, read_slices
from locust_master.store.worker_reports import worker_reports
from locust_protocol.limits import MAX_DEALT_MS, MAX_SERIES_NAMES
from locust_protocol.v1 import assignment_pb2, control_service_pb2, report_pb2, snapshot_pb2

MAX_FOLDED_AT_END = 2_000
"""Reports in the journal up to which the end of a run folds them; a few seconds. What is not folded counts
all the same, it is only longer to read."""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as it came, at a run time in milliseconds."""

    worker_uid: bytes
    sequence: int
    payload: bytes
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended; `worker_names` are by worker uid."""

    outcome: control_service_pb2.RunOutcome.ValueType
    summary: snapshot_pb2.RunSummary
    total: snapshot_pb2.SeriesRow
    worker_names: Mapping[bytes, str]


class RunFile:
    """Writes one run; `create` makes the file, `reopen` goes on with one whose master died."""

    def __init__(self, connection: sqlite3.Connection, *, max_names: int = 0) -> None:
        self._connection = connection
        self._series = SeriesTable(max_series=max_names or MAX_SERIES_NAMES)
        self._seconds = SecondsFold(self._series)
        self._known_series = 0
        self.has_unfolded = False
        """True when the last fold left reports in the journal."""

    @classmethod
    def create(cls, path: Path, record: RunRecord, *, owner: str) -> RunFile:
        """Makes the file of a run; `path` must not exist yet."""
        file = cls(connect(path, create=True), max_names=record.settings.max_names)
        with file._transaction():
            file._insert_run(record, owner)
        return file

    @classmethod
    def reopen(cls, path: Path, *, owner: str) -> RunFile:
        """Opens the file of a run that goes on, or is to be closed, and makes it `owner`'s."""
        connection = connect(path, create=False)
        (settings,) = connection.execute("SELECT settings FROM run").fetchone()
        file = cls(connection, max_names=assignment_pb2.RunSettings.FromString(settings).max_names)
        file._restore_series()
        with file._transaction():
            file._connection.execute("UPDATE run SET owner = ?", (owner,))
        return file

    def write(
        self,
        reports: Sequence[StoredReport],
        events: Sequence[snapshot_pb2.RunEvent],
        facts: Sequence[Facts] = (),
        *,
        written: Written | None = None,
    ) -> None:
        """Writes reports, events and facts; `written` is this moment, and goes with facts."""
        with self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO journal (worker_uid, sequence, report, at_ms) VALUES (?, ?, ?, ?)",
                [(each.worker_uid, each.sequence, each.payload, each.at_ms) for each in reports],
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?)",
                [(event.id, event.at_ms, event.kind, event.text, event.actor) for event in events],
            )
            if written is not None and facts:
                write_facts(self._connection, newest_of(facts), written)

    def reports_of(self, worker_uid: bytes) -> list[report_pb2.Report]:
        """Returns all that is written of a worker, in order."""
        return list(worker_reports(self._connection, worker_uid))

    def fold(self, *, max_reports: int | None = None) -> None:
        """Folds the journal into contributions and seconds; what is read back stays the same.

        With `max_reports` only workers that have about so many together, those with the longest journals.
        """
        uids = self._longest_journals(max_reports)
        folded = [(uid, self._folded(uid)) for uid in uids]
        slices = self._with_stored(self._seconds.take())
        new_series = self._new_series()
        with self._transaction():
            for uid, report in folded:
                self._connection.execute(
                    "INSERT OR REPLACE INTO contributions (worker_uid, sequence, report, at_ms) "
                    "SELECT ?, ?, ?, MAX(at_ms) FROM journal WHERE worker_uid = ?",
                    (uid, report.sequence, report.SerializeToString(), uid),
                )
                self._connection.execute(
                    "DELETE FROM journal WHERE worker_uid = ? AND sequence <= ?", (uid, report.sequence)
                )
            self._connection.executemany("INSERT OR REPLACE INTO series VALUES (?, ?)", new_series)
            self._connection.executemany(
                "INSERT OR REPLACE INTO seconds VALUES (?, ?, ?, ?, ?, ?)", map(_second_row, slices.items())
            )

    def finish(self, ending: Ending) -> None:
        """Writes how the run ended; folds the journal, unless that would keep everybody waiting."""
        (reports,) = self._connection.execute("SELECT COUNT(*) FROM journal").fetchone()
        if reports <= MAX_FOLDED_AT_END:
            self.fold()
        with self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO workers VALUES (?, ?)", list(ending.worker_names.items())
            )
            self._connection.execute(
                "UPDATE run SET outcome = ?, summary = ?, total = ?",
                (ending.outcome, ending.summary.SerializeToString(), ending.total.SerializeToString()),
            )
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._connection)

    def _insert_run(self, record: RunRecord, owner: str) -> None:
        settings = assignment_pb2.RunSettings()
        settings.CopyFrom(record.settings)
        settings.ClearField("secret_arguments")
        options = record.options
        summary = snapshot_pb2.RunSummary(
            run_id=record.run_id,
            state=snapshot_pb2.RUN_STATE_SPAWNING,
            target_users=options.users,
            spawn_rate=options.spawn_rate,
            host=record.host,
            locustfile=record.locustfile,
            started_wall_ms=record.started_wall_ms,
            name=options.name,
            note=options.note,
            profile=options.profile,
            load_shape=record.load_shape,
        )
        self._connection.execute(
            "INSERT INTO run (one, run_id, owner, outcome, started_wall_ms, summary, options, settings,"
            " bundle_digest, defaults) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.run_id,
                owner,
                control_service_pb2.RUN_OUTCOME_RUNNING,
                record.started_wall_ms,
                summary.SerializeToString(),
                options.to_message().SerializeToString(),
                settings.SerializeToString(),
                record.bundle.digest,
                record.defaults.to_message().SerializeToString(),
            ),
        )

    def _restore_series(self) -> None:
        """Gives series the numbers that they have in the file: folds go on with them."""
        rows = self._connection.execute("SELECT series_id, definition FROM series ORDER BY series_id")
        for number, blob in rows:
            definition = report_pb2.SeriesDefinition.FromString(blob)
            parent_id = definition.parent_id if definition.HasField("parent_id") else None
            key = series_key(definition, labels=labels_of(definition), parent_id=parent_id)
            assert self._series.number(key) == number, "numbers are given in order, without gaps"
            self._known_series = number
        for uid, blob in self._connection.execute("SELECT worker_uid, report FROM contributions"):
            self._seconds.learn(uid, report_pb2.Report.FromString(blob).series)

    def _longest_journals(self, max_reports: int | None) -> list[bytes]:
        """Returns workers whose journals have `max_reports` together, all for None; notes what is left."""
        rows = self._connection.execute(
            "SELECT worker_uid, COUNT(*) AS reports FROM journal GROUP BY worker_uid ORDER BY reports DESC"
        ).fetchall()
        chosen: list[bytes] = []
        room = max_reports if max_reports is not None else sum(reports for _, reports in rows)
        for uid, reports in rows:
            if room <= 0:
                break
            chosen.append(uid)
            room -= reports
        self.has_unfolded = len(chosen) < len(rows)
        return chosen

    def _folded(self, worker_uid: bytes) -> report_pb2.Report:
        """Returns all that a worker contributed; hands its slices to the seconds on the way."""
        fold = WorkerFold()
        base = self._connection.execute(
            "SELECT report FROM contributions WHERE worker_uid = ?", (worker_uid,)
        ).fetchone()
        if base is not None:
            fold.add(report_pb2.Report.FromString(base[0]))
        journal = self._connection.execute(
            "SELECT report FROM journal WHERE worker_uid = ? ORDER BY sequence", (worker_uid,)
        )
        for (payload,) in journal:
            report = report_pb2.Report.FromString(payload)
            slices = fold.add(report)
            self._seconds.learn(worker_uid, report.series)
            for each in slices:
                if not report.snapshot and each.message.width_ms <= MAX_DEALT_MS:
                    self._seconds.add(worker_uid, each)
        return fold.message()

    def _with_stored(self, slices: dict[SliceId, SliceContent]) -> dict[SliceId, SliceContent]:
        """Adds to each slice what was stored of it before."""
        for place, content in slices.items():
            row = self._connection.execute(
                "SELECT slice FROM seconds WHERE stats_epoch = ? AND start_ms = ? AND width_ms = ?", place
            ).fetchone()
            if row is not None:
                for each in read_slices([report_pb2.Slice.FromString(row[0])]):
                    content.add(each)
        return slices

    def _new_series(self) -> list[tuple[int, bytes]]:
        rows = [row for row in self._series if row.id > self._known_series]
        self._known_series = max([self._known_series, *(row.id for row in rows)])
        return [(row.id, self._series.definition(row).SerializeToString()) for row in rows]


def _second_row(entry: tuple[SliceId, SliceContent]) -> tuple[int, int, int, int, int, bytes]:
    place, content = entry
    return (*place, *content.requests_and_failures(), content.to_bytes(place))


class _Transaction:
    """Commits at the end of a `with` block, rolls back when it raised."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
