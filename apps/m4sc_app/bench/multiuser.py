"""`m4sc bench multiuser`: several users in one frame against each served alone."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from m4sc_app.tables import show

_DEFAULT = "questions,tasks,crops,cutouts,rooms,unrelated,views,differences,sizes,layouts,hidden"


def multiuser(
    data: Annotated[Path, typer.Option("--data", help="Folder with the data sets.", file_okay=False)],
    sets: Annotated[
        str,
        typer.Option(
            help="With commas: questions about one mosaic, tasks on one photograph, crops of a "
            "mosaic, cutouts of a photograph, rooms, unrelated photographs, views, differences "
            "(of pictures, and what is public), sizes, layouts, hidden (what an attacker without the key "
            "learns), aside (captions beside questions' public symbols); tolerances: what the tolerance "
            "was chosen by."
        ),
    ] = _DEFAULT,
    n: Annotated[int, typer.Option(min=1, help="Sessions of a set at most.")] = 200,
    seeds: Annotated[str, typer.Option(help="Of the noise, with commas.")] = "0,1,2",
    tolerance: Annotated[
        float | None,
        typer.Option(help="How far a public token may be from a user's own; below 0 shares nothing."),
    ] = None,
    aside: Annotated[
        bool,
        typer.Option(help="Captions' receivers learn from questions' public symbols on the same picture."),
    ] = True,
    model: Annotated[str, typer.Option(help="Name of a trained model, or its folder.")] = "default",
    results: Annotated[
        Path | None, typer.Option(help="JSON-lines file; each set is added when it is done.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for plots (SVG) and the numbers in them (CSV).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Air time, symbols and scores of 4 users in one frame, each through noise of its own, and of more users.

    Example: m4sc bench multiuser --data DATA --sets questions --n 200 --json
    """
    from m4sc.sharing.aside import shipped_aside
    from m4sc.sharing.group import SharingConfig

    from m4sc_app.bench.trials.multiuser_catalogue import SETS
    from m4sc_app.bench.trials.multiuser_plots import write_plots
    from m4sc_app.bench.trials.multiuser_trial import Trial
    from m4sc_app.errors import UserError
    from m4sc_app.loading import load_model

    chosen = [name.strip() for name in sets.split(",")]
    unknown = [name for name in chosen if name not in SETS]
    if unknown:
        raise UserError(f"--sets has no '{unknown[0]}'; there are {', '.join(SETS)}")
    try:
        noise = [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise UserError(f"--seeds takes whole numbers with commas; got '{seeds}'") from None
    config = SharingConfig() if tolerance is None else SharingConfig(tolerance)
    system = load_model(model)
    beside = shipped_aside() if aside else None

    def progress(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    trial = Trial(system, data, n, noise, config, progress, beside)
    figures = []
    for name in chosen:
        found = SETS[name](trial)
        figures += found
        if results is not None:  # a long run may be cut off
            with results.open("a", encoding="utf-8") as out:
                out.writelines(json.dumps({"set": name, **asdict(figure)}) + "\n" for figure in found)
    if plots is not None:
        write_plots(figures, plots)
    if as_json:
        about = {
            "model": model,
            "fingerprint": f"{system.fingerprint:08x}",
            "n": n,
            "seeds": noise,
            "tolerance": config.tolerance,
            "aside": beside is not None,
        }
        typer.echo(json.dumps({"config": about, "figures": [asdict(figure) for figure in figures]}, indent=1))
        return
    table = Table("figure", "value", "unit", "detail", title="Several users in one frame")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:.3f}", figure.unit, figure.detail)
    show(table)
