"""Labels that a worker gives itself, by which the master knows something about it."""

from __future__ import annotations

EMBEDDED_LABEL = "locust.embedded"
"""The worker was started by its master and ends with it."""
