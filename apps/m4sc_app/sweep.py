"""`m4sc sweep`: systems x tasks x channels x SNR, resumed after an interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from m4sc_app.errors import MissingPartError, UserError


def sweep_command(
    config: Annotated[Path, typer.Argument(help="YAML file of systems, tasks and channels.")],
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    out: Annotated[Path, typer.Option(help="Folder of the rows; an earlier sweep there goes on.")],
    workers: Annotated[
        int, typer.Option(min=0, help="Processes of this machine, each with a model; 0: in this one.")
    ] = 1,
    scheduler: Annotated[
        str, typer.Option(help="Address of a Dask scheduler whose workers measure, such as tcp://host:8786.")
    ] = "",
    patience: Annotated[
        float, typer.Option(min=0, help="How long a scheduler that is away is waited for, s.")
    ] = 300.0,
    through: Annotated[
        str | None,
        typer.Option(
            help="How messages cross: symbols (alone), samples (of frames, through the whole receiver), link "
            "(frames, estimating receiver, in torch) or radio (the flowgraph of GNU Radio). Else the file's, "
            "or symbols."
        ),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for spoken sentences.")] = None,
) -> None:
    """Measure every point of a sweep; its rows are on the disk as they come, as Parquet in OUT/rows.

    Killed at any moment, the same command goes on; nothing is measured twice.

    Examples: m4sc sweep results/sweep.yaml --data DATA --out runs/sweep --workers 2
    and, with 'dask scheduler' and 'dask worker' on machines that have the data under the same path,
    m4sc sweep results/sweep.yaml --data DATA --out runs/sweep --scheduler tcp://host:8786
    """
    from m4sc.evaluate.sweep.config import load_config
    from m4sc.evaluate.sweep.ground import Place
    from m4sc.evaluate.sweep.measured import measure_one
    from m4sc.evaluate.sweep.run import run_sweep
    from m4sc.evaluate.sweep.store import FOLDER
    from m4sc.evaluate.sweep.workers import Workers
    from m4sc.evaluate.ways import RADIO, THROUGH

    from m4sc_app.link_run import need_gnuradio
    from m4sc_app.sweep_radio import measure_over_radio

    if not config.is_file():
        raise UserError(f"there is no file {config}")
    sweep = load_config(config)
    if through is not None:
        if through not in THROUGH:
            raise UserError(f"--through {through} is unknown; use {', '.join(THROUGH)}")
        sweep = replace(sweep, through=through)
    measure = measure_one
    if sweep.through == RADIO:
        need_gnuradio()
        measure = measure_over_radio
    if not data.is_dir():
        raise UserError(
            f"there is no folder {data}; 'm4sc data sets' tells what it holds and how to obtain it"
        )
    _require_extra()
    total = 0
    place = Place(data.resolve(), (cache or Path.home() / ".cache" / "m4sc" / "data").resolve())
    columns = (
        *Progress.get_default_columns()[:-1],
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        job = bar.add_task("measuring", total=None)
        spread = Workers(workers, scheduler, patience) if workers or scheduler else None
        steps = run_sweep(sweep, out, place, workers=spread, measure_point=measure, tell=bar.console.print)
        for done, total, what in steps:
            bar.update(job, completed=done, total=total, description=what)
    typer.echo(f"{total} points in {out / FOLDER}")


def _require_extra() -> None:
    """Raise MissingPartError where the packages of sweeps are not installed."""
    try:
        import distributed  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as exc:
        raise MissingPartError(f"sweeps need more packages ({exc}): pip install 'm4sc[sweep]'") from exc
