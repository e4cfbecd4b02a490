"""Makes `import locust` mean this package in the present process.

A finder at the front of `sys.meta_path` answers for `locust` and everything below it, so that a Locust that
is installed beside us stays untouched and unused. The loader puts the real module into `sys.modules` under
the asked name: one object under both names, so isinstance, pickle, reload and setting a constant work. A
name that has no counterpart is a ModuleNotFoundError of ours; it never falls through to an installed Locust.

It must not patch anything else.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

ROOT: Final = "locust"

_LEAVES: Final = {
    "locust.argument_parser": "locust_runtime.argument_parser",
    "locust.clients": "locust_runtime.facade.clients",
    "locust.contrib.fasthttp": "locust_runtime.http.fast_user",
    "locust.debug": "locust_runtime.debug",
    "locust.dispatch": "locust_runtime.facade.dispatch",
    "locust.env": "locust_runtime.environment",
    "locust.event": "locust_runtime.events",
    "locust.exception": "locust_runtime.exceptions",
    "locust.log": "locust_runtime.log",
    "locust.rpc.protocol": "locust_runtime.messages",
    "locust.runners": "locust_runtime.runners",
    "locust.shape": "locust_runtime.shape",
    "locust.stats": "locust_runtime.stats",
    "locust.user.markov_taskset": "locust_runtime.markov",
    "locust.user.sequential_taskset": "locust_runtime.sequential",
    "locust.user.task": "locust_runtime.facade.user.task",
    "locust.user.users": "locust_runtime.facade.user.users",
    "locust.user.wait_time": "locust_runtime.wait_time",
    "locust.util.timespan": "locust_protocol.process.timespan",
}

_PACKAGES: Final = {
    "locust": "locust_runtime.facade",
    "locust.contrib": "locust_runtime.facade.contrib",
    "locust.rpc": "locust_runtime.facade.rpc",
    "locust.user": "locust_runtime.facade.user",
    "locust.util": "locust_runtime.facade.spans",
}

TARGETS: Final = _LEAVES | _PACKAGES
"""Locust's module names, and the modules that stand for them."""


class LocustAlreadyImportedError(ImportError):
    """The installed Locust is loaded already; two of them in one process would share nothing."""


def install() -> None:
    """Makes `locust` and its submodules resolve to ours; does nothing the second time.

    Raises LocustAlreadyImportedError when another `locust` has been imported.
    """
    if any(isinstance(finder, LocustFinder) for finder in sys.meta_path):
        return
    loaded = sys.modules.get(ROOT)
    if loaded is not None:
        raise LocustAlreadyImportedError(
            f"another locust is imported already, from {getattr(loaded, '__file__', 'an unknown place')}: "
            "install the hook before anything imports it",
            name=ROOT,
        )
    sys.meta_path.insert(0, LocustFinder())


class LocustFinder(MetaPathFinder):
    """Answers for `locust` and all below it, and for nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != ROOT and not fullname.startswith(ROOT + "."):
            return None
        if fullname not in TARGETS:
            raise ModuleNotFoundError(
                f"{fullname} has no counterpart here: this is locust-grpc, which offers the locustfile API "
                "of Locust and not its internals",
                name=fullname,
            )
        return ModuleSpec(fullname, AliasLoader(), is_package=fullname in _PACKAGES)


class AliasLoader(Loader):
    """Loads the module that stands for a name."""

    def exec_module(self, module: ModuleType) -> None:
        """Replaces the empty module that the import system made by the one that is meant.

        Here and not in `create_module`: the import system would overwrite the `__spec__` of what that
        returns, and with it the module's own name.
        """
        name = module.__name__
        target = importlib.import_module(TARGETS[name])
        sys.modules[name] = target
        _register_loaded_below(name)


def _register_loaded_below(package: str) -> None:
    """Enters all loaded modules below a package under the names of ours.

    Otherwise importing one later would bind its name in the package again, and the decorator
    `locust.user.task` would become the module of that name.
    """
    for name, target in TARGETS.items():
        if name.startswith(package + ".") and target in sys.modules:
            sys.modules.setdefault(name, sys.modules[target])
