"""What a person would read on the screen: the rendered text, line by line."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App
from textual.pilot import Pilot

from tests.support.wait import wait_until_async

DEADLINE_S = 40.0


def screen_lines(app: App[None]) -> list[str]:
    """Lines of the top screen; a dialog's lines do not show what is beneath it."""
    screen = app.screen
    strips = screen._compositor.render_strips(screen.size)
    return [strip.text for strip in strips]


def screen_text(app: App[None]) -> str:
    return "\n".join(line.rstrip() for line in screen_lines(app))


async def wait_for_text(pilot: Pilot[None], *texts: str) -> str:
    """Waits until all `texts` stand on the screen, whose parts draw in turn; returns all of it."""
    return await wait_for_screen(pilot, lambda shown: all(text in shown for text in texts), str(texts))


async def wait_for_screen(pilot: Pilot[None], is_right: Callable[[str], bool], awaited: str) -> str:
    """Waits until the screen is right; fails with what stood there last."""
    last = ""

    async def look() -> bool:
        nonlocal last
        await pilot.pause()
        last = screen_text(pilot.app)
        return is_right(last)

    await wait_until_async(look, deadline_s=DEADLINE_S, describe=lambda: f"{awaited}; the screen:\n{last}")
    return last
