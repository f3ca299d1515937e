"""Sounds in the shared space: features to a point, a point to symbols and back, a point to a name."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from m4sc.encoders import sound, yamnet
from m4sc.json_fields import from_json
from m4sc.space.channel_codec import SpaceCodec, SpaceCodecConfig
from m4sc.space.projector import Projector, ProjectorConfig
from m4sc.space.sentence_encoder import SPACE_DIM
from m4sc.tensor_file import load_network, packed, save_network

_LEAST, _MOST = 1e-6, 1 - 1e-6  # probabilities are kept between these


@dataclass(frozen=True)
class SoundConfig:
    """A network for sounds.

    Attributes:
        sound, speech: frozen encoders, see :class:`m4sc.encoders.sound.SoundEncoder`.
        projector: kind of projector, see :class:`m4sc.space.projector.ProjectorConfig`.
        dropout: of the projector's features, in training.
        symbols, least_symbols: complex symbols of a message, at most and at least.
        names: what a sound may be called: the classes trained on, then YAMNet's 521.
        answers: what is said for each of `names`: of a name that means a trained class, that class.
        trained: how many of `names` are classes trained on.
        scale: of a cosine in the softmax over the names.
        prior: what a trained class has over another name there.
        confidence: weights of log odds of the softmax, of log odds of the share of the point that the channel
            left, and of 1, in the log odds that the answer is right.
    """

    sound: str = "yamnet"
    speech: str = "whisper-tiny.en"
    projector: str = "kan"
    dropout: float = 0.5
    symbols: int = 128
    least_symbols: int = 8
    names: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    trained: int = 0
    scale: float = 15.0
    prior: float = 0.0
    confidence: tuple[float, float, float] = (1.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if len(self.names) != len(self.answers) or len(self.names) != self.trained + yamnet.CLASSES:
            raise ValueError("a sound network needs names and answers of the trained and of YAMNet's classes")

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SoundConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "a sound network's configuration")


@dataclass(frozen=True)
class Named:
    """A name with how probably it is right, 0 to 1."""

    name: str
    confidence: float


class SoundNetwork(nn.Module):
    """Projector and channel codec around the points of the names.

    The projector sees YAMNet's and Whisper's features, the log odds of YAMNet's classes, and what these say
    together: the middle of their names' points, weighted by the classes' probabilities (Norouzi et al.,
    "Zero-Shot Learning by Convex Combination of Semantic Embeddings", 2014). So a sound of no trained class
    may land near its name too.
    """

    points: Tensor

    def __init__(self, config: SoundConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("points", torch.zeros(len(config.names), SPACE_DIM))
        width = sound.DIM + SPACE_DIM
        self.projector = Projector(ProjectorConfig(width, kind=config.projector, dropout=config.dropout))
        self.codec = SpaceCodec(
            SpaceCodecConfig(SPACE_DIM, symbols=config.symbols, least_symbols=config.least_symbols)
        )

    def inputs(self, heard: Tensor) -> Tensor:
        """What the encoder says, float (..., DIM), to the projector's features, float (..., width)."""
        features, probabilities = heard.split([sound.FEATURES, yamnet.CLASSES], dim=-1)
        weight = probabilities / probabilities.sum(-1, keepdim=True).clamp_min(1e-6)
        middle = weight @ self.points[self.config.trained :]
        return torch.cat([features, _log_odds(probabilities), middle], -1)

    def point(self, heard: Tensor) -> Tensor:
        """What the encoder says, float (n, DIM), to unit vectors, float (n, 384)."""
        return self.projector(self.inputs(heard))

    def name(
        self, points: Tensor, quality: Tensor, candidates: tuple[Sequence[str], Tensor] | None = None
    ) -> list[Named]:
        """The name nearest to each point.

        Args:
            points: received unit vectors, float (n, 384).
            quality: share of each that the channel left, as of :meth:`SpaceCodec.quality`.
            candidates: names and their unit vectors, float (m, 384), to choose among; all known ones if None.
        """
        names, known = candidates or (self.config.answers, self.points)
        scores = points @ known.T * self.config.scale
        if candidates is None:
            scores[:, : self.config.trained] += self.config.prior
        # names with one answer share its probability
        answers = list(dict.fromkeys(names))
        place = torch.tensor([answers.index(name) for name in names])
        shares = torch.zeros(len(points), len(answers)).index_add_(1, place, scores.softmax(-1))
        best, chosen = shares.max(-1)
        by_odds, by_quality, constant = self.config.confidence
        odds = by_odds * _log_odds(best) + by_quality * _log_odds(quality) + constant
        return [
            Named(answers[int(n)], 1 / (1 + math.exp(-float(o)))) for n, o in zip(chosen, odds, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors``, large matrices as int8 rows, and ``config.json``."""
        whole = self.state_dict()
        state = packed({key: value.detach() for key, value in whole.items() if value.ndim > 1})
        for key, value in whole.items():
            if value.ndim <= 1:  # variances of weak components are too small for float16
                state[key] = value.detach().float().contiguous()
        save_network(state, self.config.to_json(), folder)

    @classmethod
    def load(cls, folder: Path) -> SoundNetwork:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such files.
            ValueError: the weights do not fit their configuration.
        """
        config = SoundConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
        return load_network(lambda: cls(config), folder)


def _log_odds(probability: Tensor) -> Tensor:
    p = probability.clamp(_LEAST, _MOST)
    return (p / (1 - p)).log()
