"""`m4sc bench header-code`: the header's polar code beside an LDPC code of the same length."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc_app.bench.trials.header_codes import Losses

_FIRST_BELOW_DB = 4.0  # below the SNR from which a protection is chosen
_STEP_DB = 0.5
_RATES = (0.01, 0.001)
_COLOURS = {"polar": "#2f7fd6", "ldpc": "#d9772b", "ldpc_crc16": "#b0b0b0"}


def header_code(
    blocks: Annotated[int, typer.Option(min=100, help="Headers sent at an SNR, at most.")] = 50_000,
    errors: Annotated[int, typer.Option(min=1, help="Lost headers that end an SNR.")] = 100,
    plot: Annotated[Path | None, typer.Option(help="SVG of the curves to write.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of bytes and noise.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure what share of the headers each code loses in AWGN, by protection, with everything else known.

    Example: m4sc bench header-code --blocks 2000 --json
    """
    from m4sc.phy.header.protection import PROTECTIONS
    from m4sc.phy.waveform import WaveformConfig
    from rich.console import Console
    from rich.table import Table

    from m4sc_app.bench.trials.header_codes import falling_curve, header_codecs
    from m4sc_app.report.versions import versions

    console, curves, figures = (
        Console(stderr=True),
        dict[tuple[str, str], list[Any]](),
        list[dict[str, Any]](),
    )
    for protection in PROTECTIONS:
        for name, codec in header_codecs(protection, WaveformConfig()).items():
            console.print(f"{protection.name}, {name}", highlight=False)
            started, begun = time.perf_counter(), protection.snr_db - _FIRST_BELOW_DB
            curve = falling_curve(codec, begun, _STEP_DB, _RATES[-1], errors, blocks, seed)
            seconds = time.perf_counter() - started
            curves[protection.name, name] = curve
            figures += _figures(protection.name, name, curve, seconds)
    if plot is not None:
        draw(curves, plot)
    if as_json:
        config = {"blocks": blocks, "errors": errors, "seed": seed, "load": round(os.getloadavg()[0], 1)}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    table = Table("figure", "Es/N0 dB", "detail", title="Least SNR of the header's code alone, AWGN")
    for figure in figures:
        table.add_row(str(figure["name"]), f"{figure['value']:.2f}", str(figure["detail"]))
    show(table)


def _figures(protection: str, name: str, curve: list[Losses], seconds: float) -> list[dict[str, Any]]:
    from m4sc_app.bench.trials.header_codes import snr_at

    silent, sent = sum(point.silent for point in curve), sum(point.sent for point in curve)
    points = ", ".join(f"{point.snr_db:g} dB {point.rate:.2g}" for point in curve)
    detail = f"{silent} of {sent} read wrongly unnoticed; {1e6 * seconds / sent:.0f} us a header; {points}"
    return [
        {
            "name": f"{protection}_{name}_{100 * rate:g}_pct_snr_db",
            "value": snr_at(curve, rate),
            "unit": "dB",
            "detail": detail,
        }
        for rate in _RATES
    ]


def draw(curves: dict[tuple[str, str], list[Losses]], path: Path) -> None:
    """Share lost against Es/N0: an SVG with a panel for each protection."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(protection for protection, _ in curves))
    figure = Figure(figsize=(2.6 * len(names), 3.0), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, protection in zip(axes, names, strict=True):
        for (owner, name), curve in curves.items():
            if owner == protection:
                shown = [point for point in curve if point.lost]
                x, y = [point.snr_db for point in shown], [point.rate for point in shown]
                axis.semilogy(x, y, "o-", color=_COLOURS[name], label=name.replace("_", ", "), markersize=3)
        axis.set(title=protection, xlabel="Es/N0, dB", ylim=(7e-4, 1.1))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("headers lost")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None})
