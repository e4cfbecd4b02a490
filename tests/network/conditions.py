"""What the tests here need beyond a machine, as marks."""

from __future__ import annotations

import os

import pytest

from tests.support.netns import why_not

needs_network = pytest.mark.skipif(bool(why_not()), reason=why_not() or "hosts of their own")

slow = pytest.mark.skipif(
    os.environ.get("SLOW_TESTS") != "1", reason="takes a minute: SLOW_TESTS=1 pytest tests/network"
)
