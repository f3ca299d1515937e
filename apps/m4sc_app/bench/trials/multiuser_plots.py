"""Plots of what `m4sc bench multiuser` measured, and the numbers in them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m4sc_app.bench.trials.multiuser_trial import Figure

_COLOURS = ("#2f7fd6", "#d9772b", "#2a9d78", "#b0468a", "#8a7a2b")


@dataclass(frozen=True)
class Plot:
    """Names of the axes; whether they are logarithmic; a level to be marked, with its name."""

    x: str
    y: str
    log: bool = False
    level: float | None = None
    level_name: str = ""


PLOTS = {
    "users_air_time": Plot("users of one frame", "air time, ms", log=True),
    "users_cpu": Plot("users of one frame", "processor time a user, ms", log=True),
    "public_share": Plot("difference of the two pictures", "public share of two users' symbols"),
    "beside_others": Plot(
        "the user's own SNR, dB", "score in one frame over score alone", level=0.97, level_name="97 %"
    ),
}


def write_plots(figures: Sequence[Figure], folder: Path) -> list[Path]:
    """An SVG and a CSV of each plot that there are points of; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, plot in PLOTS.items():
        points = [figure for figure in figures if figure.plot == name and figure.series]
        if points:
            written += [folder / f"{name}.svg", folder / f"{name}.csv"]
            _draw(plot, points, written[-2])
            _write(points, written[-1])
    return written


def _write(points: Sequence[Figure], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["series", "x", "value", "unit", "low", "high"])
        for one in points:
            rows.writerow([one.series, one.x, one.value, one.unit, one.low, one.high])


def _draw(plot: Plot, points: Sequence[Figure], path: Path) -> None:
    from matplotlib.figure import Figure as Drawing
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    drawing = Drawing(figsize=(6.4, 3.6), layout="constrained")
    axis: Any = drawing.subplots()
    for k, series in enumerate(dict.fromkeys(one.series for one in points)):
        line = sorted((one for one in points if one.series == series), key=lambda one: one.x or 0.0)
        x, y = [one.x for one in line], [one.value for one in line]
        colour = _COLOURS[k % len(_COLOURS)]
        axis.plot(x, y, "o-", color=colour, label=series, markersize=4, linewidth=1.5)
        ends = [(one.x, one.low, one.high) for one in line if one.low is not None]
        if ends:
            axis.vlines(*zip(*ends, strict=True), color=colour, alpha=0.5)
    if plot.level is not None:
        axis.axhline(plot.level, color="#777777", linestyle=":", label=plot.level_name)
    if plot.log:
        axis.set(xscale="log", yscale="log")
        axis.set_xticks(sorted({one.x for one in points if one.x is not None}))
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        for one in (axis.xaxis, axis.yaxis):
            one.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_minor_formatter(NullFormatter())
    axis.set(xlabel=plot.x, ylabel=plot.y)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    drawing.savefig(path, format="svg", metadata={"Date": None})
