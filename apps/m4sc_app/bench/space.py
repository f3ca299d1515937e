"""`m4sc bench space`: what the shared semantic space understands and what a channel leaves of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc.space.material import Photographs
    from m4sc.space.system import SpaceAnswer, SpaceSystem
    from torch import Tensor

_KEEP_PRECISION = 0.9


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    value: float
    unit: str
    detail: str


def space(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "space",
    cache: Annotated[Path, typer.Option(help="Folder for the pictures' features.")] = Path(
        "runs/space/features"
    ),
    n: Annotated[int, typer.Option(min=10, help="Photographs of Flickr8k's dev list.")] = 1000,
    points: Annotated[
        str, typer.Option(help="Comma-separated SYMBOLS@SNR in dB over AWGN.")
    ] = "128@10,32@10,128@0,32@0",
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    knowledge: Annotated[
        Path | None, typer.Option(help="Another knowledge base, such as of m4sc kb build.")
    ] = None,
    bf16: Annotated[bool, typer.Option(help="bfloat16 for the features.")] = False,
    controls: Annotated[bool, typer.Option(help="Also zeros, other messages, rivals.")] = True,
    card: Annotated[Path | None, typer.Option(help="Write the weights' card here.")] = None,
    how: Annotated[str, typer.Option(help="A sentence for the card on how they were trained.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Retrieval, captions over the channel, rivals, controls and calibration on Flickr8k's dev photographs.

    Example: m4sc bench space --data DATA --n 200
    """
    from m4sc.shipped import weights_folder
    from m4sc.space.knowledge_base import KnowledgeBase
    from m4sc.space.material import photographs
    from m4sc.space.system import SpaceSystem

    base = None if knowledge is None else KnowledgeBase.load(knowledge)
    system = SpaceSystem.load(weights_folder(weights), base)
    system.remember_sentences()
    photos = photographs(data, "dev", cache, copies=False, bf16=bf16, things=system.config.things)
    settings = [_setting(item) for item in points.split(",")]
    n = min(n, len(photos))
    figures = measure(system, photos, n, settings, seed, controls)
    if card is not None:
        from m4sc_app.bench.space_card import write_card

        write_card(card, system, figures, n, seed, how)
    if as_json:
        config = {"weights": weights, "fingerprint": system.fingerprint, "n": n, "seed": seed}
        typer.echo(json.dumps({"config": config, "figures": [asdict(f) for f in figures]}, indent=1))
        return
    table = Table("figure", "value", "unit", "detail", title="The shared semantic space")
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:.3f}", figure.unit, figure.detail)
    show(table)


def _setting(item: str) -> tuple[int, float]:
    symbols, _, snr_db = item.partition("@")
    try:
        return int(symbols), float(snr_db)
    except ValueError:
        raise typer.BadParameter(f"--points takes SYMBOLS@SNR such as 128@10; got {item!r}") from None


def measure(
    system: SpaceSystem,
    photos: Photographs,
    n: int,
    settings: Sequence[tuple[int, float]],
    seed: int,
    controls: bool,
) -> list[Figure]:
    """All figures of the first n photographs."""
    import torch
    from m4sc.space.picture_features import PictureFeatures
    from m4sc.space.retrieval import recall_at

    features = photos.views[0, :n].float()
    scores = PictureFeatures(system.config.vision).class_scores(features)
    placed = system.network.picture_points(features, scores)
    with torch.inference_mode():
        sent = system.network.meanings(features, scores)
    said = photos.points[:n]
    mean = torch.nn.functional.normalize(said.mean(1), dim=-1)
    own = torch.arange(n)
    figures = []
    for name, queries, gallery, owner in (
        ("picture to captions", placed, said.flatten(0, 1), own.repeat_interleave(said.shape[1])),
        ("picture to mean caption", placed, mean, own),
        ("mean caption to picture", mean, placed, own),
    ):
        for k, value in zip((1, 5), recall_at(queries, gallery, owner), strict=True):
            figures.append(Figure(f"R@{k}, {name}", value, "share", f"of {len(gallery)}, no channel"))
    references = [photos.captions[i] for i in range(n)]
    whole = torch.ones(n)
    clear = _without_noise(system, sent)
    figures += _scored("no channel", system.speak(clear, whole), references)
    if controls:
        nearest = [
            system.knowledge.sentences[i] for i in (placed @ system.knowledge.points.T).argmax(1).tolist()
        ]
        figures += _texts("rival: nearest sentence, no channel", nearest, references)
        constant = system.speak(torch.nn.functional.normalize(clear.mean(0, keepdim=True), dim=-1), whole[:1])
        figures += _texts("control: constant caption", [constant[0].text] * n, references)
    for number, (symbols, snr_db) in enumerate(settings):
        heard, quality = _through(system, sent, symbols, snr_db, seed)
        name = f"{symbols} symbols, {snr_db:g} dB"
        answers = system.speak(heard, quality)
        figures += _scored(name, answers, references)
        figures += _calibration(name, answers, said)
        if controls and number == 0:
            figures += _texts(f"control: another's symbols, {name}", _rolled(answers), references)
            blank = system.decode_many([(np.zeros(symbols, np.complex64), np.full(symbols, 0.1, np.float32))])
            figures += _texts(f"control: zeros, {name}", [blank[0].text] * n, references)
    return figures


def _without_noise(system: SpaceSystem, sent: Tensor) -> Tensor:
    """What a receiver makes of all symbols without a channel."""
    import torch
    from m4sc.codecs.base import CLEAN_NOISE_VAR

    codec = system.network.codec
    with torch.inference_mode():
        wave = codec.send(sent)
        return codec.receive(wave, torch.full(wave.shape[:2], CLEAN_NOISE_VAR))


def _through(
    system: SpaceSystem, sent: Tensor, symbols: int, snr_db: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Points over AWGN, and their quality."""
    import torch
    from m4sc.coding.torch_link.link import transmit

    codec, generator = system.network.codec, torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        wave = codec.send(sent, symbols)[:, :, None]
        received, noise_var = transmit(wave, torch.full((len(sent),), snr_db), "awgn", generator)
        noise = noise_var[:, :, 0]
        return codec.receive(received[:, :, 0], noise), codec.quality(noise)


def _rolled(answers: Sequence[SpaceAnswer]) -> list[str]:
    texts = [answer.text for answer in answers]
    half = len(texts) // 2
    return texts[half:] + texts[:half]


def _texts(name: str, texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[Figure]:
    from m4sc.evaluate.metrics.captions import bleu4_counts, bleu4_of, cider

    bleu = float(bleu4_of(bleu4_counts(texts, references).mean(0)))
    detail = f"n = {len(texts)}"
    return [
        Figure(f"CIDEr, {name}", float(np.mean(cider(texts, references))), "0 to 10", detail),
        Figure(f"BLEU-4, {name}", bleu, "0 to 1", detail),
    ]


def _scored(name: str, answers: Sequence[SpaceAnswer], references: Sequence[Sequence[str]]) -> list[Figure]:
    return _texts(name, [answer.text for answer in answers], references)


def _calibration(name: str, answers: Sequence[SpaceAnswer], said: Any) -> list[Figure]:
    """Expected calibration error, and how many answers are kept at 90 % precision."""
    from m4sc.space.confidence import RIGHT_FROM, calibration_error
    from m4sc.space.sentence_encoder import SentenceEncoder

    vectors = SentenceEncoder()([answer.text for answer in answers])
    right = ((vectors[:, None] * said).sum(-1).amax(1) >= RIGHT_FROM).numpy()
    sure = np.array([answer.confidence for answer in answers])
    order = np.argsort(-sure)
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    kept = np.flatnonzero(precision >= _KEEP_PRECISION)
    share = float((kept[-1] + 1) / len(order)) if len(kept) else 0.0
    detail = f"right: cosine to the nearest human caption from {RIGHT_FROM:g}"
    return [
        Figure(f"right, {name}", float(right.mean()), "share", detail),
        Figure(f"calibration error, {name}", calibration_error(sure, right), "0 to 1", "10 bins"),
        Figure(f"kept at {_KEEP_PRECISION:.0%} precision, {name}", share, "share", detail),
    ]
