"""`m4sc bench summaries`: a text in one of its sentences, beside its first sentence at as many symbols."""

from __future__ import annotations

import json
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
    from m4sc.system import SemanticSystem

WAYS = ("gist", "first sentence")
_TASK = "summarize"


@dataclass(frozen=True)
class SummaryFigure:
    """Figures of one way.

    Attributes:
        way: of `WAYS`, or "shuffled": another text's summary.
        symbols: complex symbols a text, on average.
        similarity: of sentences, to a human sentence on the same picture that the text does not hold, with
            the half width of its 95 % interval over texts.
        bleu4: of all texts' words, of which the choice knows nothing.
        verified: share of answers that the receiver says are right to the letter.
        n: texts.
    """

    way: str
    symbols: float
    similarity: float
    interval: float
    bleu4: float
    verified: float
    n: int


def summaries(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.", file_okay=False)],
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "default",
    n: Annotated[int, typer.Option(min=1, help="Texts.")] = 200,
    symbols: Annotated[int, typer.Option(min=12, help="Complex symbols a text, at most.")] = 64,
    snr_db: Annotated[float, typer.Option(help="Es/N0 over AWGN, dB.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of texts and of the noise.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for the choice of targets.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Texts of several captions of one COCO picture; what is to be said is a caption that is not among them.

    Example: m4sc bench summaries --data DATA
    """
    import m4sc
    from m4sc.evaluate.catalogue import test_examples

    folder = cache or Path.home() / ".cache" / "m4sc" / "data"
    examples = test_examples(_TASK, data, n, cache_dir=folder, seed=seed)
    model = m4sc.load(weights)
    figures = []
    for way in WAYS:
        said = [
            _said(model, one, way, symbols, snr_db, [seed, number])
            for number, one in enumerate(track(examples, way, console=Console(stderr=True)))
        ]
        figures.append(_figure(way, said, examples))
        if way == "gist":
            other = said[len(said) // 2 :] + said[: len(said) // 2]
            figures.append(_figure("shuffled", other, examples))
    if as_json:
        typer.echo(json.dumps([asdict(figure) for figure in figures], indent=1))
        return
    table = Table(*SummaryFigure.__dataclass_fields__, title=f"Summaries at {snr_db:g} dB")
    for figure in figures:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in asdict(figure).values()))
    show(table)


def _said(
    model: SemanticSystem, example: Example, way: str, symbols: int, snr_db: float, seed: list[int]
) -> tuple[str, bool, int]:
    """The receiver's words, whether they are verified, and how many symbols crossed."""
    import numpy as np
    from m4sc.codecs.base import Budget
    from m4sc.codecs.gist import GistCodec
    from m4sc.evaluate.channels import transmit
    from m4sc.message import Message
    from m4sc.tasks import get_task

    codec, text, budget = model.codecs["gist"], str(example.load()), Budget(symbols)
    assert isinstance(codec, GistCodec)
    part = codec.choose(text, None, budget) if way == "gist" else codec.first(text, budget)
    payload = codec.words.encode(Message("text", part), get_task(_TASK), budget)
    y, noise_var = transmit(payload.symbols, "awgn", snr_db, np.random.default_rng(seed))
    answer = model.decode(y, noise_var, _TASK, example.instruction)
    return answer.text, bool(answer.verified), len(payload.symbols)


def _figure(way: str, said: list[tuple[str, bool, int]], examples: list[Example]) -> SummaryFigure:
    import numpy as np
    from m4sc.evaluate.metrics.captions import bleu4
    from m4sc.evaluate.metrics.similarity import default_minilm

    nearest = default_minilm().nearest
    near = np.array([nearest(text, one.answers) for (text, _, _), one in zip(said, examples, strict=True)])
    return SummaryFigure(
        way,
        float(np.mean([count for _, _, count in said])),
        float(near.mean()),
        float(1.96 * near.std(ddof=1) / len(near) ** 0.5) if len(near) > 1 else float("nan"),
        bleu4([text for text, _, _ in said], [one.answers for one in examples]),
        float(np.mean([sure for _, sure, _ in said])),
        len(said),
    )
