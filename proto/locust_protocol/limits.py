"""Every bound that both ends of a wire rely on, with its unit and the reason for its value.

A side that sends keeps below these, a side that receives refuses what is above. Where a bound is
reached, what is over it is counted and said, never dropped in silence. A bound that only one part of
the system knows (a queue inside a command) lives with that part, not here.
"""

from __future__ import annotations

KIB = 1024
"""Bytes in a kibibyte."""

MIB = 1024 * KIB
"""Bytes in a mebibyte."""

# --- messages -----------------------------------------------------------------------------------------

MAX_MESSAGE_BYTES = 8 * MIB
"""Bytes in one gRPC message, either way; a larger one kills its stream, so nothing may come near."""

MAX_REPORT_BYTES = 1 * MIB
"""Bytes in one statistics report; a bigger one is split. 10,000 new names once make 0.6 MiB."""

MAX_METADATA_BYTES = 8 * KIB
"""Bytes of gRPC metadata of one call: a token and a few ids, with room."""

MAX_CUSTOM_MESSAGE_BYTES = 64 * KIB
"""Bytes in one custom message of a locustfile; they are for signals and small batches, not for files."""

MAX_CUSTOM_MESSAGES_PER_REPORT = 64
"""Custom messages in one report; the rest waits for the next, a second later."""

MAX_VALUE_DEPTH = 16
"""Levels of lists and maps in a typed value; deeper ones are refused, as parsers recurse."""

MAX_VALUE_ITEMS = 10_000
"""Items in all lists and maps of one typed value together."""

# --- statistics ---------------------------------------------------------------------------------------

MAX_SERIES_NAMES = 2_000
"""Series of one run; samples of further ones count under `OTHER_NAME`, so ids in URLs cannot fill memory."""

MAX_SERIES_NAMES_LIMIT = 50_000
"""The most that an operator may ask for: some 100 MB at the master, and reports of a few MB at first."""

OTHER_NAME = "(other)"
"""Name of the series that takes the samples of names over the limit."""

MAX_NAME_CHARS = 512
"""Characters in a request's type or name; longer ones are cut. A full URL with a query fits."""

MAX_ERROR_KINDS = 500
"""Distinct errors of one run; further ones are counted under `OTHER_ERRORS`."""

OTHER_ERRORS = "(other errors)"
"""Text of the error that takes the counts of kinds over the limit."""

MAX_ERROR_TEXT_CHARS = 1_024
"""Characters in an error's text; longer ones are cut."""

MAX_TRACEBACK_CHARS = 8_192
"""Characters in a traceback; longer ones lose their middle."""

MAX_EXCEPTION_KINDS = 500
"""Distinct exceptions of user code in one run; the rest is only counted."""

MAX_PENDING_SLICES = 120
"""Seconds of statistics that wait for a master; beyond it neighbours are joined, counts stay exact."""

MAX_EVENTS_PER_REPORT = 100
"""Events in one report; further ones are counted."""

MAX_USER_CLASSES = 1_000
"""User classes of one locustfile."""

# --- logs ---------------------------------------------------------------------------------------------

MAX_LOG_LINES = 500
"""Log lines that are kept of each process for a client that asks later."""

MAX_LOG_LINE_CHARS = 2_048
"""Characters in one log line on the wire; longer ones are cut."""

MAX_LOG_LINES_PER_REPORT = 50
"""Log lines of one process in one report; the rest is counted, so that a log storm cannot stop reports."""

# --- bundle -------------------------------------------------------------------------------------------

MAX_BUNDLE_BYTES = 64 * MIB
"""Bytes of all files of a bundle; test data beyond it belongs on the workers."""

MAX_BUNDLE_FILES = 2_000
"""Files of a bundle; more means that the wrong folder is being sent."""

MAX_BUNDLE_PATH_CHARS = 512
"""Characters of a path inside a bundle."""

BUNDLE_CHUNK_BYTES = 256 * KIB
"""Bytes of one bundle chunk: small beside the message limit, large beside the cost of a message."""

# --- time ---------------------------------------------------------------------------------------------

REPORT_INTERVAL_S = 1.0
"""Seconds between an agent's reports, which are its heartbeats too; the master may raise it."""

RUNNER_FLUSH_INTERVAL_S = 0.25
"""Seconds between a runner's deltas to its agent: the most that the death of a runner loses."""

RUNNER_COMPLETE_WITHIN_S = 0.4
"""Seconds that a runner with users is behind in saying until when it has reported: what it may have lost when
it dies is declared from there, and half a second is promised."""

SLICE_WIDTH_MS = 1_000
"""Milliseconds of one slice of the run's series."""

MAX_DEALT_MS = 64_000
"""Milliseconds of the longest slice that is dealt to its seconds; a longer one is a sum of the whole run, as
those of a snapshot are, however short the run."""

LEASE_TTL_S = 10.0
"""Seconds without an acknowledgement after which an agent stops its users: a master may be away as long."""

LEASE_REASSIGN_GRACE_S = 2.0
"""Seconds after a lease has expired until its share goes to others, so that two never run it at once."""

SUSPECT_AFTER_S = 3.5
"""Seconds without a report after which a worker is shown as silent; nothing else follows from it."""

RUNNER_STALLED_AFTER_S = 2.0
"""Seconds without a sign of life after which a runner counts as stalled."""

RECONNECT_TIMEOUT_S = 600.0
"""Seconds that an agent looks for a master it has lost before it gives up."""

INTERRUPT_GRACE_S = 1.0
"""Seconds that a request on the wire gets at a stop, even without a stop timeout."""

SCRIPT_HOST_TIMEOUT_S = 10.0
"""Seconds that a locustfile has to load and to declare its arguments, before that is called a failure."""

# --- windows ------------------------------------------------------------------------------------------

MAX_UNACKED_REPORTS = 2
"""Reports of an agent that may be under way; what comes meanwhile is merged into the next."""

MAX_UNACKED_DELTAS = 4
"""Deltas of a runner that may be under way to its agent; what comes meanwhile is merged into the next."""

MAX_WATCHERS = 100
"""Clients that watch one master at the same time."""

DEFAULT_PORT = 5557
"""TCP port of a master, the one that Locust's users have opened already."""
