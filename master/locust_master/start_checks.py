"""What a start is checked against: classes, load shapes, hosts. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from locust_master.planning.goal import ClassShare
from locust_protocol.process.errors import UsageError
from locust_protocol.v1 import manifest_pb2


def class_shares(manifest: manifest_pb2.Manifest, names: Sequence[str]) -> tuple[ClassShare, ...]:
    """Returns the shares of the named classes, of all when none is named. Raises `UsageError`."""
    known = {user_class.name: user_class for user_class in manifest.user_classes}
    for name in names:
        if name not in known:
            raise UsageError(
                f"unknown user class {name!r}", remedy=f"the locustfile has {', '.join(sorted(known))}"
            )
    chosen = [known[name] for name in dict.fromkeys(names)] if names else list(known.values())
    for user_class in chosen:
        if not (user_class.weight >= 0 and math.isfinite(user_class.weight)):
            raise UsageError(
                f"user class {user_class.name} has weight {user_class.weight}",
                remedy="a weight is a number of at least 0",
            )
    if not any(user_class.weight > 0 or user_class.fixed_count > 0 for user_class in chosen):
        raise UsageError(
            f"no users for {', '.join(c.name for c in chosen) or 'no class'}: every weight is 0",
            remedy="give one of them a weight or a fixed_count",
        )
    return tuple(ClassShare(c.name, c.weight, c.fixed_count) for c in chosen)


def chosen_shape(manifest: manifest_pb2.Manifest, name: str | None) -> str:
    """Returns the load shape: the named one, none for "", the first for None. Raises `UsageError`."""
    names = [shape.name for shape in manifest.load_shapes]
    if name is None:
        return names[0] if names else ""
    if name and name not in names:
        raise UsageError(
            f"unknown load shape {name!r}", remedy=f"the locustfile has {', '.join(names) or 'none'}"
        )
    return name


def stages_notices(manifest: manifest_pb2.Manifest, *, takes_all: bool, given: Sequence[str]) -> list[str]:
    """Says what stages or steps make of other wishes; `takes_all`: stages, which say all about users."""
    what = "--stages" if takes_all else "--step-load"
    said = []
    if takes_all and given:
        said.append(f"{what} says how many users there are, so {', '.join(given)} change nothing")
    names = [shape.name for shape in manifest.load_shapes]
    if names:
        said.append(f"{what} is followed, and not load shape {', '.join(names)} of the locustfile")
    return said


def shape_notices(
    manifest: manifest_pb2.Manifest, chosen: str, *, is_named: bool, given: Sequence[str]
) -> list[str]:
    """Says what a load shape makes of other wishes; `given` are flags that shapes do not read."""
    names = [shape.name for shape in manifest.load_shapes]
    said = []
    if chosen and not is_named and len(names) > 1:
        said.append(f"load shapes {', '.join(names)}: {chosen} is followed; choose with --load-shape")
    reads_them = any(shape.uses_common_options for shape in manifest.load_shapes if shape.name == chosen)
    if chosen and given and not reads_them:
        said.append(f"load shape {chosen} sets the users, so {', '.join(given)} change nothing")
    return said


def check_host(manifest: manifest_pb2.Manifest, shares: Sequence[ClassShare], host: str | None) -> None:
    """Raises `UsageError` naming a class that needs a host and has none."""
    if host:
        return
    chosen = {share.name for share in shares}
    for user_class in manifest.user_classes:
        if user_class.name in chosen and user_class.needs_host and not user_class.host:
            raise UsageError(
                f"no host for user class {user_class.name}",
                remedy="give --host http://…, or set the class's host attribute",
            )


def shown_host(manifest: manifest_pb2.Manifest, host: str | None) -> str:
    """Returns the host as screens show it: the run's, else those of the classes."""
    return host or ", ".join(dict.fromkeys(c.host for c in manifest.user_classes if c.host))
