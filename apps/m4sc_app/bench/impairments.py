"""`m4sc bench impairments`: what it is worth that a channel codec meets interference while it trains."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc.space.channel_codec import SpaceCodec
    from torch import Tensor


@dataclass(frozen=True)
class ImpairmentFigure:
    """Figures of one codec under one impairment of every message.

    Attributes:
        trained: share of messages that met an impairment while it learned.
        under: which impairment, or "none".
        snr_db: Es/N0 of AWGN, dB.
        symbols: of a sentence.
        cosine: of the received point with the sent one, mean, with the half width of its 95 % interval.
        found: share of sentences whose received point is nearest to their own among all.
        n: sentences.
    """

    trained: float
    under: str
    snr_db: float
    symbols: int
    cosine: float
    interval: float
    found: float
    n: int


def impairments(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.", file_okay=False)],
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Of impaired messages in training.")] = 0.2,
    n: Annotated[int, typer.Option(min=50, help="Sentences that nothing was learned from.")] = 1000,
    train: Annotated[int, typer.Option(min=500, help="Sentences to learn from.")] = 6000,
    steps: Annotated[int, typer.Option(min=1, help="Batches of 256 sentences.")] = 1500,
    snr: Annotated[str, typer.Option("--snr", help="Es/N0 in dB, with commas.")] = "10",
    symbols: Annotated[int, typer.Option(min=8, max=128, help="Of a sentence.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and noise.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Two channel codecs of the sentence space, alike but for the impairments that they meet in training.

    Sentences are captions of Flickr8k's training photographs, some of which are held out.

    Example: m4sc bench impairments --data DATA
    """
    from m4sc.coding.torch_link.impairments import KINDS

    learned, held_out = _sentences(data, train, n)
    figures = []
    for trained in (0.0, share):
        codec = _codec(learned, trained, steps, seed)
        for under in ("none", *KINDS):
            for snr_db in map(float, snr.split(",")):
                figures.append(_figure(codec, held_out, trained, under, snr_db, symbols, seed))
    if as_json:
        typer.echo(json.dumps([asdict(figure) for figure in figures], indent=1))
        return
    show(_table(figures))


def _sentences(data: Path, train: int, n: int) -> tuple[Tensor, Tensor]:
    """Vectors of captions, float (train, 384) and (n, 384); no photograph gives both."""
    import torch
    from m4sc.data.flickr8k import caption_examples
    from m4sc.space.sentence_encoder import SentenceEncoder

    examples = caption_examples(data, "train")
    held = [example.answers[0] for example in examples[: min(n, len(examples) // 4)]]
    more = [text for example in examples[len(held) :] for text in example.answers][:train]
    typer.echo(f"encoding {len(more)} and {len(held)} sentences", err=True)
    encode = SentenceEncoder()
    with torch.inference_mode():
        vectors = [encode(part) for part in (more, held)]
    return vectors[0].clone(), vectors[1].clone()


def _codec(learned: Tensor, trained: float, steps: int, seed: int) -> SpaceCodec:
    """A channel codec that learned from sentences' vectors."""
    import torch
    from m4sc.space.channel_codec import SpaceCodec, SpaceCodecConfig, SpaceCodecStage, train_space_codec

    torch.manual_seed(seed)
    codec = SpaceCodec(SpaceCodecConfig())
    codec.fit(learned)
    stage = SpaceCodecStage(minutes=60.0, steps=steps, impaired=trained, seed=seed)
    train_space_codec(codec, learned.clone(), learned[:, None].clone(), stage, partial(_say, trained))
    return codec


def _say(trained: float, step: int, loss: float) -> None:
    typer.echo(f"impaired {trained:g}: step {step}, loss {loss:.4f}", err=True)


def _figure(
    codec: SpaceCodec, points: Tensor, trained: float, under: str, snr_db: float, symbols: int, seed: int
) -> ImpairmentFigure:
    """One codec under one impairment."""
    import torch
    from m4sc.coding.torch_link.impairments import Impairments, impair
    from m4sc.coding.torch_link.link import transmit

    generator, n = torch.Generator().manual_seed(seed + 1), len(points)
    with torch.inference_mode():
        sent = codec.send(points, symbols)[:, :, None]
        heard, noise_var = transmit(sent, torch.full((n,), snr_db), "awgn", generator)
        if under != "none":
            heard, noise_var = impair(heard, noise_var, Impairments(1.0, (under,)), generator)
        got = codec.receive(heard[:, :, 0], noise_var[:, :, 0])
        cosine = (got * points).sum(1)
        found = ((got @ points.T).argmax(1) == torch.arange(n)).float().mean()
    half = 1.96 * float(cosine.std()) / n**0.5
    return ImpairmentFigure(trained, under, snr_db, symbols, float(cosine.mean()), half, float(found), n)


def _table(figures: Sequence[ImpairmentFigure]) -> Table:
    """As it is shown."""
    columns = ("impaired in training", "under", "dB", "symbols", "cosine", "found", "n")
    table = Table(*columns, title="A channel codec that met impairments, and one that did not")
    for one in figures:
        cells = (f"{one.cosine:.4f} ± {one.interval:.4f}", f"{one.found:.3f}", str(one.n))
        table.add_row(f"{one.trained:g}", one.under, f"{one.snr_db:g}", str(one.symbols), *cells)
    return table
