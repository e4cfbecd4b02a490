"""Why the master says no to a peer: one class for each thing that the peer can do about it.

The services map each to the status that the schema documents. Values that are off are a `UsageError`.
"""

from __future__ import annotations

from locust_protocol.process.errors import OperatorError


class Refused(OperatorError):
    """A peer asks for what cannot be in the present state."""


class TooMany(OperatorError):
    """There is no room for one more now; there may be later."""


class NotHere(OperatorError):
    """What was asked for does not exist."""


class NotOnGeneration(OperatorError):
    """The state changed since the wish was made."""
