"""Finite scalar quantisation with a straight-through gradient; NumPy: ``m4sc.phy.modulation.fsq``."""

from __future__ import annotations

import torch
from torch import Tensor

from m4sc.phy.modulation.fsq import level_noise, level_values

_SPREAD = 3.0**0.5


def quantise(symbols: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Each real at the value of its level; the gradient passes as if nothing were quantised.

    Args:
        symbols: float (..., 2), I and Q, unit mean power.
        levels: of a real, 2 to 256.

    Returns:
        float (..., 2), and the expected complex noise variance of each pair, float (...).

    Raises:
        ValueError: levels out of range.

    Source: Mentzer et al., arXiv 2309.15505.
    """
    values = torch.from_numpy(level_values(levels).copy()).to(symbols)
    noise = torch.from_numpy(level_noise(levels).copy()).to(symbols)
    share = 0.5 * (1.0 + torch.erf(symbols.detach() / _SPREAD))
    index = (share * levels).long().clamp_max(levels - 1)
    return symbols + (values[index] - symbols).detach(), noise[index].sum(-1)
