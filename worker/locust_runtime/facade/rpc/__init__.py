"""`locust.rpc`: custom messages. There is no socket behind it: a runner's link carries them."""

from locust_runtime import messages as protocol
from locust_runtime.messages import Message

__all__ = ["Message", "protocol"]
