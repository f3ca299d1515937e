"""`m4sc sweep`: systems x tasks x channels x SNR, resumed after an interruption."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from m4sc_app.errors import UserError


def commit_of_code() -> str:
    """The commit that runs, with "+" where files were changed; the version where there is no repository."""
    here = Path(__file__).resolve().parent
    try:
        told = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        from m4sc_app.report.versions import own_version

        return own_version()
    return told.stdout.strip()


def sweep_command(
    config: Annotated[Path, typer.Argument(help="YAML file of systems, tasks and channels.")],
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    out: Annotated[Path, typer.Option(help="Folder of the rows; an earlier sweep there goes on.")],
    workers: Annotated[
        int, typer.Option(min=0, help="Processes, each with a model; 0: in this process.")
    ] = 1,
    cache: Annotated[Path | None, typer.Option(help="Folder for spoken sentences.")] = None,
) -> None:
    """Measure every point of a sweep; rows are appended to OUT/rows.jsonl as they come."""
    from m4sc.evaluate.sweep.config import load_config
    from m4sc.evaluate.sweep.ground import Place
    from m4sc.evaluate.sweep.run import ROWS, run_sweep

    if not config.is_file():
        raise UserError(f"there is no file {config}")
    sweep = load_config(config)
    if not data.is_dir():
        raise UserError(f"there is no folder {data}; docs/concepts/training.md tells how to obtain the data")
    done = total = 0
    place = Place(data, cache or Path.home() / ".cache" / "m4sc" / "data")
    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("measuring", total=None)
        for done, total, what in run_sweep(
            sweep, out, place, workers=workers, about={"commit": commit_of_code()}
        ):
            bar.update(job, completed=done, total=total, description=what)
    typer.echo(f"{total} points in {out / ROWS}")
