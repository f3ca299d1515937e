"""Figures of a sweep's rows, each as SVG and PDF with the CSV of what is drawn."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
COLUMNS = (
    "task", "kind", "metric", "channel", "snr_db", "through", "system", "codec", "chosen", "score",
    "ci_low", "ci_high",
    "no_channel_score", "blind_score", "shuffled_score", "air_time_ms", "symbols", "post_equaliser_snr_db",
    "frames", "frames_lost", "lost", "n", "messages", "draw_seed", "seeds", "weights", "weights_hash",
    "config_hash", "commit", "snr_definition",
)  # fmt: skip
_COLOURS = (
    "#2f6fb5", "#d9772b", "#2a9d78", "#b0468a", "#8a7a2b", "#6a51a3", "#c43c39", "#3aa6c9", "#7f7f7f",
    "#5b8c2a",
)  # fmt: skip
_MARKERS = "osD^vPX<>*"
_LEGEND_IN = 1.9  # room for the names of the systems
_X_SNR = "Es/N0 per data subcarrier, dB"


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """The rows' columns that a table takes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def points_of(rows: Iterable[Row]) -> list[tuple[str, float]]:
    """Channels and SNRs, in order."""
    return sorted(dict.fromkeys((str(row["channel"]), float(row["snr_db"])) for row in rows))


def draw_task(rows: Sequence[Row], target: Path, task: str, metric: str) -> dict[str, str]:
    """All figures of a task's own measure; returns what each shows by its name in `target`."""
    score, style = f"{task}: {metric}", _styles(_names(rows))
    found = {
        f"{task}-air-time": "Score against air time",
        f"{task}-snr": "Score against SNR",
    }
    by_point = _panels(rows, points_of(rows))
    _draw(by_point, target / f"{task}-air-time", "air_time_ms", "air time of a message, ms", score, style)
    channels = list(dict.fromkeys(str(row["channel"]) for row in rows))
    by_channel = [(name, [row for row in rows if row["channel"] == name]) for name in channels]
    _draw(by_channel, target / f"{task}-snr", "snr_db", _X_SNR, score, style, lines=True)
    rated = [row for row in rows if float(row["symbols"]) > 0]
    if len({round(float(row["symbols"])) for row in rated}) > 1:
        panels = _panels(rated, points_of(rated))
        _draw(
            panels,
            target / f"{task}-rate",
            "symbols",
            "complex symbols of a message",
            score,
            style,
            family=True,
        )
        found[f"{task}-rate"] = "Rate and distortion: score against symbols; one codec's rates are joined"
    sloped = [
        (name, steep)
        for name, own in by_channel
        if (steep := [row for row in own if float(row["no_channel_score"] or 0) > 0 and row["frames"]])
        and len({row["snr_db"] for row in steep}) > 1
    ]
    if sloped:
        _draw_cliff(sloped, target / f"{task}-cliff", score, style)
        found[f"{task}-cliff"] = "Cliff and grace: score over that without a channel, and messages lost"
    return found


def draw_lines(rows: Sequence[Row], path: Path, y: str, name_of: Callable[[Row], str]) -> None:
    """Lines of scores against SNR, a panel a channel; `name_of` a row is its line."""
    named = [{**row, "system": name_of(row)} for row in rows]
    channels = list(dict.fromkeys(str(row["channel"]) for row in named))
    panels = [(name, [row for row in named if row["channel"] == name]) for name in channels]
    _draw(panels, path, "snr_db", _X_SNR, y, _styles(_names(named)), lines=True)


def draw_users(points: Sequence[Row], path: Path) -> None:
    """Score in one frame over score alone against each user's own SNR, of `m4sc bench multiuser`."""
    figure, axes = _figure(1, 5.0)
    (axis,) = axes
    names = list(dict.fromkeys(str(one["series"]) for one in points))
    style = _styles(names)
    for name in names:
        line = sorted((one for one in points if one["series"] == name), key=lambda one: float(one["x"]))
        x = [one["x"] for one in line]
        axis.plot(x, [one["value"] for one in line], label=name, **style[name])
        known = [one for one in line if one["low"] is not None]
        axis.vlines(
            [one["x"] for one in known], [one["low"] for one in known], [one["high"] for one in known],
            color=style[name]["color"], alpha=0.5,
        )  # fmt: skip
    axis.axhline(1.0, color="#999999", lw=0.8, ls=":")
    axis.set(
        xlabel="the user's own Es/N0 per data subcarrier, dB", ylabel="score in one frame over score alone"
    )
    _finish(figure, axes, names, style, path)
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, ("series", "x", "value", "low", "high", "unit", "detail"), extrasaction="ignore"
        )
        writer.writeheader()
        writer.writerows(points)


def _panels(rows: Sequence[Row], points: Sequence[tuple[str, float]]) -> list[tuple[str, list[Row]]]:
    return [
        (
            f"{channel}, {snr_db:g} dB",
            [row for row in rows if (row["channel"], row["snr_db"]) == (channel, snr_db)],
        )
        for channel, snr_db in points
    ]


def _draw(
    panels: Sequence[tuple[str, list[Row]]],
    path: Path,
    x: str,
    x_label: str,
    y_label: str,
    style: dict[str, Row],
    *,
    lines: bool = False,
    family: bool = False,
) -> None:
    """Scores with their intervals; what takes no air time is a level. lines: join a system's points; family:
    those of one codec.
    """
    figure, axes = _figure(len(panels))
    names = _names([row for _, rows in panels for row in rows])
    for axis, (title, rows) in zip(axes, panels, strict=True):
        for name in names:
            own = sorted((row for row in rows if row["system"] == name), key=lambda row: float(row[x]))
            if own and x == "air_time_ms" and not own[0][x]:
                axis.axhline(own[0]["score"], color=style[name]["color"], lw=1, ls=":")
                continue
            for row in own:
                _error_bar(axis, float(row[x]), row, style[name])
            if lines:
                axis.plot([r[x] for r in own], [r["score"] for r in own], color=style[name]["color"], lw=1.2)
        if family:
            _join_families(axis, rows, x, style)
        axis.set(title=title, xlabel=x_label)
        if lines:
            _decibels(axis, [float(row[x]) for row in rows])
        else:
            _logarithmic(axis, [float(row[x]) for row in rows if float(row[x]) > 0])
    axes[0].set_ylabel(y_label)
    _finish(figure, axes, names, style, path)
    write_csv([row for _, rows in panels for row in rows], path.with_suffix(".csv"))


def _join_families(axis: Any, rows: Sequence[Row], x: str, style: dict[str, Row]) -> None:
    for codec in dict.fromkeys(str(row.get("codec")) for row in rows):
        own = sorted((row for row in rows if row.get("codec") == codec), key=lambda row: float(row[x]))
        if len(own) > 1:
            colour = style[str(own[0]["system"])]["color"]
            axis.plot([r[x] for r in own], [r["score"] for r in own], color=colour, lw=0.8, ls="--", zorder=1)


def _draw_cliff(
    panels: Sequence[tuple[str, list[Row]]], path: Path, y_label: str, style: dict[str, Row]
) -> None:
    """Above the score over that without a channel, below the share of messages that are lost."""
    figure, axes = _figure(len(panels), height=4.8, rows=2)
    above, below = axes[: len(panels)], axes[len(panels) :]
    names = _names([row for _, rows in panels for row in rows])
    for up, down, (title, rows) in zip(above, below, panels, strict=True):
        for name in names:
            own = sorted((row for row in rows if row["system"] == name), key=lambda row: float(row["snr_db"]))
            snrs = [row["snr_db"] for row in own]
            up.plot(snrs, [row["score"] / row["no_channel_score"] for row in own], **style[name])
            lost = [row["lost"] / max(1, row["n"] * len(row["seeds"] or [0])) for row in own]
            down.plot(snrs, lost, **style[name])
        up.axhline(1.0, color="#999999", lw=0.8, ls=":")
        up.set_title(title)
        up.set_ylim(0, 1.05 * max(1.0, *(row["score"] / row["no_channel_score"] for row in rows)))
        down.set(xlabel=_X_SNR, ylim=(-0.03, 1.03))
    above[0].set_ylabel(f"{y_label},\nover that without a channel")
    below[0].set_ylabel("messages lost")
    _finish(figure, axes, names, style, path)
    write_csv([row for _, rows in panels for row in rows], path.with_suffix(".csv"))


def _styles(names: Sequence[str]) -> dict[str, Row]:
    return {
        name: {
            "color": _COLOURS[i % len(_COLOURS)],
            "marker": _MARKERS[(i + i // len(_COLOURS)) % len(_MARKERS)],
            "ms": 4.5,
            "lw": 1.2,
        }
        for i, name in enumerate(names)
    }


def _names(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["system"]) for row in rows))


def _decibels(axis: Any, values: Sequence[float]) -> None:
    """An axis of SNRs that a single one does not stretch."""
    from matplotlib.ticker import MaxNLocator

    axis.set_xlim(min(values) - 1, max(values) + 1)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))


def _logarithmic(axis: Any, values: Sequence[float]) -> None:
    """A logarithmic axis with plain numbers, where the values span enough for one."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if not values or max(values) < 3 * min(values):
        return
    axis.set_xscale("log")
    axis.set_xlim(min(values) / 1.3, max(values) * 1.3)
    axis.xaxis.set_major_locator(
        LogLocator(subs=(1.0, 2.0, 5.0) if max(values) < 200 * min(values) else (1.0,))
    )
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _error_bar(axis: Any, x: float, row: Row, style: Row) -> None:
    reach = [[max(0.0, row["score"] - row["ci_low"])], [max(0.0, row["ci_high"] - row["score"])]]
    axis.errorbar(x, row["score"], reach, capsize=2, elinewidth=0.8, **{**style, "lw": 0})


def _figure(columns: int, width: float = 3.1, height: float = 3.3, rows: int = 1) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns + _LEGEND_IN, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharey="row", sharex="col" if rows > 1 else False, squeeze=False)
    return figure, list(axes.reshape(-1))


def _finish(
    figure: Any, axes: Sequence[Any], names: Sequence[str], style: dict[str, Row], path: Path
) -> None:
    from matplotlib.lines import Line2D

    for axis in axes:
        axis.grid(alpha=0.25, lw=0.6)
        axis.tick_params(labelsize=8)
        axis.title.set_fontsize(9)
        axis.xaxis.label.set_fontsize(8.5)
        axis.yaxis.label.set_fontsize(8.5)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    handles = [Line2D([], [], label=name, **style[name]) for name in names]
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=7.5)
    for suffix in (".svg", ".pdf"):
        metadata = {"Date": None} if suffix == ".svg" else {"CreationDate": None}
        figure.savefig(path.with_suffix(suffix), metadata=metadata)
