"""Channel and server options, in one place for all three commands.

Facts behind the numbers: `grpc.keepalive_timeout_ms` does not end a connection whose pings go unanswered,
`grpc.http2.ping_timeout_ms` does; by default two servers may share a port, an idle client may ping only every
5 minutes, and a receiver swallows 4 MiB a stream before the sender feels it. One channel serves a process
for its whole life.
"""

from __future__ import annotations

import grpc
import grpc.aio

from locust_protocol.limits import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES

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


def client_channel(target: str) -> grpc.aio.Channel:
    """Returns the one channel of a process to the master at `target` ("host:port")."""
    return grpc.aio.insecure_channel(target, options=client_options())
