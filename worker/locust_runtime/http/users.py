"""HttpUser: a simulated user with a `requests.Session` as its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from urllib3 import PoolManager

from locust_runtime.http.base_url import required_host
from locust_runtime.http.response import RestResponseContextManager
from locust_runtime.http.rest import RestMixin
from locust_runtime.http.session import HttpSession
from locust_runtime.users import User

if TYPE_CHECKING:
    from locust_runtime.environment import Environment


class HttpUser(User, RestMixin[RestResponseContextManager]):
    """A user whose `client` has the API of requests, keeps cookies, and reports what it sends.

    Needs a `host`; raises MissingHostError (a LocustError that ends the test) without one.
    """

    abstract: ClassVar[bool] = True

    pool_manager: PoolManager | None = None
    """Connections shared by all users of the class; each user has its own pool when None."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client: HttpSession = HttpSession(
            base_url=required_host(self.host, user_class=type(self)),
            request_event=self.environment.events.request,
            user=self,
            pool_manager=self.pool_manager,
        )
