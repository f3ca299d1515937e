"""`m4sc bench papr`: peak power of each payload kind, and what an amplifier does to it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from m4sc_app.tables import show


def papr(
    rows: Annotated[int, typer.Option(min=2000, help="OFDM symbols of a kind.")] = 100_000,
    backoff_db: Annotated[float, typer.Option(help="Input back-off of the Rapp amplifier.")] = 6.0,
    smoothness: Annotated[float, typer.Option(min=0.5, help="Rapp's p.")] = 3.0,
    seed: Annotated[int, typer.Option(min=0, help="Of symbols.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure the peak-to-average power that one in a thousand OFDM symbols exceeds, for each precoder.

    Example: m4sc bench papr --json
    """
    from rich.table import Table

    from m4sc_app.report.versions import versions

    figures = measure(rows, backoff_db, smoothness, seed)
    if as_json:
        config = {"rows": rows, "backoff_db": backoff_db, "smoothness": smoothness, "seed": seed}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    table = Table("figure", "dB", "detail", title="Peak-to-average power, and EVM through the amplifier")
    for figure in figures:
        table.add_row(str(figure["name"]), f"{figure['value']:.2f}", str(figure["detail"]))
    show(table)


def measure(rows: int, backoff_db: float, smoothness: float, seed: int) -> list[dict[str, Any]]:
    """Figures of every payload kind and precoder."""
    from m4sc.phy.modulation.precoder import PRECODERS
    from m4sc.phy.waveform import WaveformConfig

    from m4sc_app.bench.trials import peak_power

    waveform, figures = WaveformConfig(), []
    for kind in peak_power.KINDS:
        for precoder in PRECODERS:
            ending = "" if precoder == "none" else f"_{precoder}"
            level = peak_power.kind_papr_db(kind, precoder, rows, waveform, seed)
            detail = f"precoder {precoder}; exceeded by 1e-3 of {rows} OFDM symbols, oversampled 4 times"
            figures.append(_figure(f"papr_{kind}{ending}_db", level, detail))
            evm = peak_power.amplifier_evm_db(
                kind, precoder, backoff_db, smoothness, min(rows, 4000), waveform, seed
            )
            detail = f"precoder {precoder}; Rapp p = {smoothness:g}, {backoff_db:g} dB input back-off"
            figures.append(_figure(f"evm_{kind}{ending}_db", evm, detail))
    level = peak_power.preamble_papr_db(waveform)
    figures.append(
        _figure("papr_preamble_db", level, "the higher of both sync words, over the payload's mean")
    )
    level = peak_power.header_papr_db(200, waveform, seed)
    figures.append(_figure("papr_header_db", level, "exceeded by 1e-3 of the symbols of 200 headers"))
    return figures


def _figure(name: str, value: float, detail: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 3), "unit": "dB", "detail": detail}
