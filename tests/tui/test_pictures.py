"""What each screen looks like, as text: small, large, empty, degraded, disconnected.

The pictures stand in `pictures/`; UPDATE_PICTURES=1 draws them anew, to be looked at before they are
committed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from locust_protocol.v1.snapshot_pb2 import RunState, Snapshot, Warning, WarningKind
from locust_tui import connection
from locust_tui.app import LocustTui
from tests.tui.builders import manifest, ready_snapshot, running_snapshot
from tests.tui.fake_master import FakeMaster
from tests.tui.rendered import screen_text, wait_for_screen, wait_for_text

PICTURES = Path(__file__).parent / "pictures"
SMALL, LARGE = (80, 24), (160, 48)


@dataclass(frozen=True, slots=True)
class Scene:
    """What to draw: the picture is drawn once `awaited` stands on the screen."""

    name: str
    snapshot: Snapshot
    awaited: str
    size: tuple[int, int] = SMALL
    keys: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.name}-{self.size[0]}x{self.size[1]}"


def degraded_snapshot() -> Snapshot:
    snapshot = running_snapshot()
    snapshot.warnings.extend(
        [
            Warning(
                kind=WarningKind.WARNING_KIND_INSECURE, text="anybody on the network can control this master"
            ),
            Warning(kind=WarningKind.WARNING_KIND_DEGRADED, text="worker host-3 lost, its share moved"),
            Warning(kind=WarningKind.WARNING_KIND_GENERATOR_BOUND, text="host-2/1 lag p99 48 ms"),
        ]
    )
    return snapshot


def empty_snapshot() -> Snapshot:
    snapshot = running_snapshot(elapsed_s=0)
    for rows in (snapshot.series, snapshot.errors, snapshot.exceptions, snapshot.events):
        del rows[:]
    snapshot.ClearField("total")
    snapshot.run.state, snapshot.run.users = RunState.RUN_STATE_SPAWNING, 0
    return snapshot


SCENES = (
    Scene("start", ready_snapshot(), "Enter starts"),
    Scene("start-without-workers", ready_snapshot(with_workers=False), "no worker is connected"),
    Scene("run", running_snapshot(), "GET /search"),
    Scene("run", running_snapshot(), "all 120 users run", LARGE),
    Scene("empty", empty_snapshot(), "no requests yet"),
    Scene("degraded", degraded_snapshot(), "DEGRADED"),
    Scene("charts", running_snapshot(), "Response time, ms", keys=("2",)),
    Scene("charts", running_snapshot(), "Response time, ms", LARGE, ("2",)),
    Scene("failures", running_snapshot(), "timed out", keys=("3",)),
    Scene("exceptions", running_snapshot(), "KeyError", keys=("4",)),
    Scene("workers", running_snapshot(), "runners", keys=("5",)),
    Scene("workers", running_snapshot(), "10.0.0.5:51234", LARGE, ("5",)),
    Scene("events", degraded_snapshot(), "INSECURE  ", keys=("6",)),
    Scene("edit", running_snapshot(), "120 users, as now", keys=("e",)),
    Scene("stop", running_snapshot(), "Stop 120 users", keys=("x",)),
    Scene("help", running_snapshot(), "start the statistics anew", keys=("question_mark",)),
)


def pictured(name: str, drawn: str) -> str:
    """Returns the picture of that name; makes it of what is drawn when pictures are to be drawn anew."""
    path = PICTURES / f"{name}.txt"
    if os.environ.get("UPDATE_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        path.write_text(drawn + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8")


def level(screen: str) -> str:
    """The line under the tabs without the ends of its mark: Textual leaves them a cell off where a tab became
    narrower and the layout came late."""
    return screen.translate({ord("╸"): "━", ord("╺"): "━"})


@pytest.mark.parametrize("scene", SCENES, ids=str)
async def test_screen_looks_as_pictured(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the look is seen and meant."""
    monkeypatch.setattr(connection, "SILENT_AFTER_S", 3_600.0)
    monkeypatch.setattr("locust_tui.client.CALL_DEADLINE_S", 60.0)
    async with FakeMaster(scene.snapshot, manifest()) as master:
        app = LocustTui(master.target)
        async with app.run_test(size=scene.size) as pilot:
            if scene.keys:
                await wait_for_text(pilot, "GET /search")
                await pilot.press(*scene.keys)
            await wait_for_text(pilot, scene.awaited)
            await pilot.pause()

            def shown(screen: str) -> str:
                return screen.replace(str(master.port), "PORT ") + "\n"

            # Widgets draw one after the other: the picture is what the screen comes to.
            picture = pictured(str(scene), shown(screen_text(app)).removesuffix("\n"))
            await wait_for_screen(
                pilot, lambda screen: level(shown(screen)) == level(picture), f"picture {scene}:\n{picture}"
            )


async def test_disconnected_screen_looks_as_pictured() -> None:
    """The sentence with the remedy; the seconds go on."""
    async with LocustTui("127.0.0.1:1").run_test(size=SMALL) as pilot:
        drawn = await wait_for_text(pilot, "connection refused", "q Leave")
        picture = pictured("disconnected-80x24", without_seconds(drawn).removesuffix("\n"))
        await wait_for_screen(
            pilot, lambda screen: without_seconds(screen) == picture, f"the picture:\n{picture}"
        )


def without_seconds(screen: str) -> str:
    return re.sub(r"\d+ s\b", "N s", screen) + "\n"
