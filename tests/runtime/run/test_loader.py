"""Loading locustfiles: what is collected, from what, and what is said when it fails.

Each case runs in a process of its own: loading changes the working folder, sys.path and sys.modules.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOAD = """
import json, sys
from locust_runtime import import_hook
import_hook.install()
from locust_runtime.loader import LocustfileError, load_locustfiles
try:
    code = load_locustfiles(sys.argv[1], sys.argv[2:])
    print(json.dumps({"users": list(code.user_classes), "shapes": list(code.shape_classes),
                      "files": code.files}))
except LocustfileError as error:
    print(json.dumps({"file": error.file, "line": error.line, "message": error.message,
                      "traceback": error.traceback_text}))
"""

USER = "from locust import User, task\nclass {name}(User):\n    @task\n    def t(self): ...\n"


def load(folder: Path, *locustfiles: str) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD, str(folder), *locustfiles],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_loader_collects_concrete_classes_that_are_defined_or_imported(tmp_path: Path) -> None:
    """Abstract classes are bases, and what a module imports is offered by it, as Locust has it."""
    write(
        tmp_path,
        {
            "shared.py": USER.format(name="Imported"),
            "locustfile.py": (
                "from locust import HttpUser, FastHttpUser, LoadTestShape, User\n"
                "from shared import Imported\n"
                "class Base(User):\n    abstract = True\n"
                "class Own(Base):\n    pass\n"
                "class Steps(LoadTestShape):\n    def tick(self): ...\n"
            ),
        },
    )
    assert load(tmp_path, "locustfile.py") == {
        "users": ["Imported", "Own"],
        "shapes": ["Steps"],
        "files": ["locustfile.py"],
    }


def test_loader_runs_in_the_folder_of_the_locustfile(tmp_path: Path) -> None:
    """`open("users.csv")` works."""
    write(
        tmp_path,
        {"data.txt": "x", "locustfile.py": "open('data.txt').close()\n" + USER.format(name="Reader")},
    )
    assert load(tmp_path, "locustfile.py")["users"] == ["Reader"]


@pytest.mark.parametrize(
    ("given", "users"),
    [
        (("b.py", "a.py"), ["B", "A"]),
        (("a",), ["A"]),
        (("folder",), ["C", "D"]),
        (("pack.inner.load",), ["E"]),
        (("pack/inner/load.py",), ["E"]),
        (("json.py",), ["J"]),
    ],
    ids=[
        "several in order",
        "suffix left out",
        "folder",
        "module",
        "file in a package",
        "name of another module",
    ],
)
def test_loader_takes_files_folders_and_modules(
    tmp_path: Path, given: tuple[str, ...], users: list[str]
) -> None:
    """Every way to name locustfiles that the flag promises."""
    write(
        tmp_path,
        {
            "a.py": USER.format(name="A"),
            "b.py": USER.format(name="B"),
            "json.py": USER.format(name="J"),
            "folder/c.py": USER.format(name="C"),
            "folder/deep/d.py": USER.format(name="D"),
            "folder/_skipped.py": "raise RuntimeError",
            "pack/__init__.py": "",
            "pack/words.py": "NAME = 'E'\n",
            "pack/inner/__init__.py": "",
            "pack/inner/load.py": "from ..words import NAME\n" + USER.format(name="E"),
        },
    )
    assert load(tmp_path, *given)["users"] == users


def test_loader_runs_a_file_once_when_another_locustfile_imports_it(tmp_path: Path) -> None:
    """Otherwise its classes would exist twice, under one name."""
    write(
        tmp_path,
        {
            "a.py": "from b import B\n" + USER.format(name="A"),
            "b.py": "print('b runs')\n" + USER.format(name="B"),
        },
    )
    assert load(tmp_path, "a.py", "b.py")["users"] == ["B", "A"]


def test_loader_refuses_one_name_for_two_classes(tmp_path: Path) -> None:
    """Users are placed by the name of their class."""
    write(tmp_path, {"a.py": USER.format(name="Shop"), "b.py": USER.format(name="Shop")})
    answer = load(tmp_path, "a.py", "b.py")
    assert answer["file"] == "b.py"
    assert "two user classes called Shop" in answer["message"]
    assert "a.py" in answer["message"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\nraise ValueError('first\\nsecond')\n", 2, "ValueError: first second"),
        ("x = 1\ny = (\n", 2, "SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        ("\nimport helper\n", 1, "KeyError: 'missing'"),
        ("import not_there\n", 1, "ModuleNotFoundError: No module named 'not_there'"),
    ],
    ids=["raises", "syntax", "exits", "raises in a module beside it", "module not there"],
)
def test_loader_names_file_line_and_message_when_a_locustfile_raises(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    """The author is on another machine and has this line only."""
    write(tmp_path, {"locustfile.py": text, "helper.py": "{}['missing']\n"})
    answer = load(tmp_path, "locustfile.py")
    file = "helper.py" if "helper" in text else "locustfile.py"
    assert (answer["file"], answer["line"], answer["message"]) == (file, line, message)
    assert "loader.py" not in answer["traceback"]


def test_loader_says_so_when_there_is_no_locustfile(tmp_path: Path) -> None:
    """The first thing that a newcomer gets wrong."""
    answer = load(tmp_path, "locustfile.py")
    assert answer["file"] == "locustfile.py"
    assert "there is no file, folder or module 'locustfile.py'" in answer["message"]
