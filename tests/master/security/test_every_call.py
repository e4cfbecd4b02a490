"""Every method for every caller, at the real port: who may not is refused at once, and nothing happens."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from locust_master.security import gatekeeper
from locust_master.security.authorization import SERVICES, may_call, role_of
from locust_master.security.identity import own_identity, rotate_token
from locust_protocol.channels import PROCESS_METADATA, credentials, secure_options
from locust_protocol.security.join_token import SECRET_BYTES, JoinToken, new_secret
from locust_protocol.security.private_files import SECURITY_DIR_VARIABLE, security_folder
from locust_protocol.security.roles import AccessRole
from tests.master.master_builders import Master, running_master
from tests.support.access import access_as

TIMEOUT_S = 10.0
SOON_S = 0.05
"""A refusal costs the caller a round trip and the master next to nothing."""

METHODS = [
    f"/{service.full_name}/{method.name}"
    for file in SERVICES
    for service in file.services_by_name.values()
    for method in service.methods
]

CALLERS = ["nobody", "wrong", "garbage", "worker", "control", "read-only", "rotated"]


@pytest.fixture
async def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Master]:
    # Its own identity: a rotation of the suite's would keep out what other tests started.
    monkeypatch.setenv(SECURITY_DIR_VARIABLE, str(tmp_path / "security"))
    monkeypatch.setattr(gatekeeper, "FREE_FAILURES", 10_000)
    async with running_master(tmp_path, serves=True) as running:
        yield running


def shown_by(caller: str) -> tuple[tuple[str, str], ...]:
    """What a caller sends in its metadata."""
    if caller == "nobody":
        return ()
    if caller == "garbage":
        return (("authorization", "Basic bG9jdXN0OmxvY3VzdA=="), (PROCESS_METADATA, "x" * 500))
    if caller in ("wrong", "rotated"):
        secret = new_secret(os.urandom(SECRET_BYTES))
        if caller == "rotated":
            token = access_as(AccessRole.CONTROL).token
            assert token is not None
            secret = token.secret
            folder = security_folder()
            named = own_identity(folder).certificate_hash
            for role in AccessRole:
                rotate_token(folder, role, certificate_hash=named)
    else:
        token = access_as(AccessRole(caller)).token
        assert token is not None
        secret = token.secret
    return (("authorization", f"Bearer {secret}"),)


async def status_of(channel: grpc.aio.Channel, method: str, metadata: Any) -> grpc.StatusCode:
    """How a call ends that sends nothing that can be parsed; OK is as far as the handler's own parsing."""
    call = channel.stream_stream(method)(metadata=metadata, timeout=TIMEOUT_S)
    with suppress(grpc.aio.AioRpcError):  # it may be refused before it has sent anything
        await call.write(b"\xff\xff\xff")
    return await call.code()


@pytest.mark.parametrize("caller", CALLERS)
async def test_who_may_not_call_is_refused_soon_and_who_may_is_not(master: Master, caller: str) -> None:
    """No handler is entered with a message that is none: who is let in is told that, and nobody else is."""
    assert master.server is not None
    metadata = shown_by(caller)
    role = AccessRole(caller) if caller in {each.value for each in AccessRole} else None
    refused = grpc.StatusCode.UNAUTHENTICATED if role is None else grpc.StatusCode.PERMISSION_DENIED
    access = access_as(None)
    options = [*secure_options(access), ("grpc.use_local_subchannel_pool", 1)]
    target = f"127.0.0.1:{master.server.port}"
    lasted: list[float] = []
    async with grpc.aio.secure_channel(target, credentials(access), options=options) as channel:
        await channel.channel_ready()
        for method in METHODS:
            started_s = time.monotonic()
            status = await status_of(channel, method, metadata)
            if may_call(role, role_of(method)):
                assert status not in (
                    grpc.StatusCode.UNAUTHENTICATED,
                    grpc.StatusCode.PERMISSION_DENIED,
                ), method
            else:
                assert status is refused, method
                lasted.append(time.monotonic() - started_s)
        health = health_pb2_grpc.HealthStub(channel)
        await health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    if lasted:
        assert sorted(lasted)[len(lasted) // 2] < SOON_S
    assert master.cluster.membership.all() == []
    assert master.cluster.run is None


async def test_plaintext_is_no_way_in(master: Master) -> None:
    """The port speaks TLS alone."""
    assert master.server is not None
    async with grpc.aio.insecure_channel(f"127.0.0.1:{master.server.port}") as channel:
        assert await status_of(channel, METHODS[0], ()) is grpc.StatusCode.UNAVAILABLE


async def test_a_master_with_another_certificate_is_not_spoken_to(master: Master, tmp_path: Path) -> None:
    """A client trusts the one certificate that its token names."""
    assert master.server is not None
    other = own_identity(tmp_path / "other")
    trusted = grpc.ssl_channel_credentials(other.certificate)
    options = secure_options(access_as(None))
    target = f"127.0.0.1:{master.server.port}"
    async with grpc.aio.secure_channel(target, trusted, options=options) as channel:
        assert await status_of(channel, METHODS[0], ()) is grpc.StatusCode.UNAVAILABLE


async def test_refusals_are_logged_once_an_address_and_say_nothing_of_what_was_sent(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    """A log that grows with every guess, or holds a secret that was mistyped, helps the wrong people."""
    assert master.server is not None
    access = access_as(None)
    with caplog.at_level(logging.WARNING):
        target = f"127.0.0.1:{master.server.port}"
        async with grpc.aio.secure_channel(
            target, credentials(access), options=secure_options(access)
        ) as channel:
            for _ in range(5):
                await status_of(channel, METHODS[0], (("authorization", "Bearer planted-secret"),))
    said = [record.getMessage() for record in caplog.records]
    assert len([text for text in said if "without a token" in text and "127.0.0.1" in text]) == 1
    assert "planted-secret" not in caplog.text


async def test_a_rotation_keeps_who_is_in_and_lets_nobody_in_anew(master: Master) -> None:
    """A worker goes on with what it was let in with; a new process, or a new registration, does not."""
    assert master.server is not None
    token = access_as(AccessRole.WORKER).token
    assert token is not None
    access, goodbye = access_as(None), "/locust.v1.MasterService/Goodbye"
    options = secure_options(access)
    target = f"127.0.0.1:{master.server.port}"
    ours = (("authorization", f"Bearer {token.secret}"), (PROCESS_METADATA, "ours"))
    theirs = (("authorization", f"Bearer {token.secret}"), (PROCESS_METADATA, "theirs"))
    async with grpc.aio.secure_channel(target, credentials(access), options=options) as channel:
        assert await status_of(channel, goodbye, ours) is not grpc.StatusCode.UNAUTHENTICATED
        folder = security_folder()
        rotate_token(folder, AccessRole.WORKER, certificate_hash=own_identity(folder).certificate_hash)
        assert await status_of(channel, goodbye, ours) is not grpc.StatusCode.UNAUTHENTICATED
        assert await status_of(channel, goodbye, theirs) is grpc.StatusCode.UNAUTHENTICATED
        assert await status_of(channel, gatekeeper.NEW_SESSION, ours) is grpc.StatusCode.UNAUTHENTICATED
        new = access_as(AccessRole.WORKER).token
        assert isinstance(new, JoinToken)
        fresh = (("authorization", f"Bearer {new.secret}"),)
        assert await status_of(channel, goodbye, fresh) is not grpc.StatusCode.UNAUTHENTICATED
