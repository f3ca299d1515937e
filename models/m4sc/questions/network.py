"""Questions on pictures: a picture as a point, the point over the channel, statements judged beside it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from m4sc.json_fields import Convert, from_json
from m4sc.questions.placed_names import PlacedNames
from m4sc.questions.statements import KINDS
from m4sc.space.channel_codec import SpaceCodec, SpaceCodecConfig
from m4sc.space.config import PICTURE_DIM
from m4sc.space.naming import Naming, named_classes, named_things, thing_scores
from m4sc.space.projector import Projector, ProjectorConfig, ResidualKan
from m4sc.space.sentence_encoder import SPACE_DIM
from m4sc.tensor_file import load_network, packed, save_network

JUDGES = ("kan", "mlp")
_LEAST, _MOST = 1e-6, 1 - 1e-6  # probabilities are kept between these
ABSENCE = "absence"
INDOORS = "It is indoors."
"""Indoors the judge answers what has several answers less well: captions tell little of furniture."""
TRUSTED = (*KINDS, ABSENCE)
"""Kinds of answers whose trust differs: "no" to a question for existence is one of its own."""
_WEIGHTS = 4
_Trust = tuple[float, float, float, float]


@dataclass(frozen=True)
class QuestionConfig:
    """A network for questions on pictures.

    Attributes:
        vision, sentences: frozen encoders' names.
        in_dim: width of a picture's features.
        things: what a detector of everyday things sees is the end of the features, and among the names.
        judge: of `JUDGES`: what stands on either side of the judge's product.
        hidden: its width.
        symbols, least_symbols: complex symbols of a message, at most and at least.
        trust: of each kind of answer (`TRUSTED`) the weights of log odds of the judge, of the share of the
            point that the channel left, of what else is known (of a yes-no question how well the detector
            knows what is asked for, of any other how probably the picture is indoors), and of 1, in the log
            odds that the answer is right.
        placed: names that answer what is beside, on or in something (:mod:`m4sc.questions.placed_names`);
            without them such questions are answered as any other for a thing.
        placed_hidden: width of the part that names them.
    """

    vision: str = "efficientnet-lite2"
    sentences: str = "minilm"
    in_dim: int = PICTURE_DIM
    things: bool = False
    judge: str = "kan"
    hidden: int = 128
    symbols: int = 64
    least_symbols: int = 8
    trust: dict[str, _Trust] = field(default_factory=lambda: dict.fromkeys(TRUSTED, (1.0, 0.0, 0.0, 0.0)))
    placed: tuple[str, ...] = ()
    placed_hidden: int = 64

    def __post_init__(self) -> None:
        if self.judge not in JUDGES:
            raise ValueError(f"judge '{self.judge}' is unknown; use one of {', '.join(JUDGES)}")
        if set(self.trust) != set(TRUSTED):
            raise ValueError(f"a question network's trust needs the kinds {', '.join(TRUSTED)}")

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> QuestionConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        special: dict[str, Convert] = {"trust": _trust, "placed": _names}
        return from_json(cls, text, "a question network's configuration", special)


def _trust(given: dict[str, list[float]]) -> dict[str, _Trust]:
    """Weights by kind of question, of what JSON holds."""
    found = {}
    for kind, weights in given.items():
        if len(weights) != _WEIGHTS:
            raise ValueError(f"trust of {kind} has {len(weights)} weights; give {_WEIGHTS}")
        judge, share, known, one = map(float, weights)
        found[kind] = judge, share, known, one
    return found


def _names(given: list[str]) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(name, str) and name.strip() for name in given):
        raise ValueError("placed of a question network's configuration is no list of names")
    return tuple(given)


class Judge(nn.Module):
    """Whether a statement describes a picture, as log odds.

    A low-rank product of both sides beside the cosines to the picture's point and to its class names: what
    training never named is judged by where its sentence lies.
    """

    def __init__(self, kind: str, hidden: int) -> None:
        super().__init__()
        self.of_picture = _side(kind, 2 * SPACE_DIM, hidden)
        self.of_statement = _side(kind, SPACE_DIM, hidden)
        self.weight = nn.Parameter(torch.randn(hidden) / hidden**0.5)
        self.gain = nn.Parameter(torch.tensor([8.0, 8.0]))
        self.bias = nn.Linear(SPACE_DIM, 1)
        self.dropout = nn.Dropout(0.2)
        nn.init.zeros_(self.bias.weight)

    def forward(self, points: Tensor, statements: Tensor) -> Tensor:
        """Log odds of each statement for each point.

        Args:
            points: float (n, 768).
            statements: unit vectors, float (m, 384), the same for all points, or (n, m, 384).

        Returns:
            float (n, m).
        """
        seen = self.dropout(self.of_picture(points)) * self.weight
        straight = points[:, :SPACE_DIM] * self.gain[0] + points[:, SPACE_DIM:] * self.gain[1]
        left = torch.cat([seen, straight], -1)
        right = torch.cat([self.of_statement(statements), statements], -1)
        odds = left @ right.T if statements.ndim == 2 else (right @ left[..., None])[..., 0]
        return odds + self.bias(statements)[..., 0]


def _side(kind: str, width: int, hidden: int) -> nn.Module:
    if kind == "mlp":
        return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden))
    return nn.Sequential(nn.Linear(width, hidden), ResidualKan(hidden, 6))


class QuestionNetwork(Naming):
    """Projector, channel codec and judge.

    A picture's point is its place in the space of sentences beside the mean place of the names that the
    backbones' own heads give it.
    """

    def __init__(self, config: QuestionConfig) -> None:
        super().__init__(SPACE_DIM, config.things)
        self.config = config
        self.projector = Projector(ProjectorConfig(config.in_dim, dropout=0.5))
        shape = SpaceCodecConfig(2 * SPACE_DIM, config.symbols, config.least_symbols)
        self.codec = SpaceCodec(shape)
        self.judge = Judge(config.judge, config.hidden)
        self.placed = PlacedNames(config.placed_hidden) if config.placed else None

    def names(self, scores: Tensor, features: Tensor) -> Tensor:
        """Mean point of the names that both backbones give a picture, float (n, 384).

        scores: of ImageNet's classes, float (n, 1000); features: float (n, in_dim).
        """
        named = named_classes(self.classes, scores)
        if self.config.things:
            named = named + named_things(self.things, self.rarity, thing_scores(features))
        return named  # shorter where the heads are unsure

    def points(self, features: Tensor, names: Tensor) -> Tensor:
        """Features, float (n, in_dim), and `names`, float (n, 384), to unit vectors, float (n, 768)."""
        return nn.functional.normalize(torch.cat([self.projector(features), names], -1), dim=-1)

    def familiar(self, statements: Tensor) -> Tensor:
        """How well the detector knows what is asked for, float (m,): cosine to the nearest of its kinds.

        What it does not look for may be there unseen: "no" is less sure of a flag than of a dog.

        statements: unit vectors, float (m, 384).
        """
        if not self.config.things:
            return torch.zeros(len(statements))
        return (statements @ nn.functional.normalize(self.things.float(), dim=-1).T).amax(1)

    def indoors(self, points: Tensor, statement: Tensor) -> Tensor:
        """How probably pictures are indoors, float (n,).

        points: as received, float (n, 768); statement: unit vector of `INDOORS`, float (1, 384).
        """
        return torch.sigmoid(self.judge(points, statement)[:, 0])

    def confidence(self, kind: str, odds: float, quality: float, known: float = 0.0) -> float:
        """How probably an answer is right.

        Args:
            kind: of the answer, as of :func:`answer_kind`.
            odds: log odds of the answer, as of :func:`answer_odds`.
            quality: share of the point that the channel left.
            known: as of :meth:`familiar`, of a yes-no question; of any other as of :meth:`indoors`.
        """
        by_odds, by_quality, by_known, constant = self.config.trust[kind]
        total = by_odds * odds + by_quality * quality + by_known * known + constant
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))

    def answers(
        self, kind: str, odds: Tensor, statements: Tensor, quality: Tensor, indoors: Tensor
    ) -> list[tuple[int, float]]:
        """The answers to one question, as of :func:`answer_odds`, and how probably each is right.

        Args:
            kind: of the question, one of `KINDS`.
            odds: log odds of the judge, float (n, m).
            statements: unit vectors of what was judged, float (m, 384).
            quality: share of each point that the channel left, float (n,).
            indoors: as of :meth:`indoors`, float (n,).
        """
        yes_no = len(statements) == 1
        known = self.familiar(statements).expand(len(odds)) if yes_no else indoors
        each = zip(answer_odds(odds), quality.tolist(), known.tolist(), strict=True)
        return [
            (best, self.confidence(answer_kind(kind, best), sure, left, what))
            for (best, sure), left, what in each
        ]

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` (large matrices as int8, the rest in float16) and ``config.json``."""
        save_network(packed(self.state_dict()), self.config.to_json(), folder)

    @classmethod
    def load(cls, folder: Path) -> QuestionNetwork:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such files.
            ValueError: the weights do not fit their configuration.
        """
        config = QuestionConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
        return load_network(lambda: cls(config), folder)


def answer_odds(odds: Tensor) -> list[tuple[int, float]]:
    """The best of several statements, or 1 for yes and 0 for no of one alone; and its log odds.

    odds: float (n, m), of the judge. Returns one pair for each row.
    """
    if odds.shape[1] == 1:
        return [(int(one > 0), abs(one)) for one in odds[:, 0].tolist()]
    share, best = odds.softmax(-1).max(-1)
    return [(row, log_odds(odd)) for row, odd in zip(best.tolist(), share.tolist(), strict=True)]


def answer_kind(kind: str, best: int) -> str:
    """Of `TRUSTED`: kind of a question, and its answer as of :func:`answer_odds`."""
    return ABSENCE if kind == "existence" and best == 0 else kind


def log_odds(probability: float) -> float:
    """log(p / (1 - p)), of a probability kept off 0 and 1."""
    p = min(max(probability, _LEAST), _MOST)
    return math.log(p / (1 - p))
