"""Mosaics of CIFAR-10 pictures with questions whose answers cannot be guessed without seeing the picture.

Answers are balanced by construction: the asked class is uniform, "yes" and "no" are drawn before the
question, and the number of tiles that show a mosaic's focus class is uniform from none to all (2 x 2) or
to six (3 x 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from m4sc.data.cifar10 import Cifar10
from m4sc.data.example import Example
from m4sc.data.wordings import pick

SIZE = 224
KINDS = ("position", "existence", "count", "comparison", "left-of", "above", "describe")
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ROWS = {2: ("top", "bottom"), 3: ("top", "middle", "bottom")}
_COLUMNS = {2: ("left", "right"), 3: ("left", "center", "right")}

SEEN = {
    "position": (
        "What is at the {p}?",
        "What does the {p} show?",
        "Which object is at the {p}?",
        "What do you see at the {p}?",
        "Name the object at the {p}.",
        "What is in the {p} tile?",
        "Say what is at the {p}.",
        "The {p} shows what?",
    ),
    "existence": (
        "Is there a {a} in the picture?",
        "Does the picture show a {a}?",
        "Is there a {a}?",
        "Do you see a {a}?",
        "Is a {a} shown?",
        "Can a {a} be found in the picture?",
        "Is a {a} there, yes or no?",
        "Does any tile show a {a}?",
    ),
    "count": (
        "How many {a} pictures are there?",
        "Count the {a} tiles.",
        "How often is a {a} shown?",
        "How many tiles show a {a}?",
        "How many times do you see a {a}?",
        "Say how many {a} tiles there are.",
        "What number of tiles shows a {a}?",
        "Count how often a {a} is shown.",
    ),
    "comparison": (
        "Are there more {a} than {b} tiles?",
        "Is {a} shown more often than {b}?",
        "Do more tiles show a {a} than a {b}?",
        "Is the {a} there more often than the {b}?",
        "Are {a} tiles more numerous than {b} tiles?",
        "Do you see {a} more often than {b}?",
    ),
    "left-of": (
        "What is directly left of the {a}?",
        "What is to the left of the {a}?",
        "Which object is left of the {a}?",
        "What do you see just left of the {a}?",
        "Say what is left of the {a}.",
        "What does the tile left of the {a} show?",
    ),
    "above": (
        "What is directly above the {a}?",
        "Which object is above the {a}?",
        "What is above the {a}?",
        "What do you see just above the {a}?",
        "Say what is above the {a}.",
        "What does the tile above the {a} show?",
    ),
    "describe": (
        "Describe the picture.",
        "List what the tiles show.",
        "Name what is in all tiles.",
        "List the objects row by row.",
        "Describe every tile.",
        "What do the tiles show?",
        "Say what each tile shows.",
        "Describe the mosaic.",
    ),
}
HELDOUT = {
    "position": ("Tell me what you see at the {p}.",),
    "existence": ("Can you find a {a}?",),
    "count": ("What is the number of {a} tiles?",),
    "comparison": ("Does {a} appear more often than {b}?",),
    "left-of": ("Name the object just left of the {a}.",),
    "above": ("Name the object just above the {a}.",),
    "describe": ("Tell me what is in each tile.",),
}


@dataclass(frozen=True, eq=False)
class Mosaic:
    """grid: 2 or 3; tiles: int (grid**2,) indices into the data, by row; labels: classes; focus: a class."""

    grid: int
    tiles: np.ndarray
    labels: np.ndarray
    focus: int


def position_name(grid: int, cell: int) -> str:
    """Name of a cell: "top left" to "bottom right"; the middle one of 3 x 3 is "center"."""
    row, column = _ROWS[grid][cell // grid], _COLUMNS[grid][cell % grid]
    return "center" if (row, column) == ("middle", "center") else f"{row} {column}"


def draw_mosaic(data: Cifar10, grid: int, rng: np.random.Generator) -> Mosaic:
    """Draw a mosaic; the focus class fills a uniform number of cells.

    Raises:
        ValueError: grid other than 2 or 3.
    """
    if grid not in _ROWS:
        raise ValueError(f"a mosaic of {grid} x {grid} tiles is not supported; use 2 or 3")
    cells, classes = grid * grid, len(data.names)
    focus = int(rng.integers(classes))
    times = int(rng.integers(min(cells, 6) + 1))
    others = rng.integers(classes - 1, size=cells)
    labels = np.where(others >= focus, others + 1, others)  # (cells,), none is the focus class
    labels[rng.permutation(cells)[:times]] = focus
    tiles = np.array([rng.choice(np.flatnonzero(data.labels == label)) for label in labels])
    return Mosaic(grid, tiles, labels, focus)


def render(mosaic: Mosaic, images: np.ndarray) -> np.ndarray:
    """Paste the tiles, enlarged bicubically. images: uint8 (n, 32, 32, 3). Returns uint8 (224, 224, 3)."""
    return tiled([images[index] for index in mosaic.tiles], mosaic.grid, mosaic.grid, SIZE)


def tiled(
    pictures: Sequence[np.ndarray], rows: int, columns: int, side: int, seam: int = 0, ground: int = 0
) -> np.ndarray:
    """Pictures, uint8 (h, w, 3) each, row by row in equal fields of one, uint8 (side, side, 3).

    Each is squeezed into its field, bicubically. seam: pixels between two, of the grey level `ground`.
    """
    canvas = np.full((side, side, 3), ground, np.uint8)
    down, across = (np.round(np.linspace(0, side, n + 1)).astype(int).tolist() for n in (rows, columns))
    for cell, picture in enumerate(pictures):
        row, column = divmod(cell, columns)
        height, width = down[row + 1] - down[row] - seam, across[column + 1] - across[column] - seam
        y, x = down[row] + seam // 2, across[column] + seam // 2
        shown = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
        canvas[y : y + height, x : x + width] = np.asarray(shown)
    return canvas


def describe(mosaic: Mosaic, names: tuple[str, ...]) -> str:
    """Tiles row by row: "cat, dog; ship, frog"."""
    rows = mosaic.labels.reshape(mosaic.grid, mosaic.grid)
    return "; ".join(", ".join(names[label] for label in row) for row in rows)


def ask(
    mosaic: Mosaic, kind: str, names: tuple[str, ...], rng: np.random.Generator, wording: str = "seen"
) -> tuple[str, str] | None:
    """Return (question, answer), or None where this mosaic admits no fair question of the kind."""
    template = pick((SEEN if wording == "seen" else HELDOUT)[kind], rng)
    labels, grid = mosaic.labels, mosaic.grid
    counts = np.bincount(labels, minlength=len(names))
    if kind == "position":
        cell = int(rng.integers(len(labels)))
        return template.format(p=position_name(grid, cell)), names[labels[cell]]
    if kind == "existence":
        yes = bool(rng.integers(2))
        candidates = np.flatnonzero(counts > 0 if yes else counts == 0)
        return template.format(a=names[int(rng.choice(candidates))]), "yes" if yes else "no"
    if kind == "count":
        return template.format(a=names[mosaic.focus]), NUMBER_WORDS[counts[mosaic.focus]]
    if kind == "comparison":
        first = int(rng.choice(np.flatnonzero(counts > 0)))
        rivals = np.flatnonzero((counts > 0) & (counts != counts[first]))
        if not len(rivals):
            return None
        pair = [first, int(rng.choice(rivals))]
        rng.shuffle(pair)
        answer = "yes" if counts[pair[0]] > counts[pair[1]] else "no"
        return template.format(a=names[pair[0]], b=names[pair[1]]), answer
    if kind in ("left-of", "above"):
        step = 1 if kind == "left-of" else grid
        cells = [
            cell
            for cell, label in enumerate(labels)
            if counts[label] == 1 and (cell % grid > 0 if kind == "left-of" else cell >= grid)
        ]
        if not cells:
            return None
        cell = int(rng.choice(cells))
        return template.format(a=names[labels[cell]]), names[labels[cell - step]]
    if kind == "describe":
        return template, describe(mosaic, names)
    raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")


def mosaic_examples(
    data: Cifar10,
    n: int,
    *,
    grid: int = 2,
    kinds: tuple[str, ...] = KINDS,
    wording: str = "seen",
    seed: int = 0,
) -> list[Example]:
    """Draw `n` mosaics with one question of each of `kinds` that it admits.

    The pictures come from `data` alone: examples made from the test split show no training picture.
    """
    examples = []
    for i in range(n):
        rng = np.random.default_rng([seed, grid, data.split == "test", i])
        mosaic = draw_mosaic(data, grid, rng)
        media = f"mosaic-{data.split}-{seed}-{grid}-{i}"
        for kind in kinds:
            asked = ask(mosaic, kind, data.names, rng, wording)
            if asked is None:
                continue
            examples.append(
                Example(
                    id=f"{media}-{kind}",
                    modality="image",
                    task="mosaic",
                    instruction=asked[0],
                    answers=(asked[1],),
                    kind=f"{grid}x{grid}-{kind}",
                    source=partial(render, mosaic, data.images),
                    media_id=media,
                    wording=wording,
                )
            )
    return examples
