"""Tiles that did not arrive, filled from what is around them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

_LEAST_WEIGHT = 0.02  # of known pixels under the filter


def conceal(planes: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Fill lost pixels by normalised convolution, with a filter as wide as the hole needs.

    Knutsson and Westin, "Normalized and differential convolution", CVPR 1993, of order zero.

    Args:
        planes: float32 (c, h, w).
        lost: bool (h, w), not everywhere; where it is set, `planes` is not looked at.

    Returns:
        float32 (c, h, w), equal to `planes` where nothing is lost.
    """
    out, left = planes.copy(), lost.copy()
    known = (~lost).astype(np.float32)
    given = planes * known
    sigma = 4.0
    while left.any():
        weight = gaussian_filter(known, sigma)
        spread = gaussian_filter(given, (0, sigma, sigma))
        filled = left & (weight > _LEAST_WEIGHT)
        out[:, filled] = spread[:, filled] / weight[filled]
        left &= ~filled
        sigma *= 2.0
    return out
