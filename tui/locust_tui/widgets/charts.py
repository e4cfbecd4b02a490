"""Charts on one time axis, drawn with plotext; only those that can be seen are drawn."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.events import Resize
from textual.widgets import Static
from textual_plotext import PlotextPlot

from locust_tui import formats
from locust_tui.model import Picture
from locust_tui.view.charts import charts
from locust_tui.view.shapes import Chart, Piece, Tone
from locust_tui.widgets.tones import colour_of, content_of

CELLS_PER_TICK = 16
"""Cells between two labels of the time axis, so that they never touch."""


class ChartPlot(PlotextPlot):
    """Draws the curves of one chart."""

    def show(self, chart: Chart) -> None:
        """Draws `chart` in place of what is drawn."""
        plot = self.plt
        colours = self.app.theme_variables
        plot.clear_figure()
        plot.frame(False)
        seconds = [second for curve in chart.curves for second in curve.seconds]
        if seconds:
            for mark in chart.marks:
                plot.vline(mark, color="gray")
            for curve in chart.curves:
                if not curve.seconds:
                    continue
                colour = Color.parse(colour_of(curve.tone, colours)).rgb
                plot.plot(list(curve.seconds), list(curve.values), marker="braille", color=colour)
            self._set_axes(min(seconds), max(seconds), chart)
        self.refresh()

    def _set_axes(self, first: float, last: float, chart: Chart) -> None:
        plot = self.plt
        last = max(last, first + 1)
        plot.xlim(first, last)
        parts = max(1, self.size.width // CELLS_PER_TICK)
        ticks = sorted({float(round(first + (last - first) * part / parts)) for part in range(parts + 1)})
        plot.xticks(ticks, [formats.duration(1_000 * tick)[-8:].removeprefix("00:") for tick in ticks])
        highest = max((value for curve in chart.curves for value in curve.values), default=0.0)
        top = _round_up(highest)
        plot.ylim(0, top)
        heights = [0.0, top / 2, top] if self.size.height >= 5 else [0.0, top]
        plot.yticks(heights, [formats.fit(_tick_text(height), 6, right=True) for height in heights])


class ChartPanel(Vertical):
    """One chart under its title, which is the legend too."""

    def compose(self) -> ComposeResult:
        yield Static("", classes="chart-title", markup=False)
        yield ChartPlot()

    def show(self, chart: Chart) -> None:
        """Shows `chart`; the legend gives the newest values."""
        legend: list[Piece] = [Piece(f"{chart.title}", Tone.STRONG)]
        for curve in chart.curves:
            newest = _tick_text(curve.values[-1]) if curve.values else formats.NO_VALUE
            legend += [Piece(f"   ━ {curve.label} ", curve.tone), Piece(newest)]
        self.query_one(".chart-title", Static).update(content_of(tuple(legend)))
        self.query_one(ChartPlot).show(chart)


class ChartColumn(Vertical):
    """The three charts, one above the other."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._picture = Picture()

    def compose(self) -> ComposeResult:
        for _ in range(3):
            yield ChartPanel()

    def draw(self, picture: Picture) -> None:
        """Draws `picture`, when anybody can see it."""
        self._picture = picture
        if not self.is_mounted or not self.size.width:
            return
        shown = charts(picture, max_points=2 * self.size.width)
        for panel, chart in zip(self.query(ChartPanel), shown, strict=True):
            panel.show(chart)

    def on_resize(self, _event: Resize) -> None:
        self.call_after_refresh(self.draw, self._picture)


def _round_up(value: float) -> float:
    """The next number of the form 1, 2, 2.5, 5 × 10ⁿ, so that the axis moves seldom."""
    if value <= 1:
        return 1.0
    step = 10.0 ** (len(str(int(value))) - 1)
    return next(step * factor for factor in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * factor >= value)


def _tick_text(value: float) -> str:
    return formats.count(round(value), width=6) if value >= 10 or value == 0 else f"{value:.1f}"
