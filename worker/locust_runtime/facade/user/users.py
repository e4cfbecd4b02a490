"""`locust.user.users`: all kinds of users in one place."""

from locust_runtime.http.rest import RestMixin
from locust_runtime.http.users import HttpUser
from locust_runtime.users import User, UserMeta

__all__ = ["HttpUser", "RestMixin", "User", "UserMeta"]
