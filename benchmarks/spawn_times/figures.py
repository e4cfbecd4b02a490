"""Draws the figures in docs/figures from the rows beside them.

The only module that needs matplotlib (`pip install -e '.[bench]'`), and nothing imports it before a figure is
wanted. Colours are of middle brightness on a transparent ground, so that one file does for light and dark
pages; the same rows give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.spawn_times.lateness import NS_PER_MS
from benchmarks.spawn_times.mix import mix_errors
from benchmarks.spawn_times.record import Start
from benchmarks.spawn_times.results import as_arrival
from benchmarks.spawn_times.scenario import WEIGHTS

INK = "#808080"
COLOURS = {"ours": "#2a9d5c", "locust": "#d9822b"}
NAMES = {"ours": "locust-grpc", "locust": "Locust 2.47"}
SIZE_INCHES = (7.0, 3.4)

PROMISED_MS = 25.0
SMALLEST_SHOWN_MS = 0.5
"""Below it lies what the target's own stamp is worth."""


def draw(starts: Sequence[Start], folder: Path) -> list[Path]:
    """Write both figures into `folder`; returns their paths. Raises ImportError without matplotlib."""
    return [_draw_spawn_times(starts, folder), _draw_mix(starts, folder)]


def _draw_spawn_times(starts: Sequence[Start], folder: Path) -> Path:
    figure, axes = _new_figure()
    longest = 0.0
    for side, colour in COLOURS.items():
        errors = sorted(max(SMALLEST_SHOWN_MS, abs(each.error_ms)) for each in starts if each.side == side)
        shares = [100 * (index + 1) / len(errors) for index in range(len(errors))]
        axes.step(errors, shares, where="post", color=colour, linewidth=2, label=NAMES[side])
        longest = max(longest, *errors)
    axes.axvline(PROMISED_MS, color=INK, linestyle="--", linewidth=1)
    axes.axhline(95, color=INK, linestyle=":", linewidth=1)
    axes.text(PROMISED_MS * 1.08, 4, "25 ms", color=INK)
    axes.set_xscale("log")
    axes.set_xlim(SMALLEST_SHOWN_MS, 10 ** math.ceil(math.log10(longest)))
    axes.set_xticks([0.5, 1, 10, 100, 1000], ["0.5", "1", "10", "100", "1000"])
    axes.set_ylim(0, 101)
    axes.set_xlabel("distance from the due time, ms (as the target sees it)")
    axes.set_ylabel("users within, %")
    axes.set_title("10 workers, 2 users/s: when users start", color=INK)
    return _save(figure, axes, folder / "spawn-times.svg", legend_at="center right", columns=1)


def _draw_mix(starts: Sequence[Start], folder: Path) -> Path:
    figure, axes = _new_figure()
    for side, colour in COLOURS.items():
        first = [each for each in starts if each.side == side and each.round == 1]
        errors = mix_errors(map(as_arrival, first), WEIGHTS)
        axes.step(
            [each.at_ns / NS_PER_MS / 1000 for each in errors],
            [each.error_users for each in errors],
            where="post",
            color=colour,
            linewidth=1.4,
            label=NAMES[side],
        )
    axes.axhline(1, color=INK, linestyle="--", linewidth=1)
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend
    axes.set_xlim(left=0)
    axes.set_xlabel("time, s")
    axes.set_ylabel("users off the ideal share")
    axes.set_title("10 workers, weights 6:6:2: the class furthest from its share", color=INK)
    return _save(figure, axes, folder / "mix-error.svg", legend_at="upper right", columns=2)


def _new_figure() -> tuple[Any, Any]:
    import matplotlib
    from matplotlib.figure import Figure

    # Text stays text, and no random ids: a small file that changes only when the rows do.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "figures", "font.size": 10})
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.grid(color=INK, alpha=0.25, linewidth=0.6)
    axes.tick_params(colors=INK, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    return figure, axes


def _save(figure: Any, axes: Any, path: Path, *, legend_at: str, columns: int) -> Path:
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.legend(loc=legend_at, ncols=columns, frameon=False, labelcolor=INK)
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
    return path
