"""`m4sc bench look`: what a second look is worth to a transmitter that knows the question."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from m4sc_app.errors import UserError

_TOKENS = 16  # of a picture


def look(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    symbols: Annotated[int, typer.Option(help="Complex symbols of a mosaic: 32, 64 or 128.")] = 32,
    snr: Annotated[str, typer.Option("--snr", help="Es/N0 in dB, with commas, AWGN.")] = "10,0",
    mosaics: Annotated[int, typer.Option(min=1, help="Of test pictures, 3 x 3.")] = 200,
    questions: Annotated[int, typer.Option(min=1, max=9, help="Of each mosaic.")] = 3,
    photographs: Annotated[
        int, typer.Option(min=0, help="Captions of one of four photographs; 0: none, 250: all.")
    ] = 0,
    wording: Annotated[str, typer.Option(help="seen or heldout instructions.")] = "seen",
    seeds: Annotated[str, typer.Option(help="Seeds of the noise, with commas.")] = "0",
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask "What is at the top left?" and the like of 3 x 3 mosaics, each sent in as many symbols.

    The light path sends the whole picture; a transmitter that is told the instruction looks where it points
    and sends that part; one that is told nonsense has nowhere to look. The receiver is the same.

    Example: m4sc bench look --data DATA --photographs 250
    """
    import m4sc
    from m4sc.evaluate.second_look import captions_of_four, measure_look, placed_questions

    try:
        snrs_db = [float(value) for value in snr.split(",")]
        noise_seeds = [int(value) for value in seeds.split(",")]
    except ValueError:
        raise UserError("--snr and --seeds take numbers with commas between them, such as 10,0") from None
    if wording not in ("seen", "heldout"):
        raise UserError(f"--wording {wording!r} is unknown; use seen or heldout")
    if symbols not in (2 * _TOKENS, 4 * _TOKENS, 8 * _TOKENS):
        raise UserError(f"a mosaic takes 32, 64 or 128 symbols, not {symbols}")
    sets = {"mosaics": (placed_questions(data, mosaics, questions, wording), {"rate": symbols // _TOKENS})}
    if photographs:
        sets["captions"] = captions_of_four(data, photographs, wording), {"symbols": symbols}
    model, found = m4sc.load(weights), {}
    for name, (examples, budget) in sets.items():
        say = partial(_say, name)
        found[name] = measure_look(model, examples, budget, snrs_db, noise_seeds, say)
    if as_json:
        told = {name: [asdict(row) for row in rows] for name, rows in found.items()}
        typer.echo(json.dumps({"symbols": symbols, "wording": wording, **told}, indent=1))
        return
    for name, rows in found.items():
        for row in rows:
            more = "" if row.path == rows[0].path else "; {:+.3f} ({:+.3f} to {:+.3f})".format(*row.gain)
            typer.echo(
                f"{name}, {row.path:21s} {symbols} symbols {row.snr_db:5.1f} dB: {row.score:.3f} "
                f"({row.low:.3f} to {row.high:.3f}) of {row.n}{more}"
            )


def _say(name: str, path: str, snr_db: float) -> None:
    typer.echo(f"{name}: {path}, {snr_db:g} dB", err=True)
