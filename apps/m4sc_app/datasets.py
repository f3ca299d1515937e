"""`m4sc data`: what the data sets hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from m4sc_app.errors import UserError

data_app = typer.Typer(no_args_is_help=True, help="Look at the data sets.")


@data_app.callback()
def _root() -> None:
    """Commands on the data sets."""


@data_app.command()
def leaks(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Count what stands in a training split and in a tested one, across all sets; 1 if any is not stated.

    Example: m4sc data leaks --data DATA
    """
    from m4sc.data.leaks import find_leaks

    found, missing = find_leaks(data) if data.is_dir() else ([], [])
    if not found:
        raise UserError(f"{data} holds no two sets to compare; docs/concepts/training.md names them")
    shared = [leak for leak in found if leak.shared]
    unstated = int(any(not leak.stated for leak in shared))
    if json_:
        told = [asdict(leak) for leak in shared]
        typer.echo(json.dumps({"compared": len(found), "missing": missing, "leaks": told}))
        return unstated
    for leak in shared:
        typer.echo(
            f"{leak.kind}: {leak.shared} of {leak.entries} of {leak.tested} (test) in {leak.trained} "
            f"(training): {leak.stated or 'NOT STATED'}"
        )
    typer.echo(f"{len(found)} pairs of sets compared, {len(found) - len(shared)} share nothing")
    for text in missing:
        typer.echo(f"left out: {text}", err=True)
    return unstated
