"""Score against SNR as inline SVG whose lines and letters take the page's colour."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

_INK = "#010203"  # replaced by currentColor
_COLOURS = ("#2f7fd6", "#d9772b", "#2a9d78", "#9b5fc0", "#c0504d", "#7a8793")


def score_chart(rows: Sequence[dict[str, Any]], prefix: str) -> str:
    """One curve with its interval for each system, channel and metric.

    Args:
        rows: of one task, with ``system, channel, metric, snr_db, score`` and perhaps ``ci_low, ci_high``.
        prefix: of the SVG's ids, which must differ within a page.

    Returns:
        One line of SVG.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    FigureCanvasSVG(figure)
    axis = figure.subplots()
    curves: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: float(row["snr_db"])):
        curves.setdefault(f"{row['system']}, {row['channel']}, {row['metric']}", []).append(row)
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        x = [float(row["snr_db"]) for row in curve]
        axis.plot(x, [float(row["score"]) for row in curve], "o-", color=colour, label=name, markersize=5)
        if all("ci_low" in row and "ci_high" in row for row in curve):
            low, high = ([float(row[key]) for row in curve] for key in ("ci_low", "ci_high"))
            axis.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.set(xlabel="SNR (Es/N0 per data subcarrier), dB", ylabel="score, lost = 0")
    axis.set_ylim(-0.03, max(1.03, 1.05 * max(float(row["score"]) for row in rows)))
    axis.grid(alpha=0.25)
    legend = axis.legend(frameon=False, fontsize=8)
    figure.patch.set_alpha(0)
    axis.patch.set_alpha(0)
    axis.tick_params(colors=_INK, labelsize=8)
    for spine in axis.spines.values():
        spine.set_color(_INK)
    for text in (axis.xaxis.label, axis.yaxis.label, *legend.get_texts()):
        text.set_color(_INK)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _inline(buffer.getvalue(), prefix)


def _inline(svg: str, prefix: str) -> str:
    """An SVG file's text as one line of HTML: no prologue, ids of its own, the page's ink."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    return " ".join(svg.replace(_INK, "currentColor").split())
