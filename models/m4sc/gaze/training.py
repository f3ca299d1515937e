"""Training of the gaze, on pictures of tiles made from training pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.gaze.box import WHOLE
from m4sc.gaze.canvases import PLACES, draw_canvas, has_place, part_of
from m4sc.gaze.network import GazeNetwork, Instructions
from m4sc.gaze.wordings import placed, unplaced
from m4sc.half_cosine import half_cosine
from m4sc.space.sentence_encoder import TokenStates

_LEARNED_RATE, _DECAY = 1e-3, 0.05
_PLACED_SHARE = 0.65
_POOL = 220  # instructions a place
_PART = 16
_FOR_FIT = 20_000  # cells


@dataclass(frozen=True)
class Sights:
    """Pictures of tiles.

    Attributes:
        cells: float16 (n, grid**2, dim), features.
        grids: int64 (n, 2), rows and columns of tiles.
    """

    cells: Tensor
    grids: Tensor


@dataclass(frozen=True)
class GazeLesson:
    """What a gaze learns from.

    Attributes:
        sights: pictures.
        placed: instructions, as many for each of `PLACES`, one place's behind another's.
        unplaced: instructions that name no place.
    """

    sights: Sights
    placed: Instructions
    unplaced: Instructions


def draw_sights(
    pools: Sequence[Sequence[np.ndarray]],
    count: int,
    look: Callable[[list[np.ndarray]], Tensor],
    rng: np.random.Generator,
    side: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Sights:
    """Pictures drawn from pools.

    Args:
        pools: pictures to draw from, uint8 (H, W, 3) each; a picture's tiles are all of one pool.
        count: pictures to make.
        look: pictures, uint8 (side, side, 3), to cells, float (n, grid**2, dim).
        rng: of all draws.
        side: pixels.
        progress: gets the number of pictures that are done.
    """
    parts, grids = [], []
    for start in range(0, count, _PART):
        drawn = [
            draw_canvas(pools[n % len(pools)], side, rng) for n in range(start, min(start + _PART, count))
        ]
        parts.append(look([one.picture for one in drawn]).half())
        grids += [(one.rows, one.columns) for one in drawn]
        progress(len(grids))
    return Sights(torch.cat(parts), torch.tensor(grids))


def draw_instructions(
    read: Callable[[list[str]], list[TokenStates]],
    words: tuple[Sequence[str], Sequence[str]],
    rng: np.random.Generator,
    held_out: bool = False,
) -> tuple[Instructions, Instructions]:
    """Instructions that name places, as many for each, and as many that name none.

    Args:
        read: instructions to their tokens.
        words: things, and sentences about anything, that instructions are made of.
        rng: of all draws.
        held_out: wordings that are not trained on.
    """
    things, sentences = words
    pool = _POOL // 10 if held_out else _POOL
    told = [placed(place, things, rng, held_out) for place in PLACES for _ in range(pool)]
    other = [unplaced(things, sentences, rng, held_out) for _ in range(len(PLACES) * pool)]
    return Instructions.of(read(told)), Instructions.of(read(other))


def possible_boxes(grids: Tensor) -> tuple[Tensor, Tensor]:
    """Of each picture and place the box, float (n, places, 4), and whether there is one, bool (n, places)."""
    known: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    for rows, columns in {(int(r), int(c)) for r, c in grids.tolist()}:
        there = [has_place(place, rows, columns) for place in PLACES]
        boxes = [
            part_of(place, rows, columns) if ok else WHOLE for place, ok in zip(PLACES, there, strict=True)
        ]
        known[rows, columns] = torch.tensor(boxes), torch.tensor(there)
    found = [known[int(r), int(c)] for r, c in grids.tolist()]
    return torch.stack([boxes for boxes, _ in found]), torch.stack([there for _, there in found])


def within(box: Tensor, grid: int) -> Tensor:
    """Share of each cell that lies in a box, float (n, 4), to float (n, grid**2), row by row."""
    edges = torch.linspace(0, 1, grid + 1)
    low, high = edges[:-1], edges[1:]

    def overlap(start: Tensor, end: Tensor) -> Tensor:
        return (torch.minimum(end[:, None], high) - torch.maximum(start[:, None], low)).clamp_min(0) * grid

    return (overlap(box[:, 1], box[:, 3])[:, :, None] * overlap(box[:, 0], box[:, 2])[:, None]).flatten(1)


def overlap_share(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes, float (n, 4) each, to float (n,)."""
    size = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    both = size.clamp_min(0).prod(1)
    return both / ((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - both).clamp_min(1e-6)


def train_gaze(
    network: GazeNetwork,
    lesson: GazeLesson,
    steps: int,
    minutes: float,
    seed: int = 0,
    batch: int = 64,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train a gaze in place, for so many steps or minutes, whichever ends first."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    cells, grids = lesson.sights.cells, lesson.sights.grids
    network.fit_components(cells.flatten(0, 1)[:: max(1, cells[..., 0].numel() // _FOR_FIT)])
    seen = _components(network, cells)
    boxes, there = possible_boxes(grids)
    pool = len(lesson.placed.known) // len(PLACES)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_LEARNED_RATE, weight_decay=_DECAY)
    schedule = half_cosine(optimizer, steps, warm_up=100)
    network.train()
    started = time.monotonic()
    for step in range(steps):
        rows = torch.randint(len(cells), (batch,), generator=generator)
        place = torch.multinomial(there[rows].float(), 1, generator=generator)[:, 0]
        said = place * pool + torch.randint(pool, (batch,), generator=generator)
        other = torch.randint(len(lesson.unplaced.known), (batch,), generator=generator)
        is_placed = torch.rand(batch, generator=generator) < _PLACED_SHARE
        asked = _either(is_placed, lesson.placed[said], lesson.unplaced[other])
        loss = _loss(network, seen[rows], asked, boxes[rows, place], is_placed)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            progress(step, float(loss.detach()))
        if time.monotonic() - started > 60 * minutes:
            break
    network.eval()


def _either(first: Tensor, a: Instructions, b: Instructions) -> Instructions:
    """Of each row, bool (n,), the one of `a` or the one of `b`."""
    most = max(a.known.shape[1], b.known.shape[1])

    def padded(one: Instructions) -> tuple[Tensor, Tensor]:
        more = most - one.known.shape[1]
        return nn.functional.pad(one.states, (0, 0, 0, more)), nn.functional.pad(one.known, (0, more))

    (states, known), (other_states, other_known) = padded(a), padded(b)
    return Instructions(
        torch.where(first[:, None, None], states, other_states),
        torch.where(first[:, None], known, other_known),
    )


@torch.no_grad()
def _components(network: GazeNetwork, cells: Tensor) -> Tensor:
    """Float (n, grid**2, components) of cells, float16 (n, grid**2, dim)."""
    return torch.cat([network.components(part) for part in cells.split(_PART)])


def _loss(network: GazeNetwork, seen: Tensor, asked: Instructions, box: Tensor, is_placed: Tensor) -> Tensor:
    found = network(seen, asked)
    part = nn.functional.binary_cross_entropy_with_logits(found.part, is_placed.float())
    own, wanted = found.box[is_placed], box[is_placed]
    inside = nn.functional.binary_cross_entropy_with_logits(
        found.cells[is_placed], within(wanted, network.config.grid)
    )
    place = nn.functional.smooth_l1_loss(own, wanted, beta=0.05) + (1 - overlap_share(own, wanted)).mean()
    return torch.as_tensor(part + inside + 2 * place)


@dataclass(frozen=True)
class GazeFigures:
    """How well a gaze points.

    Attributes:
        overlap: mean intersection over union of parts that are meant.
        part_known: share of instructions with a place that are taken for such.
        whole_known: share of instructions without a place that are taken for such.
    """

    overlap: float
    part_known: float
    whole_known: float


@torch.inference_mode()
def measure_gaze(network: GazeNetwork, lesson: GazeLesson, seed: int = 0, rounds: int = 4) -> GazeFigures:
    """Each picture with `rounds` drawn instructions of either kind."""
    generator = torch.Generator().manual_seed(seed)
    boxes, there = possible_boxes(lesson.sights.grids)
    seen, n = _components(network, lesson.sights.cells), len(lesson.sights.cells)
    pool = len(lesson.placed.known) // len(PLACES)
    overlaps, parts, wholes = [], [], []
    for _ in range(rounds):
        place = torch.multinomial(there.float(), 1, generator=generator)[:, 0]
        said = place * pool + torch.randint(pool, (n,), generator=generator)
        other = torch.randint(len(lesson.unplaced.known), (n,), generator=generator)
        found = network(seen, lesson.placed[said])
        overlaps.append(overlap_share(found.box, boxes[torch.arange(n), place]))
        parts.append((found.part > 0).float())
        wholes.append((network(seen, lesson.unplaced[other]).part <= 0).float())
    mean = [float(torch.cat(each).mean()) for each in (overlaps, parts, wholes)]
    return GazeFigures(*mean)
