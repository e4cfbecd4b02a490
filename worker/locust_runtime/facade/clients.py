"""`locust.clients`: the client of HttpUser."""

from locust_runtime.http.adapter import LocustHttpAdapter
from locust_runtime.http.response import ResponseContextManager, RestResponseContextManager
from locust_runtime.http.session import HttpSession

__all__ = ["HttpSession", "LocustHttpAdapter", "ResponseContextManager", "RestResponseContextManager"]
