"""The first start makes all that is needed, for its user alone, and later ones keep it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from locust_master.security.identity import own_identity, read_role_token, rotate_token
from locust_master.security.role_secrets import RoleSecrets
from locust_protocol.process.errors import UsageError
from locust_protocol.security.roles import AccessRole

FILES = {"tls.key", "tls.crt", "worker.token", "control.token", "read-only.token"}


def test_first_start_makes_everything_readable_by_its_user_alone(tmp_path: Path) -> None:
    """Whatever the umask says."""
    folder = tmp_path / "data" / "locust-grpc"
    before = os.umask(0)
    try:
        identity = own_identity(folder)
    finally:
        os.umask(before)
    assert {path.name for path in folder.iterdir()} == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    tokens = [read_role_token(folder, role) for role in AccessRole]
    assert {token.certificate_hash for token in tokens if token} == {identity.certificate_hash}
    assert len({token.secret for token in tokens if token}) == 3


def test_later_starts_keep_it(tmp_path: Path) -> None:
    """Tokens that were given out hold on."""
    first = own_identity(tmp_path)
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert own_identity(tmp_path) == first
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == contents


def test_half_an_identity_is_named(tmp_path: Path) -> None:
    """A new key in silence would make every token that was given out an alarm."""
    own_identity(tmp_path)
    (tmp_path / "tls.key").unlink()
    with pytest.raises(UsageError, match=r"has tls\.crt and no tls\.key; put it back, or remove both"):
        own_identity(tmp_path)


def test_an_identity_made_anew_renews_what_the_tokens_name(tmp_path: Path) -> None:
    """The secrets stay; the hash is that of the certificate which is there."""
    own_identity(tmp_path)
    before = read_role_token(tmp_path, AccessRole.WORKER)
    for name in ("tls.key", "tls.crt"):
        (tmp_path / name).unlink()
    identity = own_identity(tmp_path)
    after = read_role_token(tmp_path, AccessRole.WORKER)
    assert before is not None
    assert after is not None
    assert after.certificate_hash == identity.certificate_hash != before.certificate_hash
    assert after.secret == before.secret


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    """It was made by hand, or by a container."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    own_identity(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_each_secret_is_its_roles_and_a_rotated_one_is_nobodys(tmp_path: Path) -> None:
    """A running master reads the file when it changes."""
    identity = own_identity(tmp_path)
    secrets = RoleSecrets(tmp_path)
    shown = {role: read_role_token(tmp_path, role) for role in AccessRole}
    for role, token in shown.items():
        assert token is not None
        assert secrets.role_of(token.secret) is role
    old = shown[AccessRole.CONTROL]
    assert old is not None
    new = rotate_token(tmp_path, AccessRole.CONTROL, certificate_hash=identity.certificate_hash)
    assert secrets.role_of(new.secret) is AccessRole.CONTROL
    assert secrets.role_of(old.secret, process="was in", is_session=True) is None
    assert secrets.role_of("") is None


def test_a_token_file_that_is_damaged_leaves_the_secret_of_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An editor that saved half of it must not lock out a fleet in mid-run."""
    own_identity(tmp_path)
    secrets = RoleSecrets(tmp_path)
    token = read_role_token(tmp_path, AccessRole.WORKER)
    assert token is not None
    (tmp_path / "worker.token").write_text("lg1.planted")
    assert secrets.role_of(token.secret) is AccessRole.WORKER
    assert "cannot be read" in caplog.text
    assert "planted" not in caplog.text
