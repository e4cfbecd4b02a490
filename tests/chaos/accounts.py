"""Settles what was reported against what the target saw. Pure.

Requests are compared by path and runner. A runner that lived to its end has to agree exactly: what the target
counted is what was reported plus what a stop cut off ("interrupted"). A runner that was killed may lack its
last requests, and the loss must have been declared; it may never have more than the target saw.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from locust_protocol.v1 import snapshot_pb2
from tests.chaos.truth import Truth

SHARED = "ALL"
"""Request type under which the locustfile counts everything once more, without the runner."""

ANSWER_MS = 60
"""The target notes when a request arrives, a runner when it has the answer: the wait at `/slow`, and some."""

MAX_RUNNER_LOSS_MS = 500
MAX_WORKER_LOSS_MS = 3_000

_NAME = re.compile(r"^(?P<path>\S+) \[(?P<runner>.*)\]$")

Key = tuple[str, str]
"""Path with its method, and runner."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The final numbers of a run."""

    requests: Mapping[Key, int]
    interrupted: Mapping[Key, int]
    shared: Mapping[str, int]
    total: int
    history_total: int

    @classmethod
    def of_snapshot(cls, snapshot: snapshot_pb2.Snapshot) -> Reported:
        """Reads them off a whole snapshot. A series that the locustfile does not make is a KeyError."""
        requests: Counter[Key] = Counter()
        interrupted: Counter[Key] = Counter()
        shared: Counter[str] = Counter()
        for row in snapshot.series:
            request_type, name = row.definition.request_type, row.definition.name
            if request_type == SHARED:
                shared[name] += row.requests
                continue
            match = _NAME.match(name)
            if match is None:
                raise KeyError(f"series {request_type} {name} has no runner in its name")
            key = f"{request_type} {match['path']}", match["runner"]
            requests[key] += row.requests
            interrupted[key] += row.interrupted
        history_total = sum(point.requests for point in snapshot.history)
        return cls(requests, interrupted, shared, snapshot.total.requests, history_total)


@dataclass(frozen=True, slots=True)
class Death:
    """A process that was killed, the runners that died with it, and what was declared as lost."""

    worker: str
    runners: tuple[str, ...]
    at_s: float
    is_worker: bool = False
    declared_ms: int | None = None
    """None: nobody said anything."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A death and its cost."""

    death: Death
    lost: int
    """Requests that the target saw and nobody reported."""
    true_ms: int
    """Milliseconds from the oldest of them to the death."""

    def complaint(self) -> str:
        """What is wrong with it, empty when nothing is."""
        death, limit_ms = self.death, MAX_WORKER_LOSS_MS if self.death.is_worker else MAX_RUNNER_LOSS_MS
        declared_ms = death.declared_ms
        whom = f"{'agent' if death.is_worker else 'runner'} killed on {death.worker}"
        if self.true_ms - ANSWER_MS > limit_ms:
            return f"{whom}: {self.true_ms} ms lost, at most {limit_ms} are allowed"
        if declared_ms is None:
            return f"{whom}: no loss was declared, {self.lost} requests are lost"
        if declared_ms < self.true_ms - ANSWER_MS:
            return f"{whom}: {declared_ms} ms declared, {self.true_ms} ms lost"
        if declared_ms > limit_ms and not death.is_worker:
            return f"{whom}: {declared_ms} ms declared, at most {limit_ms} are allowed"
        return ""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The outcome of a comparison."""

    served: int
    reported: int
    interrupted: int
    lost: Mapping[Key, int] = field(default_factory=dict)
    """By path and runner, killed runners aside."""
    duplicated: Mapping[Key, int] = field(default_factory=dict)
    settled: tuple[Settled, ...] = ()
    shared_off: Mapping[str, int] = field(default_factory=dict)
    """By path: the merged sum minus the sum of the single runners."""
    history_off: int = 0
    """Requests in the seconds of the run minus requests in its total."""

    def complaints(self) -> list[str]:
        """What is wrong, a sentence each."""
        found = [
            f"{count} requests lost: {path} of runner {runner}" for (path, runner), count in self.lost.items()
        ]
        found += [
            f"{count} requests too many: {path} of runner {runner}"
            for (path, runner), count in self.duplicated.items()
        ]
        found += [complaint for settled in self.settled if (complaint := settled.complaint())]
        found += [
            f"the sum over all runners is off by {off:+d}: {path}" for path, off in self.shared_off.items()
        ]
        if self.history_off:
            found.append(f"the seconds of the run are off by {self.history_off:+d} from its total")
        return found


def settle(truth: Truth, reported: Reported, deaths: Sequence[Death]) -> Accounts:
    """Compares a run's final numbers with what the target saw."""
    served = truth.counts()
    missing = {
        key: served[key] - reported.requests.get(key, 0) - reported.interrupted.get(key, 0)
        for key in {**served, **dict(reported.requests), **dict(reported.interrupted)}
    }
    killed = {runner for death in deaths for runner in death.runners}
    singles = Counter[str]()
    for (path, _runner), count in reported.requests.items():
        singles[path] += count
    return Accounts(
        served=served.total(),
        reported=sum(reported.requests.values()),
        interrupted=sum(reported.interrupted.values()),
        lost={key: count for key, count in missing.items() if count > 0 and key[1] not in killed},
        duplicated={key: -count for key, count in missing.items() if count < 0},
        settled=tuple(_settle_death(truth, missing, death) for death in deaths),
        shared_off=_differences(reported.shared, singles),
        history_off=reported.history_total - reported.total,
    )


def _settle_death(truth: Truth, missing: Mapping[Key, int], death: Death) -> Settled:
    lost, true_ms = 0, 0
    for runner in death.runners:
        own = sum(count for key, count in missing.items() if key[1] == runner and count > 0)
        lost += own
        for arrival in truth.last_of(runner, own)[:1]:
            true_ms = max(true_ms, round((death.at_s - arrival.at_s) * 1000))
    return Settled(death, lost, true_ms)


def _differences(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    keys: Iterable[str] = sorted({*left, *right})
    return {key: off for key in keys if (off := left.get(key, 0) - right.get(key, 0))}
