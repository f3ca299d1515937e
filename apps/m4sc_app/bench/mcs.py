"""`m4sc bench mcs`: the SNR that each modulation and coding scheme needs in AWGN."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from m4sc_app.tables import show


def mcs(
    n_bytes: Annotated[int, typer.Option("--bytes", min=1, help="Bytes of a transport block.")] = 256,
    blocks: Annotated[int, typer.Option(min=10, help="Blocks a point.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of bytes and noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Measure the least Es/N0 at which at most 1 % of the blocks are lost, for each scheme.

    Example: m4sc bench mcs --blocks 200 --json
    """
    from m4sc.phy.modulation.mcs import MCS_TABLE
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from m4sc_app.bench.trials.bler import required_snr_db
    from m4sc_app.report.versions import versions

    figures = []
    for scheme in track(MCS_TABLE, "schemes", console=Console(stderr=True)):
        figures.append(
            {
                "name": f"mcs_{scheme.index}_snr_db",
                "value": required_snr_db(scheme.index, n_bytes, blocks, seed=seed),
                "unit": "dB",
                "detail": f"{2**scheme.bits_per_symbol} points, rate {scheme.rate:.3f}; "
                f"the table says {scheme.required_snr_db(n_bytes):.1f} for {n_bytes} bytes",
            }
        )
    if as_json:
        config = {"bytes": n_bytes, "blocks": blocks, "seed": seed, "target_bler": 0.01}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
        return
    table = Table(
        "figure", "Es/N0 dB", "scheme", title=f"Least SNR for 1 % block errors in AWGN, {n_bytes} bytes"
    )
    for figure in figures:
        table.add_row(str(figure["name"]), f"{figure['value']:.1f}", str(figure["detail"]))
    show(table)
