"""`m4sc bench questions`: questions on Flickr8k's dev photographs by kind, beside what needs no picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from m4sc_app.tables import show

if TYPE_CHECKING:
    from m4sc.questions.material import Material
    from m4sc.questions.network import QuestionNetwork
    from m4sc.questions.trial import Questions
    from torch import Tensor

_CONTROL_SNR_DB = 10.0
_KEEP_PRECISION = 0.9


@dataclass(frozen=True)
class KindFigure:
    """Figures of one kind of question at one SNR.

    Attributes:
        kind: of question.
        symbols, snr_db: complex symbols of a picture; Es/N0 over AWGN.
        right: share of right answers.
        shuffled: with another photograph's symbols; zeros: with none.
        commonest: of the commonest answer alone.
        neighbours: of the captions of the 30 nearest training photographs alone; None of sentences.
        calibration_error: expected, of the confidence.
        kept: share of answers that may be kept, surest first, so that nine of ten are right.
        n: questions.
    """

    kind: str
    symbols: int
    snr_db: float
    right: float
    shuffled: float
    zeros: float
    commonest: float
    neighbours: float | None
    calibration_error: float
    kept: float
    n: int


def questions(
    data: Annotated[Path, typer.Option(help="Folder that holds the data sets.")],
    weights: Annotated[str, typer.Option(help="Name or folder of the weights.")] = "questions",
    cache: Annotated[Path, typer.Option(help="Folder for the pictures' features.")] = Path(
        "runs/questions/features"
    ),
    points: Annotated[
        str, typer.Option(help="Comma-separated SYMBOLS@SNR in dB over AWGN.")
    ] = "64@10,64@20,64@0,64@-5,16@10",
    seed: Annotated[int, typer.Option(min=0, help="Of the noise and of the questions drawn.")] = 0,
    neighbours: Annotated[bool, typer.Option(help="Also the nearest training photographs.")] = True,
    card: Annotated[Path | None, typer.Option(help="Write the weights' card here.")] = None,
    how: Annotated[str, typer.Option(help="A sentence for the card on how they were trained.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Existence, phrases, sentences with near misses, colour, count, place, doing, which: with controls.

    Yes and no are balanced for every single statement, so that a receiver that sees nothing has half of them.

    Example: m4sc bench questions --data DATA
    """
    from m4sc.questions.material import load_material
    from m4sc.questions.network import QuestionNetwork
    from m4sc.questions.trial import TRIAL_KINDS
    from m4sc.shipped import weights_folder

    def say(text: str) -> None:
        typer.echo(text, err=True)

    network = QuestionNetwork.load(weights_folder(weights))
    material = load_material(data, "dev", cache, say, network.config.things)
    rivals: dict[str, float] = {}
    if neighbours:
        known = load_material(data, "train", cache, say, network.config.things)
        judged = [kind for kind in TRIAL_KINDS if kind != "sentence"]
        rivals = {kind: by_neighbours(network, material, kind, seed, known) for kind in judged}
    figures = []
    for item in points.split(","):
        symbols, snr_db = _setting(item)
        for kind in TRIAL_KINDS:
            figures.append(measure(network, material, kind, symbols, snr_db, seed, rivals.get(kind)))
    if card is not None:
        from m4sc_app.bench.questions_card import write_card

        write_card(card, network, figures, seed, how)
    if as_json:
        typer.echo(json.dumps([asdict(figure) for figure in figures], indent=1))
        return
    table = Table(*KindFigure.__dataclass_fields__, title="Questions on Flickr8k's dev photographs")
    for figure in figures:
        table.add_row(*(_cell(value) for value in asdict(figure).values()))
    show(table)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


def _setting(item: str) -> tuple[int, float]:
    symbols, _, snr_db = item.partition("@")
    try:
        return int(symbols), float(snr_db)
    except ValueError:
        raise typer.BadParameter(f"--points takes SYMBOLS@SNR such as 64@10; got {item!r}") from None


def measure(
    network: QuestionNetwork,
    material: Material,
    kind: str,
    symbols: int,
    snr_db: float,
    seed: int,
    neighbours: float | None = None,
) -> KindFigure:
    """One kind of question at one number of symbols and SNR, with its controls.

    neighbours: what :func:`by_neighbours` has right of the kind.
    """
    import torch
    from m4sc.questions.network import INDOORS
    from m4sc.questions.trial import answers_of, commonest, questions_on
    from m4sc.space.confidence import calibration_error
    from m4sc.space.sentence_encoder import SentenceEncoder

    sent = _points(network, material)
    rows = torch.arange(len(material))
    asked = questions_on(kind, material, rows, seed)
    heard, quality = _through(network, sent, symbols, snr_db, seed)
    nothing = _received_zeros(network, symbols)
    other = rows.roll(len(rows) // 2)
    own = "existence" if kind == "phrase" else kind
    hits: dict[str, list[Tensor]] = {name: [] for name in ("right", "shuffled", "zeros")}
    sure = []
    with torch.inference_mode():
        indoors = network.indoors(heard, SentenceEncoder()([INDOORS]))
        for group in asked:
            odds = network.judge(heard[group.picture], group.statements)
            sure += [
                network.answers(own, row[None], said, quality[n : n + 1], indoors[n : n + 1])[0][1]
                for row, said, n in zip(odds, group.statements, group.picture.tolist(), strict=True)
            ]
            hits["right"].append(answers_of(odds) == group.right)
            shuffled = network.judge(heard[other[group.picture]], group.statements)
            hits["shuffled"].append(answers_of(shuffled) == group.right)
            blank = network.judge(nothing.expand(len(group.right), -1), group.statements)
            hits["zeros"].append(answers_of(blank) == group.right)
    mean = {name: float(torch.cat(values).float().mean()) for name, values in hits.items()}
    right = torch.cat(hits["right"]).numpy()
    told = np.array(sure)
    return KindFigure(
        kind,
        symbols,
        snr_db,
        mean["right"],
        mean["shuffled"],
        mean["zeros"],
        commonest(asked),
        neighbours,
        calibration_error(told, right),
        _kept(told, right),
        len(right),
    )


def by_neighbours(
    network: QuestionNetwork, material: Material, kind: str, seed: int, known: Material
) -> float:
    """Share of a kind's questions that the captions of the nearest known photographs answer right."""
    import torch
    from m4sc.questions.trial import neighbour_answers, questions_on

    sent, around = _points(network, material), _points(network, known)
    hits = [
        neighbour_answers(_in_table(group, material, known), sent, known, around) == group.right
        for group in questions_on(kind, material, torch.arange(len(material)), seed)
    ]
    return float(torch.cat(hits).float().mean())


def _in_table(group: Questions, material: Material, known: Material) -> Questions:
    """The same questions with their statements' rows in another table; one that it lacks is row 0."""
    from dataclasses import replace

    import torch

    place = {text: n for n, text in enumerate(known.statements)}
    rows = torch.tensor([place.get(text, 0) for text in material.statements])
    return replace(group, rows=rows[group.rows])


def _points(network: QuestionNetwork, material: Material) -> Tensor:
    import torch

    with torch.inference_mode():
        features = material.views[0].float()
        return network.points(features, network.names(material.scores[0].float(), features))


def _through(
    network: QuestionNetwork, sent: Tensor, symbols: int, snr_db: float, seed: int
) -> tuple[Tensor, Tensor]:
    """Points over AWGN, and their quality."""
    import torch
    from m4sc.coding.torch_link.link import transmit

    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        wave = network.codec.send(sent, symbols)[:, :, None]
        received, noise_var = transmit(wave, torch.full((len(sent),), snr_db), "awgn", generator)
        noise = noise_var[:, :, 0]
        return network.codec.receive(received[:, :, 0], noise), network.codec.quality(noise)


def _received_zeros(network: QuestionNetwork, symbols: int) -> Tensor:
    import torch

    noise_var = torch.full((1, symbols), 10 ** (-_CONTROL_SNR_DB / 10))
    with torch.inference_mode():
        return network.codec.receive(torch.zeros(1, symbols, 2), noise_var)


def _kept(sure: np.ndarray, right: np.ndarray) -> float:
    order = np.argsort(-sure, kind="stable")
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    kept: Sequence[int] = np.flatnonzero(precision >= _KEEP_PRECISION).tolist()
    return float((kept[-1] + 1) / len(order)) if kept else 0.0
