"""Loads locustfiles: runs their modules and collects what they offer.

User code runs here for the first time, and anything may come out of it: whatever it raises becomes a
`LocustfileError` that names file and line, so that a person on another machine can put it right.
Collected are user classes and load shapes that are not abstract, whether a module defines or imports them.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from locust_runtime.shape import LoadTestShape
from locust_runtime.users import User


class LocustfileError(Exception):
    """A locustfile cannot be used; everything that a person needs to put it right."""

    def __init__(self, message: str, *, file: str, line: int = 0, traceback_text: str = "") -> None:
        super().__init__(message)
        self.message = " ".join(message.split())
        """One line."""
        self.file = file
        """Where it failed, relative to the folder where that is possible."""
        self.line = line
        """0 when unknown."""
        self.traceback_text = traceback_text

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}"


@dataclass(slots=True)
class LoadedCode:
    """What locustfiles offer, by name, in the order in which it was found."""

    files: list[str]
    """The locustfiles, in order; folders replaced by the files in them."""
    user_classes: dict[str, type[User]] = field(default_factory=dict)
    shape_classes: dict[str, type[LoadTestShape]] = field(default_factory=dict)


def load_locustfiles(directory: str, locustfiles: Sequence[str]) -> LoadedCode:
    """Make `directory` the working folder, run the locustfiles in order, and return what they offer.

    A locustfile is a file, a folder (all .py files in it and below, names with a leading underscore
    excepted) or the dotted name of a module. Raises `LocustfileError`.
    """
    with reporting_errors(directory):
        os.chdir(directory)
    root = os.getcwd()
    if root not in sys.path:
        sys.path.insert(0, root)
    code = LoadedCode(files=[])
    for given in locustfiles:
        with reporting_errors(given):
            code.files += _files_of(given)
    for file in code.files:
        with reporting_errors(file):
            module = _run(file, root)
        _collect(module, code)
    return code


@contextmanager
def reporting_errors(file: str) -> Iterator[None]:
    """Turn what user code raises in the block into a `LocustfileError`; `file` is for want of better."""
    try:
        yield
    except LocustfileError:
        raise
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except SyntaxError as error:
        raise LocustfileError(
            f"SyntaxError: {error.msg}",
            file=_shown(error.filename or file),
            line=error.lineno or 0,
            traceback_text=_user_traceback(error),
        ) from error
    except BaseException as error:  # SystemExit is as much a failure to load as any other
        where, line = _deepest_place(error, file)
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise LocustfileError(text, file=where, line=line, traceback_text=_user_traceback(error)) from error


def is_user_class(candidate: Any) -> bool:
    """Whether users of it can run."""
    return inspect.isclass(candidate) and issubclass(candidate, User) and candidate.abstract is False


def is_shape_class(candidate: Any) -> bool:
    """Whether it is a load shape that can be used."""
    return inspect.isclass(candidate) and issubclass(candidate, LoadTestShape) and not candidate.abstract


def _files_of(given: str) -> list[str]:
    path = Path(given)
    if path.is_dir():
        found = [
            str(each)
            for each in sorted(path.rglob("*.py"))
            if not any(part.startswith("_") for part in each.relative_to(path).parts)
        ]
        if not found:
            raise LocustfileError("the folder has no .py file that is a locustfile", file=given)
        return found
    if path.is_file():
        return [str(path)]
    with_suffix = Path(f"{given}.py")
    if with_suffix.is_file():
        return [str(with_suffix)]
    if given.endswith(".py") or not _can_import(given):
        raise LocustfileError(f"there is no file, folder or module {given!r} in {os.getcwd()}", file=given)
    return [given]


def _can_import(name: str) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _run(file: str, root: str) -> ModuleType:
    path = Path(file)
    if not path.is_file():
        return importlib.import_module(file)
    path = path.resolve()
    for name, module in list(sys.modules.items()):
        # Imported by an earlier locustfile: running it again would make a second copy of its classes.
        if getattr(module, "__file__", None) == str(path) and name != "__main__":
            return module
    package_root, dotted = _package_name(path, Path(root))
    with _first_on_path(str(package_root)):
        if "." in dotted:
            return importlib.import_module(dotted)
        return _run_path(path, dotted)


def _package_name(path: Path, root: Path) -> tuple[Path, str]:
    """The folder to import from and the dotted name, so that relative imports work inside packages."""
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and folder != root and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _run_path(path: Path, name: str) -> ModuleType:
    # A locustfile called json.py must not become everybody's json.
    if name == "locust" or name in sys.modules or name in sys.stdlib_module_names:
        name = "locustfile" if "locustfile" not in sys.modules else f"locustfile_{name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LocustfileError("it is not a Python file", file=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    """Let imports look into a folder first, while a locustfile of it runs."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _collect(module: ModuleType, code: LoadedCode) -> None:
    for candidate in list(vars(module).values()):
        if is_user_class(candidate):
            _add("user classes", candidate, code.user_classes)
        elif is_shape_class(candidate):
            _add("load shapes", candidate, code.shape_classes)


def _add(kinds: str, found: type, known: dict[str, Any]) -> None:
    earlier = known.setdefault(found.__name__, found)
    if earlier is not found and _source_of(earlier) != _source_of(found):
        raise LocustfileError(
            f"there are two {kinds} called {found.__name__}, the other one is in {_source_of(earlier)}",
            file=_source_of(found),
        )


def _source_of(found: type) -> str:
    return _shown(getattr(sys.modules.get(found.__module__), "__file__", None) or found.__module__)


def _shown(path: str) -> str:
    """The path as a person at the locustfile's folder would write it."""
    root = os.getcwd() + os.sep
    return path.removeprefix(root)


def _deepest_place(error: BaseException, file: str) -> tuple[str, int]:
    """File and line of the innermost frame in the folder; `file` when there is none."""
    root = os.getcwd() + os.sep
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        # A virtualenv often lies in the folder; its code is not what the author wrote.
        if frame.filename.startswith(root) and "site-packages" not in frame.filename:
            return _shown(frame.filename), frame.lineno or 0
    return _shown(file), 0


def _user_traceback(error: BaseException) -> str:
    """The traceback without the frames of the loading itself."""
    current = error.__traceback__
    while current is not None and _is_machinery(current.tb_frame.f_code.co_filename):
        current = current.tb_next
    return "".join(traceback.format_exception(type(error), error, current))


def _is_machinery(file: str) -> bool:
    return file == __file__ or file.startswith("<frozen importlib") or "importlib" in Path(file).parts
