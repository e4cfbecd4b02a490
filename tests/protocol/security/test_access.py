"""Which token is shown to whom, and what a person is told who has none."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from locust_master.security.identity import own_identity, read_role_token, rotate_token
from locust_protocol.process.errors import OperatorError
from locust_protocol.security.access import AccessDenied, find_access
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.join_token import SECRET_BYTES, JoinToken, NoToken, new_secret
from locust_protocol.security.known_masters import KnownMasters
from locust_protocol.security.private_files import SECURITY_DIR_VARIABLE
from locust_protocol.security.roles import AccessRole
from locust_protocol.security.server_certificate import NoConnection, NoTls
from tests.support.ports import free_port

WORKER = AccessTerms(AccessRole.WORKER)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The security folder of who joins."""
    folder = tmp_path / "home"
    monkeypatch.setenv(SECURITY_DIR_VARIABLE, str(folder))
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The security folder of a master on another machine."""
    folder = tmp_path / "elsewhere"
    own_identity(folder)
    return folder


@pytest.fixture
async def target(elsewhere: Path) -> AsyncIterator[str]:
    """Somebody who speaks TLS with the certificate of that master."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(elsewhere / "tls.crt", elsewhere / "tls.key")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def token_of(folder: Path, role: AccessRole = AccessRole.WORKER) -> JoinToken:
    token = read_role_token(folder, role)
    assert token is not None
    return token


async def test_a_token_file_gets_in_and_pins_the_certificate(
    home: Path, elsewhere: Path, target: str
) -> None:
    """What is trusted is that certificate and no other."""
    terms = AccessTerms(AccessRole.WORKER, token_file=elsewhere / "worker.token")
    access = await find_access(target, terms)
    assert access.token == token_of(elsewhere)
    assert access.is_pinned
    assert access.roots is not None
    assert ssl.PEM_cert_to_DER_cert(access.roots.decode()) == ssl.PEM_cert_to_DER_cert(
        (elsewhere / "tls.crt").read_text()
    )


async def test_the_environment_may_hold_the_token(home: Path, elsewhere: Path, target: str) -> None:
    """For containers."""
    terms = AccessTerms(AccessRole.WORKER, environment_token=token_of(elsewhere).text)
    assert (await find_access(target, terms)).token == token_of(elsewhere)


async def test_on_the_masters_machine_nothing_is_to_be_given(
    elsewhere: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is the same there; each role finds its own."""
    monkeypatch.setenv(SECURITY_DIR_VARIABLE, str(elsewhere))
    for role in AccessRole:
        assert (await find_access(target, AccessTerms(role))).token == token_of(elsewhere, role)


async def test_without_a_token_one_sentence_says_how_to_get_it(home: Path, target: str) -> None:
    """Our own identity is another master's, and no reason for alarm."""
    own_identity(home)
    with pytest.raises(AccessDenied) as refused:
        await find_access(target, WORKER)
    assert str(refused.value) == (
        f"the master at {target} wants a join token; `locust-master token` prints it on the master's "
        "machine: give it with --token-file or $LOCUST_TOKEN"
    )
    with pytest.raises(AccessDenied, match="token --role control` prints"):
        await find_access(target, AccessTerms(AccessRole.CONTROL))


async def test_what_a_person_entered_is_remembered_for_that_master_alone(
    home: Path, elsewhere: Path, target: str
) -> None:
    """The bare command works from then on."""
    asked: list[str] = []

    async def ask(of: str) -> JoinToken:
        asked.append(of)
        return token_of(elsewhere)

    await find_access(target, WORKER, ask=ask)
    assert (await find_access(target, WORKER)).token == token_of(elsewhere)
    assert asked == [target]
    known = KnownMasters(home)
    assert (mode_of(known.path), mode_of(home)) == (0o600, 0o700)
    assert known.find(target, AccessRole.CONTROL) is None
    assert known.find("127.0.0.1:1", AccessRole.WORKER) is None
    known.forget(target, AccessRole.CONTROL)
    assert known.find(target, AccessRole.WORKER) is not None
    known.forget(target, AccessRole.WORKER)
    await find_access(target, WORKER, ask=ask)
    assert asked == [target, target]


@pytest.mark.parametrize("way", ["file", "environment", "remembered", "entered"])
async def test_an_impostor_is_named_and_told_nothing(
    home: Path, tmp_path: Path, target: str, way: str
) -> None:
    """Somebody in between has another certificate; whichever way the token came, it is not shown."""
    real = tmp_path / "real"
    own_identity(real)
    terms = WORKER
    if way == "file":
        terms = AccessTerms(AccessRole.WORKER, token_file=real / "worker.token")
    elif way == "environment":
        terms = AccessTerms(AccessRole.WORKER, environment_token=token_of(real).text)
    elif way == "remembered":
        KnownMasters(home).remember(target, AccessRole.WORKER, token_of(real))

    async def ask(of: str) -> JoinToken:
        return token_of(real)

    with pytest.raises(AccessDenied, match="is not the one that the token names: somebody may stand between"):
        await find_access(target, terms, ask=ask if way == "entered" else None)
    if way == "entered":
        assert not KnownMasters(home).path.exists()


async def test_a_damaged_memory_keeps_nobody_out(home: Path, elsewhere: Path, target: str) -> None:
    """The file is a convenience."""
    known = KnownMasters(home)
    own_identity(home)
    for content in ("{", "[]", '{"a": 1}', f'{{"{target}": {{"worker": "lg1.x"}}}}', "\udcff"):
        known.path.write_text(content, errors="surrogateescape")
        assert known.find(target, AccessRole.WORKER) is None
    known.remember(target, AccessRole.WORKER, token_of(elsewhere))
    assert known.find(target, AccessRole.WORKER) == token_of(elsewhere)


async def test_files_that_are_none_are_named(home: Path, tmp_path: Path, target: str) -> None:
    """A mistyped path, or a file of something else."""
    with pytest.raises(AccessDenied, match=r"there is no file .*nothing"):
        await find_access(target, AccessTerms(AccessRole.WORKER, token_file=tmp_path / "nothing"))
    (tmp_path / "other").write_text("planted")
    with pytest.raises(NoToken, match="other holds no join token") as refused:
        await find_access(target, AccessTerms(AccessRole.WORKER, token_file=tmp_path / "other"))
    assert "planted" not in str(refused.value)


async def test_who_speaks_no_tls_or_does_not_answer_is_told_apart(home: Path) -> None:
    """One may be cured by waiting, the other needs a person."""

    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    async with server:
        with pytest.raises(NoTls, match="speaks no TLS; a master that was started with --insecure"):
            await find_access(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", WORKER)
    with pytest.raises(NoConnection, match="connection refused"):
        await find_access(f"127.0.0.1:{free_port()}", WORKER)


async def test_with_insecure_nothing_is_looked_at(home: Path) -> None:
    """Neither files nor the network."""
    access = await find_access("127.0.0.1:1", AccessTerms(AccessRole.WORKER, is_insecure=True))
    assert access.roots is None
    assert access.token is None
    assert not os.listdir(home.parent)


async def test_an_authority_vouches_in_place_of_the_hash(home: Path, elsewhere: Path, tmp_path: Path) -> None:
    """Its certificates change; the token's secret is still asked for."""
    authority = tmp_path / "ca.pem"
    authority.write_bytes((elsewhere / "tls.crt").read_bytes())
    secret = tmp_path / "worker.token"
    secret.write_text(JoinToken("a" * 52, new_secret(os.urandom(SECRET_BYTES))).text)
    terms = AccessTerms(AccessRole.WORKER, authority_file=authority, token_file=secret)
    access = await find_access("127.0.0.1:1", terms)
    assert not access.is_pinned
    assert access.roots == authority.read_bytes()
    with pytest.raises(AccessDenied, match="wants a join token"):
        await find_access("127.0.0.1:1", AccessTerms(AccessRole.WORKER, authority_file=authority))
    half = AccessTerms(AccessRole.WORKER, authority_file=authority, token_file=secret, key_file=secret)
    with pytest.raises(OperatorError, match="--tls-cert and --tls-key belong together"):
        await find_access("127.0.0.1:1", half)


async def test_a_rotation_is_taken_up_by_who_reads_the_file(elsewhere: Path, home: Path, target: str) -> None:
    """At the next connection, without a restart."""
    terms = AccessTerms(AccessRole.WORKER, token_file=elsewhere / "worker.token")
    before = (await find_access(target, terms)).token
    named = token_of(elsewhere).certificate_hash
    new = rotate_token(elsewhere, AccessRole.WORKER, certificate_hash=named)
    after = (await find_access(target, terms)).token
    assert before != after == new
