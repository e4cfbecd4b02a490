"""`locust.dispatch`: importable, since scripts subclass what is in it; it places no users."""

from __future__ import annotations

from typing import Any, NoReturn

from locust_runtime.exceptions import LocustError


class UsersDispatcher:
    """Cannot be made: raises LocustError."""

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise LocustError("users are placed by the master; a dispatcher of one's own is not supported")
