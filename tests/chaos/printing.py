"""Shows the outcome of the fault bench: a table for people, one line of JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from tests.chaos.bench import Outcome


def table(outcome: Outcome) -> str:
    """Everything a reader wants to know, a fact a line."""
    return "\n".join(_lines(outcome))


def json_line(outcome: Outcome) -> str:
    """The same facts on one line."""
    accounts, overshoot = outcome.accounts, outcome.overshoot
    facts = {
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 1),
        "served": accounts.served,
        "reported": accounts.reported,
        "interrupted": accounts.interrupted,
        "lost": sum(accounts.lost.values()),
        "duplicated": sum(accounts.duplicated.values()),
        "died_with_their_process": sum(each.lost for each in accounts.settled),
        "deaths": [
            {
                "worker": each.death.worker,
                "is_worker": each.death.is_worker,
                "lost": each.lost,
                "true_ms": each.true_ms,
                "declared_ms": each.death.declared_ms,
            }
            for each in accounts.settled
        ],
        "overshoot": {"users": max(0, overshoot.excess), "allowed": overshoot.allowed},
        "load_while_master_away": outcome.load_while_master_away,
        "recovery": {kind: asdict(times) for kind, times in outcome.recoveries.items()},
        "complaints": outcome.complaints,
        "ok": outcome.is_good,
    }
    return json.dumps(facts)


def _lines(outcome: Outcome) -> Iterator[str]:
    accounts, overshoot = outcome.accounts, outcome.overshoot
    yield f"fault bench, seed {outcome.seed}, {outcome.seconds:.0f} s"
    yield ""
    yield f"  {accounts.served:>9,}  requests at the target"
    yield f"  {accounts.reported:>9,}  reported"
    yield f"  {accounts.interrupted:>9,}  interrupted by a stop"
    yield f"  {sum(each.lost for each in accounts.settled):>9,}  died with a killed process"
    yield f"  {sum(accounts.lost.values()):>9,}  lost"
    yield f"  {sum(accounts.duplicated.values()):>9,}  duplicated"
    yield f"  {accounts.history_off:>+9,}  in the seconds of the run beyond its total"
    yield f"  {max(0, overshoot.excess):>9}  users too many at the worst moment ({overshoot.allowed} allowed)"
    if outcome.load_while_master_away is not None:
        yield f"  {outcome.load_while_master_away:>9.0%}  least load in a second without the master"
    yield ""
    yield f"  {'what died':<24} {'times':>5} {'requests':>9} {'true loss, ms':>22} {'declared, ms':>22}"
    for is_worker, title in ((False, "runner"), (True, "agent and its runners")):
        settled = [each for each in accounts.settled if each.death.is_worker is is_worker]
        if settled:
            true_ms = _range([each.true_ms for each in settled])
            declared_ms = _range([each.death.declared_ms for each in settled])
            lost = sum(each.lost for each in settled)
            yield f"  {title:<24} {len(settled):>5} {lost:>9} {true_ms:>22} {declared_ms:>22}"
    yield ""
    yield f"  {'whole again after':<34} {'times':>5} {'median, s':>10} {'most, s':>8}"
    for kind, times in outcome.recoveries.items():
        yield f"  {kind:<34} {times.count:>5} {times.median_s:>10.1f} {times.max_s:>8.1f}"
    yield ""
    yield from (f"  BROKEN: {complaint}" for complaint in outcome.complaints)
    yield f"  {'every promise was kept' if outcome.is_good else 'promises were broken'}"


def _range(values: list[int] | list[int | None]) -> str:
    known = sorted(value for value in values if value is not None)
    unknown = f", {len(values) - len(known)} not" if len(known) < len(values) else ""
    if not known:
        return "none"
    return f"{known[0]} to {known[-1]}, median {known[len(known) // 2]}{unknown}"
