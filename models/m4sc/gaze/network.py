"""Instruction and picture to the part of the picture that is meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from m4sc.json_fields import from_json
from m4sc.space.projector import ResidualKan
from m4sc.space.sentence_encoder import SPACE_DIM, TokenStates
from m4sc.tensor_file import load_network, packed, save_network

MOST_TOKENS = 24
"""Of an instruction."""
_SPLINES = 6


@dataclass(frozen=True)
class GazeConfig:
    """A gaze.

    Attributes:
        vision: frozen backbone's name.
        sentences: frozen sentence encoder's name.
        looked_at: pixels a side of the picture that the backbone sees.
        grid: cells a side of its features.
        in_dim: width of a cell's features.
        components: principal ones of them that are looked at.
        width: of what is inside.
        layers: of attention among cells and instruction.
        heads: of each.
        least_part: how probable it must be that a part is meant; else it is the whole picture.
    """

    vision: str = "efficientnet-lite2"
    sentences: str = "minilm"
    looked_at: int = 256
    grid: int = 8
    in_dim: int = 1280
    components: int = 128
    width: int = 96
    layers: int = 2
    heads: int = 4
    least_part: float = 0.5

    def __post_init__(self) -> None:
        if (
            min(self.looked_at, self.grid, self.in_dim, self.components, self.width, self.layers, self.heads)
            < 1
        ):
            raise ValueError("a gaze needs sizes of at least 1")
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not share a width of {self.width}")
        if not 0 <= self.least_part <= 1:
            raise ValueError(f"least_part is {self.least_part}, but a probability is meant")

    def to_json(self) -> str:
        """JSON text with every field."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> GazeConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        return from_json(cls, text, "a gaze's configuration")


@dataclass(frozen=True)
class Instructions:
    """Instructions as the sentence encoder reads them.

    Attributes:
        states: float (n, t, 384), of their tokens.
        known: bool (n, t): where there is a token.
    """

    states: Tensor
    known: Tensor

    @classmethod
    def of(cls, tokens: Sequence[TokenStates]) -> Instructions:
        """Of unequal lengths; of each the first `MOST_TOKENS`."""
        states = [one.states[:MOST_TOKENS].float() for one in tokens]
        known = [torch.ones(len(one), dtype=torch.bool) for one in states]
        pad = nn.utils.rnn.pad_sequence
        return cls(pad(states, batch_first=True), pad(known, batch_first=True))

    def __getitem__(self, rows: Tensor) -> Instructions:
        """Some of them."""
        return Instructions(self.states[rows], self.known[rows])


@dataclass(frozen=True)
class Pointed:
    """What instructions point at.

    Attributes:
        part: float (n,): log odds that a part of the picture is meant, not all of it.
        box: float (n, 4): left, top, right and bottom of that part, as shares of width and height.
        cells: float (n, grid**2): log odds of each cell that it lies within, row by row.
    """

    part: Tensor
    box: Tensor
    cells: Tensor


class GazeNetwork(nn.Module):
    """Attention among a picture's cells, an instruction's tokens and a query, which becomes a box."""

    mean: Tensor
    basis: Tensor

    def __init__(self, config: GazeConfig) -> None:
        super().__init__()
        c = self.config = config
        self.register_buffer("mean", torch.zeros(c.in_dim))
        self.register_buffer("basis", torch.zeros(c.components, c.in_dim))
        self.seen = nn.Linear(c.components, c.width)
        self.place = nn.Parameter(0.3 * torch.randn(c.grid**2, c.width))
        self.asked = nn.Sequential(nn.Linear(SPACE_DIM, c.width), ResidualKan(c.width, _SPLINES))
        self.query = nn.Parameter(0.3 * torch.randn(1, c.width))
        layer = nn.TransformerEncoderLayer(
            c.width, c.heads, 2 * c.width, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, c.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(c.width)
        self.within = nn.Linear(c.width, 1)
        self.corners = nn.Sequential(nn.Linear(c.width, c.width), nn.GELU(), nn.Linear(c.width, 4))
        self.part = nn.Linear(c.width, 1)
        self.dropout = nn.Dropout(0.2)

    @torch.no_grad()
    def fit_components(self, cells: Tensor) -> None:
        """Find the principal components of cells, float (n, in_dim); each comes out with unit variance."""
        flat = cells.float()
        self.mean.copy_(flat.mean(0))
        _, strength, basis = torch.pca_lowrank(flat - self.mean, self.config.components, False, 2)
        self.basis.copy_((basis / strength.clamp_min(1e-6) * len(flat) ** 0.5).T)

    def components(self, cells: Tensor) -> Tensor:
        """Cells, float (n, grid**2, in_dim), to float (n, grid**2, components)."""
        return (cells.float() - self.mean) @ self.basis.T

    def forward(self, components: Tensor, instructions: Instructions) -> Pointed:
        """Components of cells, float (n, grid**2, components), and an instruction of each."""
        n, cells = components.shape[:2]
        seen = self.seen(self.dropout(components)) + self.place
        asked = self.asked(self.dropout(instructions.states))
        x = torch.cat([self.query.expand(n, 1, -1), seen, asked], 1)
        missing = torch.cat([torch.zeros(n, 1 + cells, dtype=torch.bool), ~instructions.known], 1)
        x = self.norm(self.layers(x, src_key_padding_mask=missing))
        middle, size = self.corners(x[:, 0]).sigmoid().unflatten(1, (2, 2)).unbind(1)
        box = torch.cat([middle - size / 2, middle + size / 2], 1)
        return Pointed(self.part(x[:, 0])[:, 0], box, self.within(x[:, 1 : 1 + cells])[..., 0])

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``config.json``."""
        save_network(packed(self.state_dict()), self.config.to_json(), folder)

    @classmethod
    def load(cls, folder: Path) -> GazeNetwork:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: no such files.
            ValueError: the weights do not fit their configuration.
        """
        config = GazeConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
        return load_network(lambda: cls(config), folder)
