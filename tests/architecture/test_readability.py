"""Bounds that keep the code readable: sizes, names, and a docstring to start with."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.source_tree import all_files, product_files, relative

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
"""Names that say nothing about what a module is for."""


def functions_over_the_limit(source: str) -> list[str]:
    """Functions longer than a screen, as `name: lines`; decorators are not counted."""
    return [
        f"{node.name}: {lines}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def empty_words_in(path: Path) -> set[str]:
    """Words of the file's or its folder's name that are forbidden."""
    names = f"{path.parent.name}_{path.stem}"
    return EMPTY_NAMES.intersection(names.lower().split("_"))


def test_files_are_within_the_limit() -> None:
    """A file holds one idea."""
    lengths = {relative(path): len(path.read_text().splitlines()) for path in all_files()}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_functions_are_within_the_limit() -> None:
    """A function fits a screen."""
    found = {relative(path): functions_over_the_limit(path.read_text()) for path in all_files()}
    assert {name: functions for name, functions in found.items() if functions} == {}


@pytest.mark.parametrize(("body_lines", "is_over"), [(1, False), (69, False), (70, True)])
def test_function_limit_counts_the_line_of_the_def(body_lines: int, is_over: bool) -> None:
    """The measure itself, at its edge."""
    source = "@decorated\nasync def f():\n" + "    pass\n" * body_lines
    assert bool(functions_over_the_limit(source)) is is_over


def test_modules_are_named_after_what_they_are() -> None:
    """A module that may hold anything ends up holding everything."""
    assert [relative(path) for path in all_files() if empty_words_in(path)] == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("worker/locust_worker/split.py", set()),
        ("worker/locust_worker/stats_utils.py", {"utils"}),
        ("worker/common/split.py", {"common"}),
    ],
)
def test_empty_words_are_found_in_file_and_folder(path: str, words: set[str]) -> None:
    """The measure itself."""
    assert empty_words_in(Path(path)) == words


def test_product_modules_open_with_a_docstring() -> None:
    """What it is for and what it must never do comes before the code; empty files need none."""
    silent = [
        relative(path)
        for path in product_files()
        if path.stat().st_size and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []
