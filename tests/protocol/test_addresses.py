"""Addresses as both ends write them."""

from __future__ import annotations

import pytest

from locust_protocol.addresses import join_address


@pytest.mark.parametrize(
    ("host", "address"), [("10.0.0.1", "10.0.0.1:5"), ("::1", "[::1]:5"), ("[::1]", "[::1]:5")]
)
def test_address_has_brackets_around_ipv6(host: str, address: str) -> None:
    """As in a URL."""
    assert join_address(host, 5) == address
