"""A counter that says that something changed, and lets any number of readers wait for it."""

from __future__ import annotations

import asyncio


class Revision:
    """Grows with every change; a reader that was slow sees only that there was one."""

    def __init__(self) -> None:
        self.value = 0
        self._changed = asyncio.Event()

    def bump(self) -> None:
        """Notes a change."""
        self.value += 1
        self._changed.set()

    async def wait_after(self, seen: int) -> int:
        """Waits until the counter is above `seen` and returns it."""
        while self.value <= seen:
            self._changed.clear()
            await self._changed.wait()
        return self.value
