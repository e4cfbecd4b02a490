"""Negotiation: the highest common version, or a sentence that names both ranges and who is to upgrade."""

from __future__ import annotations

import pytest

from locust_protocol.process.errors import OperatorError
from locust_protocol.versions import OUR_RANGE, IncompatibleProtocol, ProtocolRange, negotiate


@pytest.mark.parametrize(
    ("mine", "theirs", "version"),
    [
        (ProtocolRange(1, 1), ProtocolRange(1, 1), 1),
        (ProtocolRange(1, 3), ProtocolRange(2, 5), 3),
        (ProtocolRange(2, 5), ProtocolRange(1, 3), 3),
        (ProtocolRange(1, 2), ProtocolRange(2, 3), 2),
        (ProtocolRange(1, 9), ProtocolRange(4, 4), 4),
    ],
)
def test_negotiation_takes_the_highest_common_version(
    mine: ProtocolRange, theirs: ProtocolRange, version: int
) -> None:
    """Both sides get all that both of them know."""
    assert negotiate(mine, theirs) == version


@pytest.mark.parametrize(
    ("mine", "theirs", "parts"),
    [
        (ProtocolRange(2, 3), ProtocolRange(1, 1), ("2 to 3", "speaks 1", "upgrade", "side of the worker")),
        (ProtocolRange(1, 1), ProtocolRange(2, 3), ("2 to 3", "speaks 1", "upgrade", "side of this master")),
        (ProtocolRange(1, 1), ProtocolRange(0, 0), ("no valid protocol range",)),
        (ProtocolRange(1, 1), ProtocolRange(3, 2), ("no valid protocol range",)),
    ],
)
def test_negotiation_names_both_ranges_and_the_side_to_upgrade(
    mine: ProtocolRange, theirs: ProtocolRange, parts: tuple[str, ...]
) -> None:
    """The person who reads it has both machines before them and must know which one to touch."""
    with pytest.raises(IncompatibleProtocol) as refusal:
        negotiate(mine, theirs)

    assert isinstance(refusal.value, OperatorError)
    for part in parts:
        assert part in str(refusal.value)


def test_a_release_speaks_with_itself() -> None:
    """The least that a range must do."""
    assert negotiate(OUR_RANGE, OUR_RANGE) == OUR_RANGE.max
