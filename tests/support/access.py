"""The suite's own identity, as a master on this machine has one, and channels that get in by it."""

from __future__ import annotations

import ssl

import grpc

from locust_master.security.identity import own_identity, read_role_token
from locust_protocol.channels import credentials, secure_options
from locust_protocol.security.access import Access
from locust_protocol.security.private_files import security_folder
from locust_protocol.security.roles import AccessRole


def server_credentials() -> grpc.ServerCredentials:
    """What a port of the suite's is opened with."""
    identity = own_identity(security_folder())
    return grpc.ssl_server_credentials([(identity.key, identity.certificate)])


def access_as(role: AccessRole | None) -> Access:
    """How a caller of a role gets in; None: one that trusts the certificate and shows no token."""
    folder = security_folder()
    identity = own_identity(folder)
    token = None if role is None else read_role_token(folder, role)
    return Access(roots=identity.certificate, is_pinned=True, token=token)


def control_channel(target: str) -> grpc.Channel:
    """A blocking channel that may do everything."""
    access = access_as(AccessRole.CONTROL)
    return grpc.secure_channel(target, credentials(access), options=secure_options(access))


def der(pem: bytes) -> bytes:
    """A certificate as it travels."""
    return ssl.PEM_cert_to_DER_cert(pem.decode())
