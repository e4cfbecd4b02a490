"""`locust.contrib`: clients of other kinds."""

from locust_runtime.http import fast_user as fasthttp

__all__ = ["fasthttp"]
