"""`m4sc bench separation`: is the source codec with LDPC and QAM as good as published ones?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def separation(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    n: Annotated[int, typer.Option(min=1, help="Test pictures of CIFAR-10 in the tiled one.")] = 256,
    form: Annotated[str, typer.Option(help="jpeg, webp, avif or heic (H.265, as BPG).")] = "heic",
    chroma: Annotated[int, typer.Option(help="Of H.265: 444, or 420 with colour at half the width.")] = 444,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")] = False,
) -> None:
    """Send tiled CIFAR-10 pictures at the CBRs and SNRs of published figures.

    Example: m4sc bench separation --data DATA
    """
    import numpy as np
    from m4sc.data.cifar10 import load_cifar10
    from m4sc.evaluate.separation import PUBLISHED_DB, Tiled

    from m4sc_app.report.versions import versions

    tiled = Tiled(load_cifar10(data, "test").images[:n], form, chroma)
    figures = []
    for (cbr_inverse, snr_db), published in PUBLISHED_DB.items():
        sent = tiled.send(cbr_inverse, snr_db, np.random.default_rng([seed, cbr_inverse, int(snr_db)]))
        detail = (
            f"published BPG {published:g}; {len(tiled.pictures)} pictures, {sent.n_bytes} bytes, scheme "
            f"{sent.mcs}, {sent.symbols} of {sent.allowed} symbols{', lost' if sent.lost else ''}"
        )
        name = f"psnr_cbr_1_{cbr_inverse}_at_{snr_db:g}_db"
        figures.append({"name": name, "value": sent.psnr_db, "unit": "dB", "detail": detail})
        if not as_json:
            typer.echo(f"{name}: {sent.psnr_db:.2f} dB ({detail})")
    if as_json:
        config = {"n": len(tiled.pictures), "form": form, "chroma": chroma, "seed": seed}
        typer.echo(json.dumps({"config": config, "versions": versions(), "figures": figures}, indent=1))
