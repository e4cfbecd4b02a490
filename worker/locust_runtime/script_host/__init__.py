"""The script host: the locustfile loaded beside the master, in a process of its own."""

from locust_runtime.script_host.host import run

__all__ = ["run"]
