"""How many cores there really are: a container's quota counts, not the machine's processors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from locust_worker.host_facts import cgroup_quota, host_id, usable_cores


def files(root: Path, **contents: str) -> Path:
    for name, text in contents.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("cpu_max", "quota"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("50000 100000\n", 0.5), ("nonsense", None)],
)
def test_quota_of_cgroup_v2(tmp_path: Path, cpu_max: str, quota: float | None) -> None:
    """ "max" is no quota."""
    root = files(tmp_path, proc__self__cgroup="0::/\n", sys__fs__cgroup__cpuDOTmax=cpu_max)
    assert cgroup_quota(root) == quota


def test_quota_is_the_tightest_on_the_way_up(tmp_path: Path) -> None:
    """A pod's limit holds for its containers, too."""
    root = files(
        tmp_path,
        proc__self__cgroup="0::/pod/container\n",
        sys__fs__cgroup__pod__cpuDOTmax="100000 100000",
        sys__fs__cgroup__pod__container__cpuDOTmax="400000 100000",
    )
    assert cgroup_quota(root) == 1.0


@pytest.mark.parametrize(("microseconds", "quota"), [("-1", None), ("250000", 2.5)])
def test_quota_of_cgroup_v1(tmp_path: Path, microseconds: str, quota: float | None) -> None:
    """The older layout names its controllers, together or alone."""
    root = files(
        tmp_path,
        proc__self__cgroup="4:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n",
        sys__fs__cgroup__cpu__cpuDOTcfs_quota_us=microseconds,
        sys__fs__cgroup__cpu__cpuDOTcfs_period_us="100000",
    )
    assert cgroup_quota(root) == quota


def test_usable_cores_are_at_least_one_and_rounded_up(tmp_path: Path) -> None:
    """Half a core still runs one runner."""
    root = files(tmp_path, proc__self__cgroup="0::/\n", sys__fs__cgroup__cpuDOTmax="50000 100000")
    assert usable_cores(root) == 1


def test_usable_cores_follow_the_affinity(tmp_path: Path) -> None:
    """`taskset` limits as a quota does."""
    assert usable_cores(tmp_path) == len(os.sched_getaffinity(0))


def test_host_id_is_the_machines(tmp_path: Path) -> None:
    """The boot id wins: containers of a machine share it, clones of an image do not."""
    root = files(tmp_path, **{"etc__machine-id": "machine\n"})
    assert host_id(root) == "machine"
    files(root, proc__sys__kernel__random__boot_id="boot\n")
    assert host_id(root) == "boot"
    assert host_id(tmp_path / "nothing") != ""
