"""Bootstrap intervals of means, and of figures made from means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


def share_interval(count: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a share of which `count` of `n` draws speak (Wilson, 1927); z: 1.96 for 95 %.

    Raises:
        ValueError: no draws, or more counted than drawn.
    """
    if not 0 <= count <= n or n < 1:
        raise ValueError(f"{count} of {n} is no share")
    share, spread = count / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    reach = z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach))


def crossed_interval(
    values: np.ndarray,
    figure: Callable[[np.ndarray], np.ndarray],
    groups: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a figure over examples, each sent through the channel of several seeds.

    Examples and seeds are both drawn with replacement, so that what is common to a seed and the choice of
    examples both widen the interval (the "pigeonhole" bootstrap of Owen, 2007).

    Args:
        values: float (seeds, n, d), finite, n >= 1.
        figure: float (draws, d), means over drawn seeds and examples, to float (draws,).
        groups: the message of each example, (n,): questions about one picture are drawn together, since they
            are right or wrong together (the cluster bootstrap). None: each example is a message of its own.

    Raises:
        ValueError: as many groups as examples are needed; no values, or one that is not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 3 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("an interval needs at least one value, all finite, by seed, example and number")
    rng, (seeds, n, _) = np.random.default_rng(seed), values.shape
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    names = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(names) != n:
        raise ValueError(f"{len(names)} groups were given for {n} examples")
    count = int(names.max()) + 1
    chosen = rng.multinomial(count, np.full(count, 1 / count), size=draws)[:, names].astype(np.float64)
    chosen /= chosen.sum(axis=1, keepdims=True)  # drawn groups differ in size
    means = np.einsum("ds,dn,snk->dk", weights, chosen, values, optimize=True)
    low, high = np.quantile(figure(means), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
