"""The one `Events` object of a process: a locustfile adds listeners to it, its Environment fires it."""

from __future__ import annotations

from locust_runtime.events import Events

events = Events()
