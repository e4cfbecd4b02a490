"""FastHttpUser, and the names that locustfiles import from `locust.contrib.fasthttp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from gevent import ssl
from geventhttpclient.client import HTTPClientPool

from locust_runtime.http.agent import LocustUserAgent
from locust_runtime.http.base_url import required_host
from locust_runtime.http.fast_errors import FAILURES, LocustBadStatusCode
from locust_runtime.http.fast_response import (
    ErrorResponse,
    FastRequest,
    FastResponse,
    ResponseContextManager,
    RestResponseContextManager,
)
from locust_runtime.http.fast_session import FastHttpSession
from locust_runtime.http.rest import RestMixin
from locust_runtime.http.tls import insecure_ssl_context_factory
from locust_runtime.users import User

if TYPE_CHECKING:
    from locust_runtime.environment import Environment

__all__ = [
    "FAILURE_EXCEPTIONS",
    "ErrorResponse",
    "FastHttpSession",
    "FastHttpUser",
    "FastRequest",
    "FastResponse",
    "LocustBadStatusCode",
    "LocustUserAgent",
    "ResponseContextManager",
    "RestResponseContextManager",
    "insecure_ssl_context_factory",
]

FAILURE_EXCEPTIONS = FAILURES


class FastHttpUser(User, RestMixin[RestResponseContextManager]):
    """A user whose `client` makes requests at a fraction of HttpUser's cost, with nearly its API.

    Needs a `host`; raises MissingHostError (a LocustError that ends the test) without one. The attributes
    are read when a user starts.
    """

    abstract: ClassVar[bool] = True

    network_timeout: float = 60.0
    """Seconds that a connection may be silent while a request is sent or an answer awaited."""

    connection_timeout: float = 60.0
    """Seconds that connecting may take, per address."""

    max_redirects: int = 30
    """How many redirects one request follows before it fails."""

    max_retries: int = 0
    """How often a request that timed out is sent again, where its method allows that."""

    insecure: bool = True
    """Check no certificate."""

    default_headers: dict[str, str] | None = None
    """Fields of every request."""

    concurrency: int = 10
    """Connections per host that a user may have open at once; matters when it starts greenlets of its own."""

    proxy_host: str | None = None
    """Send everything through this proxy: plain HTTP as it is, HTTPS through a tunnel."""

    proxy_port: int | None = None
    """The proxy's port; needed with `proxy_host`."""

    client_pool: HTTPClientPool | None = None
    """Connections shared by all users of the class; with it the pool's own timeouts and settings count."""

    ssl_context_factory: Callable[..., ssl.SSLContext] | None = None
    """Makes the TLS context, for example with a client certificate; called once per host and user."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client: FastHttpSession = FastHttpSession(
            base_url=required_host(self.host, user_class=type(self)),
            request_event=self.environment.events.request,
            user=self,
            insecure=self.insecure,
            client_pool=self.client_pool,
            ssl_context_factory=self.ssl_context_factory,
            network_timeout=self.network_timeout,
            connection_timeout=self.connection_timeout,
            max_redirects=self.max_redirects,
            max_retries=self.max_retries,
            concurrency=self.concurrency,
            headers=self.default_headers,
            proxy_host=self.proxy_host,
            proxy_port=self.proxy_port,
        )
