"""`m4sc eval`: the evaluation of the semantic or the classical system over test splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from m4sc_app.tables import show


def _fail(sentence: str) -> typer.Exit:
    Console(stderr=True).print(sentence, style="red", highlight=False, soft_wrap=True)
    return typer.Exit(2)


def eval_command(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    tasks: Annotated[str, typer.Option(help="Comma-separated tasks.")] = "classify,mosaic,digits,text",
    snr: Annotated[str, typer.Option(help="Comma-separated Es/N0 in dB.")] = "0,10,20",
    channels: Annotated[
        str,
        typer.Option(
            help="Comma-separated: awgn, rayleigh, tdl-a to tdl-e; beside another transmitter, through the "
            "whole receiver: cw (a carrier as strong as the burst), pulse (one OFDM symbol in ten, +10 dB), "
            "sweep."
        ),
    ] = "awgn",
    n: Annotated[int, typer.Option(min=1, help="Examples a task.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of examples.")] = 0,
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds of the channels' noise.")] = "0",
    system: Annotated[str, typer.Option(help="semantic or classical.")] = "semantic",
    reference: Annotated[
        str | None,
        typer.Option(help="probe: also a linear probe on the frozen features of classify's pictures."),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Features that `m4sc train features` kept, for the probe.")
    ] = None,
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "default",
    wording: Annotated[str, typer.Option(help="seen or heldout instructions.")] = "seen",
    look: Annotated[
        bool,
        typer.Option("--look", help="The transmitter is told each question on a picture, and looks there."),
    ] = False,
    kind: Annotated[
        str, typer.Option(help="Payload of the semantic system: analog, qam or digital.")
    ] = "analog",
    qam_order: Annotated[int, typer.Option(help="Points of the grid for qam.")] = 256,
    levels: Annotated[int, typer.Option(help="Levels a real for digital, 2 to 256.")] = 16,
    results: Annotated[Path | None, typer.Option(help="JSON-lines file to write and to resume from.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for spoken sentences.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
) -> None:
    """Measure task scores against SNR; SNR is Es/N0 per data symbol, a lost message scores zero."""
    try:
        snrs = [float(item) for item in snr.split(",")]
    except ValueError as error:
        raise _fail(f"--snr takes numbers with commas between them, such as 0,10,20; got {snr!r}") from error
    try:
        noise_seeds = [int(item) for item in seeds.split(",")]
    except ValueError as error:
        raise _fail(
            f"--seeds takes whole numbers with commas between them, such as 0,1,2; got {seeds!r}"
        ) from error
    if reference not in (None, "probe"):
        raise _fail(f"--reference {reference!r} is unknown; use probe")
    if system not in ("semantic", "classical"):
        raise _fail(f"--system {system!r} is unknown; use semantic or classical")
    if look and system != "semantic":
        raise _fail("--look is for the semantic system")
    import m4sc
    from m4sc.codecs.classical import ClassicalCodec
    from m4sc.evaluate.catalogue import test_examples
    from m4sc.evaluate.harness import run
    from m4sc.evaluate.systems import Classical, Semantic
    from m4sc.phy.modulation.payload import PayloadFormat

    if not hasattr(m4sc, "load"):
        raise _fail("this version of m4sc has no trained model to evaluate")
    try:
        folder = cache or Path.home() / ".cache" / "m4sc" / "data"
        sets = {
            task: test_examples(task, data, n, cache_dir=folder, wording=wording, seed=seed)
            for task in tasks.split(",")
        }
        model = m4sc.load(weights)
        names = channels.split(",")
        config: dict[str, object] = {"weights": weights, "fingerprint": int(model.fingerprint)}
        if look:
            config["look"] = True
        payload = PayloadFormat(kind, qam_order, levels)
        if kind != "analog":
            config["payload"] = f"{kind}-{qam_order if kind == 'qam' else levels}"
        with Progress(console=Console(stderr=True)) as bar:
            job = bar.add_task("evaluating", total=len(sets) * len(names) * len(snrs))
            rows = list(
                run(
                    Semantic(model, payload, look=look)
                    if system == "semantic"
                    else Classical(ClassicalCodec(model.read)),
                    sets,
                    channels=names,
                    snrs_db=snrs,
                    seeds=noise_seeds,
                    config=config,
                    results=results,
                    progress=lambda what: bar.update(job, advance=1, description=what),
                )
            )
        if reference == "probe" and "classify" in sets:
            from m4sc.evaluate.probe import probe_row

            rows.append(probe_row(sets["classify"], model, data, folder, features))
    except (ValueError, FileNotFoundError) as error:
        raise _fail(str(error)) from error
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(title="Score against Es/N0 per data symbol; lost messages score zero")
    columns = (
        "task",
        "kind",
        "channel",
        "snr_db",
        "symbols",
        "metric",
        "score",
        "ci_low",
        "ci_high",
        "no_channel_ratio",
        "blind_score",
        "n",
    )
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{row[c]:.3f}" if isinstance(row[c], float) else str(row[c]) for c in columns))
    show(table)
