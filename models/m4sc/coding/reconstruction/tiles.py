"""A picture of any size as tiles that overlap no more than they must."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn


def tile_offsets(length: int, tile: int) -> list[int]:
    """First pixels of the tiles that cover `length` pixels, evenly spread; the fewest that do."""
    count = max(1, -(-length // tile))
    return [int(x) for x in np.linspace(0, max(length - tile, 0), count).round()]


def tile_count(height: int, width: int, tile: int) -> int:
    """Tiles of a picture."""
    return len(tile_offsets(height, tile)) * len(tile_offsets(width, tile))


def cut(pictures: Tensor, tile: int) -> Tensor:
    """Pictures, float (n, c, h, w), to tiles, float (n, t, c, tile, tile), row by row.

    A side shorter than a tile is filled up by repeating its last pixel.
    """
    height, width = pictures.shape[-2:]
    lacking = (0, max(0, tile - width), 0, max(0, tile - height))
    if any(lacking):
        pictures = nn.functional.pad(pictures, lacking, mode="replicate")
    rows, columns = tile_offsets(height, tile), tile_offsets(width, tile)
    return torch.stack([pictures[:, :, y : y + tile, x : x + tile] for y in rows for x in columns], dim=1)


@lru_cache(maxsize=8)
def _weight(tile: int) -> Tensor:
    """Weight of each pixel of a tile where tiles overlap: falls towards the edges, float (tile, tile)."""
    with torch.inference_mode(False):  # what is kept serves training too
        ramp = torch.minimum(torch.arange(1, tile + 1), torch.arange(tile, 0, -1)).float()
        return ramp[:, None] * ramp[None, :]


def join(tiles: Tensor, height: int, width: int) -> Tensor:
    """Inverse of :func:`cut`: float (n, t, c, tile, tile) to (n, c, h, w) with h, w not below a tile's side.

    Where tiles overlap their mean is taken, weighted by the distance to each tile's edge.
    """
    tile = tiles.shape[-1]
    rows, columns = tile_offsets(height, tile), tile_offsets(width, tile)
    if tiles.shape[1] == 1:
        return tiles[:, 0]
    places = [(y, x) for y in rows for x in columns]
    full = (tiles.shape[0], tiles.shape[2], max(height, tile), max(width, tile))
    total, weights, weight = tiles.new_zeros(full), tiles.new_zeros(full[-2:]), _weight(tile).to(tiles)
    for i, (y, x) in enumerate(places):
        total[:, :, y : y + tile, x : x + tile] += tiles[:, i] * weight
        weights[y : y + tile, x : x + tile] += weight
    return total / weights


def tile_pixels(chosen: np.ndarray, height: int, width: int, tile: int) -> np.ndarray:
    """Pixels that a chosen tile covers, bool (h, w) with sides not below a tile's.

    chosen: bool (t,), in the order of :func:`cut`.
    """
    covered = np.zeros((max(height, tile), max(width, tile)), bool)
    places = [(y, x) for y in tile_offsets(height, tile) for x in tile_offsets(width, tile)]
    for (y, x), own in zip(places, chosen, strict=True):
        covered[y : y + tile, x : x + tile] |= bool(own)
    return covered
