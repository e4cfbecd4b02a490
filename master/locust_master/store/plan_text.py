"""What a plan follows from, as text and back: equal bases give equal plans, so this is the plan in the store.

JSON, since it is read by nobody but the master, and by people who look into a file. Pure. Must never lose a
field: a plan that is not the one that workers follow would start and stop users for nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from locust_master.planning.goal import ClassShare, Goal, TimedGoal
from locust_master.planning.placement import WorkerCapacity
from locust_master.planning.plan import PlanBasis


def plan_text(basis: PlanBasis) -> str:
    """Returns a basis as text."""
    plain = asdict(basis)
    # A basis may hold read-only mappings, which are no dictionaries.
    plain["current"] = {worker: dict(classes) for worker, classes in basis.current.items()}
    return json.dumps(plain, separators=(",", ":"))


def plan_basis(text: str) -> PlanBasis:
    """Returns the basis that a text says. Raises ValueError, KeyError or TypeError when it is none."""
    plain = json.loads(text)
    return PlanBasis(
        **{
            **plain,
            "goal": _goal(plain["goal"]),
            "workers": tuple(WorkerCapacity(**each) for each in plain["workers"]),
            "later": tuple(
                TimedGoal(**{**each, "goal": _goal(each["goal"])}) for each in plain.get("later", ())
            ),
        }
    )


def _goal(plain: dict[str, Any]) -> Goal:
    return Goal(**{**plain, "classes": tuple(ClassShare(**each) for each in plain["classes"])})
