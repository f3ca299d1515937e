"""Bootstrap interval of a mean."""

from __future__ import annotations

import numpy as np


def bootstrap_interval(
    scores: np.ndarray, *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean (Efron, 1979). scores: float (n,), n >= 1; lost ones are zeros.

    Raises:
        ValueError: no scores, or one that is not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError("an interval needs at least one score, all finite, in one dimension")
    rng = np.random.default_rng(seed)
    means = scores[rng.integers(scores.size, size=(draws, scores.size))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
