"""`locust.util`: the little that scripts import from it."""

from locust_protocol.process import timespan

__all__ = ["timespan"]
