"""The locustfile API and the runner that executes it: simulated users in gevent greenlets.

A process of its own, never beside grpc. Locustfiles reach it as `locust`; see `import_hook`.
"""

from __future__ import annotations

from importlib import metadata

try:
    __version__ = metadata.version("locust-grpc")
except metadata.PackageNotFoundError:
    __version__ = "0+unknown"
