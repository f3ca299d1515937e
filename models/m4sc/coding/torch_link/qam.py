"""Square QAM grid with a straight-through gradient."""

from __future__ import annotations

import torch
from torch import Tensor


def round_to_grid(symbols: Tensor, order: int) -> Tensor:
    """Nearest point of a grid of unit mean energy; the gradient passes as if nothing were rounded.

    Args:
        symbols: float (..., 2), I and Q.
        order: 4, 16, 64, 256, 1024 or 4096 points.

    Raises:
        ValueError: another order.

    Source: Bengio, Leonard, Courville, arXiv 1308.3432 (straight-through estimator); the grid is that of
    ``m4sc.phy.modulation.mapping.round_to_grid``.
    """
    side = round(order**0.5)
    if side * side != order or side not in (2, 4, 8, 16, 32, 64):
        raise ValueError(f"a QAM grid of {order} points is not supported; use 4, 16, 64, 256, 1024 or 4096")
    scale = (2.0 * (order - 1) / 3.0) ** 0.5
    nearest = (2.0 * torch.floor(symbols * scale / 2.0) + 1.0).clamp(1 - side, side - 1) / scale
    return symbols + (nearest - symbols).detach()
