"""`m4sc bench asking`: what it is worth that a receiver who is not sure asks for more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc.data.example import Example
    from m4sc.evaluate.asking import AskedDelivery, AskedLink, Plan


@dataclass(frozen=True)
class AskingFigure:
    """Figures of one plan at one point.

    Attributes:
        task, channel, snr_db: of the point; dB.
        plan: when a message is sent again.
        metric: of the task.
        score, ci_low, ci_high: with its 95 % interval over messages.
        air_time_ms: of a message, all of its copies.
        requests_ms: air time of the requests for them, were each a frame.
        copies: of a message, on average.
        lost: messages of which nothing was heard.
        n: examples.
    """

    task: str
    channel: str
    snr_db: float
    plan: str
    metric: str
    score: float
    ci_low: float
    ci_high: float
    air_time_ms: float
    requests_ms: float
    copies: float
    lost: int
    n: int


def asking(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.", file_okay=False)],
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "default",
    tasks: Annotated[str, typer.Option(help="Tasks, with commas.")] = "classify,vqa,caption,sound",
    channel: Annotated[str, typer.Option(help="Each frame meets a draw of its own.")] = "rayleigh",
    snr: Annotated[str, typer.Option("--snr", help="Mean Es/N0 in dB, with commas.")] = "10,5",
    n: Annotated[int, typer.Option(min=1, help="Examples of each task's test split.")] = 200,
    symbols: Annotated[
        int | None, typer.Option(min=8, help="Of a first copy.", show_default="the task's")
    ] = None,
    below: Annotated[str, typer.Option(help="Confidences to ask below, with commas.")] = "0.5,0.7,0.9",
    enough: Annotated[float, typer.Option(help="Es/N0 in dB from which nothing is asked.")] = 3.0,
    copies: Annotated[int, typer.Option(min=2, max=255, help="Of a message at most.")] = 4,
    protection: Annotated[int, typer.Option(min=0, help="Number of the headers' protection.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of examples and channels.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for what examples are made from.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Messages over a fading channel: sent once, always twice or more, or again where the receiver asks.

    Frames are samples, through the receiver that a radio has; a request counts as a frame on the air.

    Example: m4sc bench asking --data DATA --tasks vqa --snr 5
    """
    from m4sc.evaluate.asking import AskedLink, Fading, Plan
    from m4sc.evaluate.catalogue import test_examples
    from m4sc.pretrained.cache import cache_home
    from m4sc.system import load

    system, folder = load(weights), cache or cache_home()
    plans = [Plan("once", None, 1), Plan("always twice", None, 2), Plan(f"always {copies}", None, copies)]
    plans += [
        Plan(f"asked below {float(level):g}", float(level), copies, enough) for level in below.split(",")
    ]
    found: list[AskingFigure] = []
    for task in tasks.split(","):
        examples = test_examples(task, data, n, cache_dir=folder, seed=seed)
        for snr_db in map(float, snr.split(",")):
            link = AskedLink(system, Fading(channel, snr_db, protection=protection), symbols)
            found += [_figure(link, examples, plan, seed) for plan in plans]
    if as_json:
        typer.echo(json.dumps([asdict(figure) for figure in found], indent=1))
        return
    show(_table(found))


def _figure(link: AskedLink, examples: Sequence[Example], plan: Plan, seed: int) -> AskingFigure:
    """One plan at one point."""
    import numpy as np
    from m4sc.evaluate.harness import point_rngs
    from m4sc.evaluate.measures import measures_of
    from m4sc.evaluate.metrics.bootstrap import crossed_interval

    fading, task = link.fading, examples[0].task
    rngs = point_rngs(seed, len(examples), fading.channel, fading.snr_db)
    what = f"{task}, {fading.snr_db:g} dB, {plan.name}"
    pairs = track(list(zip(examples, rngs, strict=True)), what, console=Console(stderr=True), transient=True)
    sent: list[AskedDelivery] = [link.send(example, plan, rng) for example, rng in pairs]
    measured = measures_of(task)[0]
    values = measured.each([one.delivery.said for one in sent], examples)[None]
    low, high = crossed_interval(
        values, measured.figure, [example.media_id for example in examples], seed=seed
    )
    return AskingFigure(
        task,
        fading.channel,
        fading.snr_db,
        plan.name,
        measured.name,
        float(measured.figure(values.mean((0, 1)))),
        low,
        high,
        float(1e3 * np.mean([one.delivery.air_time_s for one in sent])),
        float(1e3 * np.mean([one.requests_s for one in sent])),
        float(np.mean([one.copies for one in sent])),
        sum(one.delivery.said is None for one in sent),
        len(examples),
    )


def _table(figures: Sequence[AskingFigure]) -> Table:
    """As it is shown."""
    columns = ("task", "dB", "plan", "metric", "score", "air ms", "requests ms", "copies", "lost", "n")
    table = Table(*columns, title=f"More on request, {figures[0].channel}")
    for one in figures:
        score = f"{one.score:.3f} ({one.ci_low:.3f} to {one.ci_high:.3f})"
        cells = (
            f"{one.air_time_ms:.2f}",
            f"{one.requests_ms:.2f}",
            f"{one.copies:.2f}",
            str(one.lost),
            str(one.n),
        )
        table.add_row(one.task, f"{one.snr_db:g}", one.plan, one.metric, score, *cells)
    return table
