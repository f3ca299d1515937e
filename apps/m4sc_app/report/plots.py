"""The report's figures as inline SVG whose text follows the page's colour."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

COLOURS = {"semantic": "#2f7fd6", "classical": "#d9772b"}
_INK = "#010203"  # replaced by currentColor


def air_time_bars(air_s: Mapping[str, float]) -> str:
    """Mean air time of a message, by system; air_s: in s."""
    figure, (axis,) = _figure(1, 6.4, 1.5)
    names = list(air_s)
    values = [1e3 * air_s[name] for name in names]
    bars = axis.barh(names, values, color=[COLOURS.get(name, "#777777") for name in names], height=0.6)
    for text in axis.bar_label(bars, fmt=" %.2f ms"):
        text.set_color(_INK)
        text.set_fontsize(9)
    axis.invert_yaxis()
    axis.set(xlabel="air time of a message at equal score, ms", xlim=(0, 1.25 * max(values)))
    return _svg(figure, "air")


def score_against_snr(rows: Sequence[Any], curves: Sequence[dict[str, Any]] = ()) -> str:
    """Mean score of the run's messages at each SNR, over the test set's curves with 95 % intervals.

    Args:
        rows: of this run (:class:`m4sc_app.demo.link.DemoRow`).
        curves: rows of a test-set evaluation with ``system, task, channel, snr_db, score, ci_low, ci_high``.
    """
    channels = sorted({row.channel for row in rows}) or ["awgn"]
    figure, axes = _figure(len(channels), 4.2, 3.1, sharey=True)
    for axis, channel in zip(axes, channels, strict=True):
        measured = comparable([c for c in curves if c["channel"] == channel])
        for system, colour in COLOURS.items():
            _curve(axis, [c for c in measured if c["system"] == system], colour, system)
            points: dict[float, list[float]] = defaultdict(list)
            for row in rows:
                if row.system == system and row.channel == channel:
                    points[row.snr_db].append(row.score)
            if points:
                x = sorted(points)
                y = [float(np.mean(points[v])) for v in x]
                label = f"{system}, this run"
                axis.plot(x, y, "o-", color=colour, label=label, markersize=6, linewidth=1.6)
        axis.set(title=channel, xlabel="SNR (Es/N0 per data subcarrier), dB", ylim=(-0.03, 1.03))
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("mean score, lost = 0")
    shown = {
        name: line for axis in axes for line, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    columns = min(len(shown), 2 * len(axes))
    figure.legend(
        shown.values(), shown.keys(), frameon=False, loc="outside lower center", ncols=columns, fontsize=8
    )
    return _svg(figure, "score")


def comparable(curves: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of those tasks that every system has at every SNR, so that each mean is over the same tasks.

    Of a task that is measured in several ways, the first.
    """
    whole = [c for c in curves if c.get("kind", "all") == "all"]
    own: dict[Any, Any] = {}
    for row in whole:
        own.setdefault(row.get("task"), row.get("metric"))
    whole = [c for c in whole if c.get("metric") == own[c.get("task")]]
    points = {(c["system"], c["snr_db"]) for c in whole}
    tasks = {c.get("task") for c in whole}
    common = {t for t in tasks if points == {(c["system"], c["snr_db"]) for c in whole if c.get("task") == t}}
    return [c for c in whole if c.get("task") in common]


def constellation(symbols: np.ndarray, system: str, prefix: str) -> str:
    """Equalised data symbols, at most 700 of them. Args: symbols complex64 (k,)."""
    step = max(1, -(-symbols.size // 700))
    shown = symbols[::step]
    shown = shown[np.isfinite(shown)]
    figure, (axis,) = _figure(1, 2.5, 2.5)
    axis.plot(shown.real, shown.imag, ".", markersize=3, alpha=0.55, color=COLOURS.get(system, "#777777"))
    limit = max(1.5, min(4.0, float(np.quantile(np.abs(shown), 0.99)) * 1.1)) if shown.size else 1.5
    axis.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axis.set(xlabel="in phase, of unit mean power", ylabel="quadrature")
    axis.grid(alpha=0.25)
    return _svg(figure, prefix)


def channel_response(h_hat: np.ndarray, carriers_hz: np.ndarray, prefix: str) -> str:
    """Magnitude of the channel estimate, complex64 (carriers,), over the carriers' frequencies, Hz."""
    figure, (axis,) = _figure(1, 3.6, 2.5)
    magnitude_db = 20 * np.log10(np.maximum(np.abs(h_hat), 1e-6))
    axis.plot(carriers_hz / 1e3, magnitude_db, color="#2a9d78", linewidth=1.8)
    axis.set(xlabel="frequency from the carrier, kHz", ylabel="channel |H|, dB")
    axis.grid(alpha=0.25)
    return _svg(figure, prefix)


def _curve(axis: Any, curve: list[dict[str, Any]], colour: str, system: str) -> None:
    by_snr: dict[float, list[dict[str, Any]]] = defaultdict(list)
    for row in curve:
        by_snr[float(row["snr_db"])].append(row)
    x = sorted(by_snr)
    if not x:
        return
    mean = {
        key: [float(np.mean([r[key] for r in by_snr[v]])) for v in x]
        for key in ("score", "ci_low", "ci_high")
    }
    axis.plot(x, mean["score"], "--", color=colour, label=f"{system}, test set", linewidth=1.2, alpha=0.8)
    interval = f"{system}, 95 % interval"
    axis.fill_between(
        x, mean["ci_low"], mean["ci_high"], color=colour, label=interval, alpha=0.15, linewidth=0
    )


def _figure(columns: int, width: float, height: float, **options: Any) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = list(np.atleast_1d(figure.subplots(1, columns, **options)))
    figure.patch.set_alpha(0)
    for axis in axes:
        axis.patch.set_alpha(0)
        axis.tick_params(colors=_INK, labelsize=8)
        for spine in axis.spines.values():
            spine.set_color(_INK)
        for item in (axis.title, axis.xaxis.label, axis.yaxis.label):
            item.set_color(_INK)
            item.set_fontsize(9)
    return figure, axes


def _svg(figure: Any, prefix: str) -> str:
    import matplotlib

    for legend in figure.legends:
        for text in legend.get_texts():
            text.set_color(_INK)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    return svg.replace(_INK, "currentColor").replace("<svg ", '<svg aria-hidden="true" ', 1)
