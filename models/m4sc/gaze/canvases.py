"""Pictures of several tiles, and single ones, with the parts that places on them name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m4sc.data.mosaic import tiled
from m4sc.gaze.box import Box

GRIDS = ((1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (2, 3), (3, 2), (3, 3))
"""Rows and columns of tiles."""
_HALVES = {0: (0.0, 0.5), 1: (0.25, 0.75), 2: (0.5, 1.0)}  # of an axis without tiles
_WIDEST_SEAM = 6  # pixels


@dataclass(frozen=True)
class Place:
    """A place on a picture.

    Attributes:
        row: 0 the top, 1 the middle, 2 the bottom; None where only left or right is named.
        column: 0 the left, 1 the centre, 2 the right; None likewise.
    """

    row: int | None
    column: int | None

    def __post_init__(self) -> None:
        if self.row is None and self.column is None:
            raise ValueError("a place names a row or a column")


PLACES = tuple(
    Place(row, column)
    for row in (0, 1, 2, None)
    for column in (0, 1, 2, None)
    if (row, column) != (None, None)
)


def has_place(place: Place, rows: int, columns: int) -> bool:
    """Whether tiles in so many rows and columns have a place: two rows have no middle one."""
    return not (rows == 2 and place.row == 1) and not (columns == 2 and place.column == 1)


def part_of(place: Place, rows: int, columns: int) -> Box:
    """The part of a picture of tiles that a place names; of an axis without tiles a half of it.

    Raises:
        ValueError: there is no such place.
    """
    if not has_place(place, rows, columns):
        raise ValueError(f"{rows} x {columns} tiles have no {place}")
    top, bottom = _extent(place.row, rows)
    left, right = _extent(place.column, columns)
    return left, top, right, bottom


def _extent(number: int | None, tiles: int) -> tuple[float, float]:
    if number is None:
        return 0.0, 1.0
    if tiles == 1:
        return _HALVES[number]
    first = number if tiles == 3 else number // 2
    return first / tiles, (first + 1) / tiles


@dataclass(frozen=True)
class Canvas:
    """A picture, uint8 (side, side, 3), of so many rows and columns of tiles."""

    picture: np.ndarray
    rows: int
    columns: int


def draw_canvas(pool: Sequence[np.ndarray], side: int, rng: np.random.Generator) -> Canvas:
    """Tiles drawn from a pool of pictures, uint8 (H, W, 3), squeezed into equal fields; some have seams."""
    rows, columns = GRIDS[int(rng.integers(len(GRIDS)))]
    seam = int(rng.integers(_WIDEST_SEAM + 1)) if rng.random() < 0.3 and rows * columns > 1 else 0
    ground = int(rng.choice((0, 255)))
    drawn = [pool[int(rng.integers(len(pool)))] for _ in range(rows * columns)]
    return Canvas(tiled(drawn, rows, columns, side, seam, ground), rows, columns)
