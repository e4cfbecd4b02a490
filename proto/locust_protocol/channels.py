"""Channel and server options, in one place for all three commands.

Facts behind the numbers: `grpc.keepalive_timeout_ms` does not end a connection whose pings go unanswered,
`grpc.http2.ping_timeout_ms` does; by default two servers may share a port, an idle client may ping only every
5 minutes, and a receiver swallows 4 MiB a stream before the sender feels it. One channel serves a process
for its whole life.
"""

from __future__ import annotations

import secrets

import grpc
import grpc.aio

from locust_protocol.limits import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from locust_protocol.security.access import Access, Ask, find_access
from locust_protocol.security.access_terms import AccessTerms
from locust_protocol.security.join_token import JoinToken
from locust_protocol.security.known_masters import KnownMasters
from locust_protocol.security.private_files import security_folder

Options = list[tuple[str, int | str]]

KEEPALIVE_MS = 5_000
WINDOW_BYTES = 256 << 10
MIN_BACKOFF_MS = 200
MAX_BACKOFF_MS = 2_000
CONNECT_TIMEOUT_MS = 1_000
HANDSHAKE_TIMEOUT_MS = 5_000
MAX_CONNECTIONS = 4_000
MAX_STREAMS_PER_CONNECTION = 32
MIN_PING_INTERVAL_MS = 2_000
MAX_PING_STRIKES = 5

PINNED_NAME = "locust-master"
"""The name in a master's own certificate."""

PROCESS_METADATA = "locust-process"
"""Metadata by which a process tells its calls apart from those of others with the same token."""

_PROCESS = secrets.token_hex(16)


def _common_options() -> Options:
    return [
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_MS),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ("grpc.http2.bdp_probe", 0),
    ]


def client_options() -> Options:
    """Returns the options of every channel to a master."""
    return [
        *_common_options(),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", MIN_BACKOFF_MS),
        ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),
        ("grpc.max_reconnect_backoff_ms", MAX_BACKOFF_MS),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
    ]


def server_options() -> Options:
    """Returns the options of the master's server."""
    return [
        *_common_options(),
        ("grpc.so_reuseport", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
        ("grpc.http2.max_ping_strikes", MAX_PING_STRIKES),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_MS),
        ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
        ("grpc.max_concurrent_streams", MAX_STREAMS_PER_CONNECTION),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ]


class MasterChannel:
    """The channel of a process to the master at `target` ("host:port"), opened when that may be trusted.

    It is one for the life of the process, unless the master's certificate or the token has changed.
    """

    def __init__(self, target: str, terms: AccessTerms, *, ask: Ask | None = None) -> None:
        self.target = target
        self._terms = terms
        self._ask = ask
        self._access: Access | None = None
        self._channel: grpc.aio.Channel | None = None

    async def open(self) -> grpc.aio.Channel:
        """Returns the channel, after another look at who is there. Raises as `find_access` does."""
        access = await find_access(self.target, self._terms, ask=self._ask)
        if self._channel is None or access != self._access:
            await self.close()
            self._access, self._channel = access, open_channel(self.target, access)
        return self._channel

    @property
    def is_insecure(self) -> bool:
        """True when nothing is encrypted, as the command line says."""
        return self._terms.is_insecure

    def forget_token(self) -> None:
        """Forgets a token that was remembered and that the master refuses: the next start asks for it."""
        KnownMasters(security_folder()).forget(self.target, self._terms.role)

    async def close(self) -> None:
        """Closes what is open."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None


def open_channel(target: str, access: Access, *more: tuple[str, int | str]) -> grpc.aio.Channel:
    """Returns a channel on which every call shows the token; without `access.roots` it is not encrypted.

    `more` are options beyond those that every channel has.
    """
    if access.roots is None:
        return grpc.aio.insecure_channel(target, options=[*client_options(), *more])
    options = [*secure_options(access), *more]
    return grpc.aio.secure_channel(target, credentials(access), options=options)


def secure_options(access: Access) -> Options:
    """Returns the options of an encrypted channel."""
    if not access.is_pinned:
        return client_options()
    # The certificate itself is what is trusted; under which name it was reached says nothing.
    return [*client_options(), ("grpc.ssl_target_name_override", PINNED_NAME)]


def credentials(access: Access) -> grpc.ChannelCredentials:
    """Returns what an encrypted channel trusts, and shows."""
    encrypted = grpc.ssl_channel_credentials(access.roots, access.key, access.certificate)
    if access.token is None:
        return encrypted
    shown = grpc.metadata_call_credentials(_Shown(access.token), name="join-token")
    return grpc.composite_channel_credentials(encrypted, shown)


class _Shown(grpc.AuthMetadataPlugin):
    """What every call shows."""

    def __init__(self, token: JoinToken) -> None:
        self._metadata = (("authorization", f"Bearer {token.secret}"), (PROCESS_METADATA, _PROCESS))

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Hands it to gRPC."""
        callback(self._metadata, None)
