"""The tables of a run's file, their version, and how an older file is brought up to date.

One SQLite file holds one run. What a worker sent is in `journal` as it came, from its commit on; now and then
the journal is folded into `contributions` (all that a worker contributed, as one snapshot report) and
`seconds` (all series of one second, as one slice), in one transaction, so that journal and contributions
together are always exactly what was acknowledged.

Write-ahead log, synchronous=NORMAL: a committed report survives the end of the process, SIGKILL too; a power
loss may cost the last second.

What a master needs to take the run up again stands beside: `progress` is written every second, so its age is
how long the master has been away; `plan`, `members` and `losses` whenever they change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

APPLICATION_ID = 0x6C6F6372
"""Marks the file as ours ("locr") to whoever looks at its header."""

SUFFIX = ".sqlite"

BUSY_TIMEOUT_MS = 2_000
"""Milliseconds that a reader or writer waits for the other."""

_VERSION_1 = """
CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    run_id BLOB NOT NULL,
    owner TEXT NOT NULL,               -- token of the master that writes it, see run_dir
    outcome INTEGER NOT NULL,          -- RunOutcome
    started_wall_ms INTEGER NOT NULL,
    summary BLOB NOT NULL,             -- RunSummary
    options BLOB NOT NULL,             -- RunOptions
    settings BLOB NOT NULL,            -- RunSettings without secrets
    bundle_digest BLOB NOT NULL,
    total BLOB                         -- SeriesRow over all series, once the run ended
);
CREATE TABLE workers (
    worker_uid BLOB PRIMARY KEY,
    name TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE journal (
    worker_uid BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    report BLOB NOT NULL,              -- Report
    PRIMARY KEY (worker_uid, sequence)
);
CREATE TABLE contributions (
    worker_uid BLOB PRIMARY KEY,
    sequence INTEGER NOT NULL,         -- last one that is in it
    report BLOB NOT NULL               -- Report with snapshot set
);
CREATE TABLE series (
    series_id INTEGER PRIMARY KEY,
    definition BLOB NOT NULL           -- SeriesDefinition with this id
);
CREATE TABLE seconds (
    stats_epoch INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    width_ms INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    slice BLOB NOT NULL,               -- Slice with the ids of `series`, without errors and exceptions
    PRIMARY KEY (stats_epoch, start_ms, width_ms)
);
CREATE TABLE events (
    event_id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL,             -- RunEventKind
    text TEXT NOT NULL,
    actor TEXT NOT NULL
);
"""


_VERSION_2 = """
ALTER TABLE run ADD COLUMN defaults BLOB;                             -- RunOptions of the command line
ALTER TABLE journal ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;      -- run time at which it came
ALTER TABLE contributions ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    written_wall_ms INTEGER NOT NULL,
    written_ns INTEGER NOT NULL,       -- monotonic clock of the machine's boot `boot_id`, as start_ns
    boot_id TEXT NOT NULL,             -- empty: the machine does not say
    start_ns INTEGER NOT NULL,         -- run time zero
    generation INTEGER NOT NULL,
    session_id INTEGER NOT NULL,       -- highest that was given to a worker
    state TEXT NOT NULL,               -- RunState
    stats_epoch INTEGER NOT NULL,
    deadline_us INTEGER,
    stop_timeout_ms INTEGER NOT NULL,
    stop_requested_us INTEGER,
    last_actor TEXT NOT NULL
);
CREATE TABLE plan (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    basis TEXT NOT NULL                -- PlanBasis as JSON, see plan_text
);
CREATE TABLE members (
    worker_uid BLOB PRIMARY KEY,
    place INTEGER NOT NULL,            -- order in which they joined
    is_live INTEGER NOT NULL,          -- 0: lost, and may come back
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    runner_indices TEXT NOT NULL,      -- with spaces between
    request BLOB NOT NULL              -- RegisterRequest without progress, token and manifest
) WITHOUT ROWID;
CREATE TABLE losses (
    loss_id INTEGER PRIMARY KEY,
    worker TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    missing_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,                -- LossKind
    until_ms INTEGER
);
CREATE TABLE second_users (
    second INTEGER PRIMARY KEY,
    users INTEGER NOT NULL,
    planned_users INTEGER NOT NULL
);
"""

_VERSION_3 = """
ALTER TABLE losses ADD COLUMN if_cut_off_ms INTEGER NOT NULL DEFAULT 0;
"""


def _create(connection: sqlite3.Connection) -> None:
    _execute_all(connection, _VERSION_1)


def _add_progress(connection: sqlite3.Connection) -> None:
    _execute_all(connection, _VERSION_2)


def _add_loss_if_cut_off(connection: sqlite3.Connection) -> None:
    _execute_all(connection, _VERSION_3)


def _execute_all(connection: sqlite3.Connection, script: str) -> None:
    lines = (line.partition("--")[0].rstrip() for line in script.splitlines())
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _create,
    _add_progress,
    _add_loss_if_cut_off,
)
"""Step i brings a file from version i to version i + 1; version 0 is an empty file."""

VERSION = len(MIGRATIONS)


class UnknownVersion(Exception):
    """The file was written by a newer release."""


class BeingMade(Exception):
    """The file has no tables yet: its master is just making it."""


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Opens a run's file and brings it up to date; transactions are explicit.

    Raises `sqlite3.Error` when it cannot be read or written, `UnknownVersion` when it is too new, and
    `BeingMade` when it is empty and not to be created.
    """
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if create:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection, create=create)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, *, create: bool) -> None:
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    version = _version(connection)  # somebody else may have been at it
    if version > VERSION:
        raise UnknownVersion(f"version {version} of the run store is newer than {VERSION}, the newest known")
    if version == 0 and not create:
        raise BeingMade("it has no tables yet")
    for step in MIGRATIONS[version:]:
        step(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
