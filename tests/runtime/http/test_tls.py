"""Certificates: FastHttpUser trusts all unless told otherwise, HttpUser as requests does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gevent import ssl

from tests.runtime.http.conftest import PATIENCE_S, MakeClient
from tests.runtime.http.target import CERTIFICATE, Target, serving


@pytest.fixture(scope="module")
def tls_target() -> Iterator[Target]:
    with serving(tls=True) as target:
        yield target


def test_fast_client_trusts_any_certificate(make_fast: MakeClient, tls_target: Target) -> None:
    """`insecure` is the default, as in Locust; the connection is kept."""
    client = make_fast(tls_target.url)
    before = tls_target.connections
    assert client.session.get("/ok").content == b"hello"
    assert client.session.post("/echo", data=b"x" * 200_000).json()["body"] == "x" * 200_000
    assert tls_target.connections == before + 1


def test_fast_client_checks_certificates_when_asked_to(make_fast: MakeClient, tls_target: Target) -> None:
    """A certificate of nobody is a failure, not an exception in the task."""
    client = make_fast(tls_target.url, insecure=False)
    assert client.session.get("/ok").status_code == 0
    assert isinstance(client.only["exception"], ssl.SSLCertVerificationError)


def test_fast_client_takes_a_context_of_its_own(make_fast: MakeClient, tls_target: Target) -> None:
    """A private CA, or a client certificate."""

    def trusting_ours() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(CERTIFICATE))

    client = make_fast(tls_target.url, insecure=False, ssl_context_factory=trusting_ours)
    assert client.session.get("/ok").content == b"hello"


def test_requests_client_checks_certificates(make_requesting: MakeClient, tls_target: Target) -> None:
    """By default against the public authorities; with `verify` against one's own."""
    client = make_requesting(tls_target.url)
    assert client.session.get("/ok", timeout=PATIENCE_S).status_code == 0
    assert "CERTIFICATE_VERIFY_FAILED" in repr(client.only["exception"])
    assert client.session.get("/ok", verify=str(CERTIFICATE), timeout=PATIENCE_S).content == b"hello"
