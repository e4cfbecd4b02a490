"""A bundle arrives over a line that breaks: each attempt brings more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from locust_protocol.channels import MasterChannel
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.roles import AccessRole
from locust_protocol.v1.master_service_pb2 import RegisterRequest
from locust_worker import fetches
from locust_worker.bundle_cache import BundleCache
from locust_worker.fetches import CodeArrived, CodeFailed, Fetches
from locust_worker.master_link import MasterLink
from tests.worker.fake_master import FakeMaster


async def attempts(getter: Fetches, digest: bytes, *, most: int = 10) -> list[CodeArrived | CodeFailed]:
    """Asks until the bundle is here, as the agent does."""
    posted: list[CodeArrived | CodeFailed] = []
    while len(posted) < most and not (posted and isinstance(posted[-1], CodeArrived)):
        await getter.get(1, digest, posted.append)
    return posted


async def admitted_link(master: FakeMaster) -> MasterLink:
    link = MasterLink(MasterChannel(f"127.0.0.1:{master.port}", AccessTerms(AccessRole.WORKER)))
    await link.register(RegisterRequest())
    return link


async def test_bundle_goes_on_where_a_broken_connection_left_off(
    master: FakeMaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that breaks every few seconds must not begin a large bundle anew each time."""
    monkeypatch.setattr(fetches, "RETRY_FETCH_S", 0.0)
    data = "# " + "x" * 9_000
    digest = master.bundle(locustfile="import data\n", data=data).digest
    master.breaks_bundles_after = 2_500
    link = await admitted_link(master)
    posted = await attempts(Fetches(BundleCache(tmp_path / "cache"), link), digest)
    await link.close()
    assert master.bundle_offsets == [0, 2_500, 5_000, 7_500]
    assert all(isinstance(each, CodeFailed) and not each.is_final for each in posted[:-1])
    assert isinstance(posted[-1], CodeArrived)
    assert (Path(posted[-1].code.directory) / "data.py").read_text() == data


async def test_another_bundle_starts_from_its_beginning(
    master: FakeMaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is here of one is no part of the other."""
    monkeypatch.setattr(fetches, "RETRY_FETCH_S", 0.0)
    first = master.bundle(locustfile="#" * 5_000).digest
    second = master.bundle(locustfile="!" * 5_000).digest
    link = await admitted_link(master)
    getter = Fetches(BundleCache(tmp_path / "cache"), link)
    master.breaks_bundles_after = 3_000
    assert isinstance((await attempts(getter, first, most=1))[0], CodeFailed)
    master.breaks_bundles_after = None
    (arrived,) = await attempts(getter, second)
    await link.close()
    assert isinstance(arrived, CodeArrived)
    assert master.bundle_offsets == [0, 0]
    assert (Path(arrived.code.directory) / "locustfile.py").read_text() == "!" * 5_000
