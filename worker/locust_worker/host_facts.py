"""Facts about this machine: cores that may be used, descriptors, memory, and a name that no other has."""

from __future__ import annotations

import math
import os
import platform
import resource
import socket
import uuid
from importlib import metadata
from pathlib import Path

import psutil

from locust_protocol.v1 import master_service_pb2

ROOT = Path("/")

MAX_RUNNER_DESCRIPTORS = 65_536
"""Descriptors that a runner asks for at most, though the system may allow more."""


def usable_cores(root: Path = ROOT) -> int:
    """Returns the cores that this process may use, at least 1: its affinity, or less by a cgroup's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = cgroup_quota(root)
    return max(1, min(cores, math.ceil(quota)) if quota is not None else cores)


def cgroup_quota(root: Path = ROOT) -> float | None:
    """Returns the tightest CPU quota of this process's cgroups in cores, v1 or v2; None without one."""
    quotas = [
        quota
        for folder in _cgroup_folders(root)
        if (quota := _quota_v2(folder) or _quota_v1(folder)) is not None
    ]
    return min(quotas, default=None)


def host_id(root: Path = ROOT) -> str:
    """Returns what all processes of this machine share and no other machine has.

    The kernel's boot id comes first: containers of one machine share it, clones of one image do not.
    """
    for name in ("proc/sys/kernel/random/boot_id", "etc/machine-id", "var/lib/dbus/machine-id"):
        text = _read(root / name)
        if text:
            return text
    return f"{socket.gethostname()}-{uuid.getnode():012x}"


def runner_descriptors() -> int:
    """Returns how many files a runner started from here may open: it raises its limit as far, no further."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_RUNNER_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_RUNNER_DESCRIPTORS)


def read_host_facts(*, descriptor_limit: int) -> master_service_pb2.HostFacts:
    """Returns all facts as the message that is sent to the master."""
    return master_service_pb2.HostFacts(
        hostname=socket.gethostname(),
        host_id=host_id(),
        usable_cores=usable_cores(),
        descriptor_limit=max(descriptor_limit, 0),
        platform=_platform(),
        memory_bytes=psutil.virtual_memory().total,
    )


def _platform() -> str:
    parts = [f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"]
    for name in ("gevent", "grpcio"):
        try:
            parts.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(parts)


def _cgroup_folders(root: Path) -> list[Path]:
    """Folders that may hold a quota of this process: its cgroup and all above it, in each hierarchy."""
    folders: list[Path] = []
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        bases = [mount] if not controllers else [mount / "cpu", mount / controllers]
        parts = [part for part in path.split("/") if part and part != ".."]
        for base in bases:
            folders += [base.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    return folders or [mount, mount / "cpu"]


def _quota_v2(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return _ratio(quota, period or "100000")


def _quota_v1(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    """Returns cores; None for "max", -1, nothing, or anything else that is no quota."""
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
