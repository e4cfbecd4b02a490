"""Version of the software, as peers and people see it."""

from __future__ import annotations

from importlib import metadata

try:
    SOFTWARE_VERSION = metadata.version("locust-grpc")
except metadata.PackageNotFoundError:
    SOFTWARE_VERSION = "0+unknown"
