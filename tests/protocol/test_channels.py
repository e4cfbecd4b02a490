"""Channel options that the promises about networks rest on; each of them was found missing by a fault."""

from __future__ import annotations

import pytest

from locust_protocol.channels import client_options, server_options
from locust_protocol.limits import LEASE_TTL_S, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES


@pytest.mark.parametrize("options", [client_options(), server_options()])
def test_both_ends_notice_a_silent_peer_within_the_lease(options: list[tuple[str, int | str]]) -> None:
    """`keepalive_timeout_ms` alone ends no connection: pings have a timeout of their own."""
    values = dict(options)
    waited_ms = int(values["grpc.keepalive_time_ms"]) + int(values["grpc.http2.ping_timeout_ms"])
    assert waited_ms <= LEASE_TTL_S * 1000
    assert values["grpc.keepalive_permit_without_calls"] == 1
    assert values["grpc.max_receive_message_length"] == MAX_MESSAGE_BYTES
    assert 0 < int(values["grpc.http2.lookahead_bytes"]) <= 1 << 20
    assert values["grpc.http2.bdp_probe"] == 0
    assert len(values) == len(options), "an option twice"


def test_server_keeps_strangers_within_bounds() -> None:
    """Silent, endless, and too many connections are what port scanners and load balancers make."""
    values = dict(server_options())
    assert values["grpc.so_reuseport"] == 0
    assert 0 < int(values["grpc.server_handshake_timeout_ms"]) <= 10_000
    assert int(values["grpc.max_allowed_incoming_connections"]) > 0
    assert int(values["grpc.max_concurrent_streams"]) > 0
    assert values["grpc.max_metadata_size"] == MAX_METADATA_BYTES


def test_server_allows_the_pings_that_clients_send() -> None:
    """Else it would end their connections for pinging too much."""
    client, server = dict(client_options()), dict(server_options())
    allowed_ms = int(server["grpc.http2.min_ping_interval_without_data_ms"])
    assert allowed_ms <= int(client["grpc.keepalive_time_ms"])


def test_client_comes_back_soon_and_by_itself_only() -> None:
    """A master that is back finds its workers at once; retries are the session's business."""
    values = dict(client_options())
    assert int(values["grpc.max_reconnect_backoff_ms"]) <= 3_000
    assert values["grpc.enable_http_proxy"] == 0
    assert values["grpc.enable_retries"] == 0
