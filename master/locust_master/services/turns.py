"""Lets work that comes in bursts take turns with everything else on the loop.

asyncio runs all that is ready before it looks at its clock again, so a hundred messages that come together
keep timers, acknowledgements and commands waiting until the last of them is done.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType


class Turns:
    """`async with turns:` around each piece of work: pieces run in the order in which they came.

    After `longest_s` seconds of them the loop goes once around before the next one.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._lock = asyncio.Lock()
        self._spent_s = 0.0
        self._started_s = 0.0

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        self._started_s = time.perf_counter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._spent_s += time.perf_counter() - self._started_s
            if self._spent_s > self._longest_s:
                self._spent_s = 0.0
                await asyncio.sleep(0)
        finally:
            self._lock.release()
