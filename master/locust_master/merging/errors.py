"""What is wrong with a report that cannot be counted. Pure."""

from __future__ import annotations


class MalformedReport(ValueError):
    """A report breaks the rules of the schema, so its sender is broken; the text says which rule."""


class UnknownContribution(Exception):
    """A snapshot cannot replace what its worker contributed, since that is not known any more."""
