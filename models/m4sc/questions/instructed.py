"""Detail of a picture behind few symbols: what the instruction asks for, or a little of everything.

The picture's grid of features is pooled by attention. On the instructed path the transmitter knows the
instruction, and its vector is the query: all symbols carry what was asked. On the light path the queries are
learned and the same for every question: the symbols are shared among the parts of the picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from m4sc.coding.torch_link.link import transmit
from m4sc.half_cosine import half_cosine
from m4sc.space.projector import ResidualKan
from m4sc.space.sentence_encoder import SPACE_DIM

_GRID = 6
_RAYLEIGH_SHARE = 0.3


@dataclass(frozen=True)
class DetailConfig:
    """Shape of either path.

    Attributes:
        instructed: whether the transmitter knows the instruction.
        in_dim: width of a cell's features.
        cells: of the grid.
        answers: how many there are to choose among.
        symbols: complex symbols of a message.
        parts: learned queries of the light path, which share the symbols.
        width: of what is inside.
    """

    instructed: bool
    in_dim: int
    cells: int = 49
    answers: int = 10
    symbols: int = 32
    parts: int = 9
    width: int = 128

    @property
    def reals(self) -> int:
        """Real values that carry one part."""
        return 2 * self.symbols // self.slots

    @property
    def slots(self) -> int:
        """Parts that are sent."""
        return 1 if self.instructed else self.parts


class DetailPath(nn.Module):
    """Transmitter and receiver of one path; the receiver knows the instruction on both."""

    def __init__(self, config: DetailConfig) -> None:
        super().__init__()
        c = self.config = config
        self.place = nn.Parameter(0.1 * torch.randn(c.cells, c.width))
        self.key = nn.Linear(c.in_dim, c.width)
        self.value = nn.Linear(c.in_dim, c.width)
        self.query = nn.Linear(SPACE_DIM, c.width)
        self.queries = nn.Parameter(0.1 * torch.randn(c.slots, c.width))
        self.send = nn.Sequential(ResidualKan(c.width, _GRID), nn.Linear(c.width, c.reals))
        self.hear = nn.Linear(c.reals + 1, c.width)
        self.choose = nn.Linear(SPACE_DIM, c.width)
        self.slot = nn.Parameter(0.1 * torch.randn(c.slots, c.width))
        self.answer = nn.Sequential(
            ResidualKan(c.width, _GRID), nn.Linear(c.width, 256), nn.GELU(), nn.Linear(256, c.answers)
        )
        self.dropout = nn.Dropout(0.2)

    def encode(self, cells: Tensor, instructions: Tensor) -> Tensor:
        """Cells, float (n, cells, in_dim), and instructions' vectors, float (n, 384), to symbols.

        Returns:
            float (n, symbols, 2), of unit mean power a message.
        """
        c = self.config
        x = self.dropout(cells)
        asked = self.query(instructions)[:, None] if c.instructed else self.queries.expand(len(x), -1, -1)
        scores = (0.1 * self.key(x) + self.place) @ asked.transpose(1, 2)  # (n, cells, slots)
        pooled = scores.softmax(1).transpose(1, 2) @ self.value(x)
        y = self.send(pooled).flatten(1)
        y = nn.functional.pad(y, (0, 2 * c.symbols - y.shape[1])).unflatten(1, (-1, 2))
        return y / (y.square().sum((1, 2), keepdim=True) / c.symbols).sqrt().clamp_min(1e-6)

    def decode(self, received: Tensor, noise_var: Tensor, instructions: Tensor) -> Tensor:
        """Symbols, float (n, symbols, 2), and noise variances, float (n, symbols), to scores of answers."""
        c = self.config
        heard = (received / (1 + noise_var[..., None])).flatten(1)[:, : c.slots * c.reals]
        noise = noise_var.clamp_min(1e-3).log().mean(1)[:, None, None].expand(-1, c.slots, 1)
        parts = self.hear(torch.cat([heard.unflatten(1, (c.slots, c.reals)), noise], -1))
        share = (self.choose(instructions) @ self.slot.T).softmax(-1)
        return torch.as_tensor(self.answer(self.dropout((share[..., None] * parts).sum(1))))


@dataclass(frozen=True)
class DetailLesson:
    """What a path learns from.

    Attributes:
        cells: float (n, cells, in_dim) of pictures.
        instructions: float (q, w, 384): vectors of q questions, each in w wordings.
        answers: int64 (n, q).
    """

    cells: Tensor
    instructions: Tensor
    answers: Tensor


def train_path(
    path: DetailPath,
    lesson: DetailLesson,
    steps: int,
    minutes: float,
    seed: int = 0,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train a path in place through AWGN and Rayleigh fading, -5 to 20 dB."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(path.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = half_cosine(optimizer, steps, warm_up=100)
    path.train()
    started = time.monotonic()
    batch = 128
    questions, wordings = lesson.instructions.shape[:2]
    for step in range(steps):
        rows = torch.randint(len(lesson.cells), (batch,), generator=generator)
        asked = torch.randint(questions, (batch,), generator=generator)
        said = torch.randint(wordings, (batch,), generator=generator)
        instructions = lesson.instructions[asked, said]
        symbols = path.encode(lesson.cells[rows].float(), instructions)
        snr_db = -5 + 25 * torch.rand(batch, generator=generator)
        fading = float(torch.rand((), generator=generator)) < _RAYLEIGH_SHARE
        heard, noise_var = transmit(symbols[:, :, None], snr_db, "rayleigh" if fading else "awgn", generator)
        scores = path.decode(heard[:, :, 0], noise_var[:, :, 0], instructions)
        loss = nn.functional.cross_entropy(scores, lesson.answers[rows, asked], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            progress(step, float(loss.detach()))
        if time.monotonic() - started > 60 * minutes:
            break
    path.eval()


@torch.inference_mode()
def share_right(
    path: DetailPath, lesson: DetailLesson, snr_db: float, told: Tensor | None = None, seed: int = 0
) -> float:
    """Share of right answers over AWGN, every question of every picture.

    told: vector, float (384,), that the transmitter is told instead of the question; None for the question.
    """
    generator = torch.Generator().manual_seed(seed)
    n = len(lesson.cells)
    hits = []
    for q in range(lesson.instructions.shape[0]):
        asked = lesson.instructions[q, :1].expand(n, -1)
        symbols = path.encode(lesson.cells.float(), asked if told is None else told.expand(n, -1))
        heard, noise_var = transmit(symbols[:, :, None], torch.full((n,), snr_db), "awgn", generator)
        hits.append(path.decode(heard[:, :, 0], noise_var[:, :, 0], asked).argmax(1) == lesson.answers[:, q])
    return float(torch.stack(hits).float().mean())
