"""What has arrived of a bundle outlives the attempt that brought it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locust_protocol.bundle import manifest_digest
from locust_worker.bundle_download import BundleDownload
from tests.worker.test_bundle_cache import FILES, contents, manifest_of


@given(st.lists(st.integers(0, 5_000), max_size=5), st.integers(1, 2_000))
def test_bundle_is_whole_however_often_its_download_broke_off(lengths: list[int], chunk: int) -> None:
    """The server sends the manifest again, then goes on from the offset that it is told."""
    manifest = manifest_of(FILES)
    (whole,) = contents(FILES, chunk=1_000_000)
    download = BundleDownload(manifest_digest(manifest))
    here = 0
    for length in [*lengths, len(whole)]:
        offset = download.begin_attempt()
        assert offset == here
        download.take(manifest)
        sent = whole[offset : offset + length]
        for start in range(0, len(sent), chunk):
            download.take(sent[start : start + chunk])
        here += len(sent)
    _, files = download.finish()
    assert {file.path: content for file, content in files} == FILES
