"""The first locustfile visits only what the demo shop offers."""

from __future__ import annotations

import ast
import re
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def string_arguments_of_requests(source: str) -> set[str]:
    """First words of the paths that `self.client.get/post` are called with, as `/word`."""
    calls = re.findall(r'self\.client\.(?:get|post)\(f?"(/[a-z]*)', source)
    return set(calls)


def test_locustfile_asks_for_paths_that_the_target_serves() -> None:
    """A first run that shows 404s teaches the wrong thing."""
    target = (EXAMPLES / "demo_target.py").read_text()
    served = set(re.findall(r'web\.(?:get|post)\("(/[a-z]*)', target))
    visited = string_arguments_of_requests((EXAMPLES / "locustfile.py").read_text())
    assert visited
    assert visited <= served


def test_locustfile_has_three_classes_with_weights_3_2_1() -> None:
    """Documentation and tests count on the mix."""
    tree = ast.parse((EXAMPLES / "locustfile.py").read_text())
    weights = {
        node.name: statement.value.value
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and ast.unparse(statement.targets[0]) == "weight"
        and isinstance(statement.value, ast.Constant)
    }
    assert weights == {"Browser": 3, "Buyer": 2, "Admin": 1}
