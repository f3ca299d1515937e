"""The inner loops of the search, compiled."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import reordered, vectorized


@vectorized
def rate_all(scores, belief, gains, permutations, totals):  # type: ignore[no-untyped-def]
    """Scores of every continuation of every hypothesis.

    Args:
        scores: float32 (n,), of the hypotheses; belief: float32 (n, vocab), the language model's.
        gains: float32 (size,), of the words of the book; permutations: uint32 (n, 3), of the hypotheses.
        totals: float32 (n, vocab), takes the result.
    """
    mask = np.uint32(len(gains) - 1)
    for row in range(len(scores)):
        flip, factor, shift = permutations[row, 0], permutations[row, 1], permutations[row, 2]
        base = scores[row]
        for v in range(belief.shape[1]):
            word = ((np.uint32(v) ^ flip) * factor + shift) & mask
            totals[row, v] = base + belief[row, v] + gains[word]


@reordered
def fit(book, linear, weight, found):  # type: ignore[no-untyped-def]
    """What symbols say for every word: |y|^2 - |y - word|^2 over the noise, summed.

    Args:
        book: float32 (size, width, 2).
        linear: float32 (s, 2), 2 y / noise variance; weight: float32 (s,), 1 / noise variance; s <= width.
        found: float32 (size,), takes the result.
    """
    for v in range(len(found)):
        total = np.float32(0.0)
        for j in range(len(weight)):
            a, b = book[v, j, 0], book[v, j, 1]
            total += linear[j, 0] * a + linear[j, 1] * b - weight[j] * (a * a + b * b)
        found[v] = total


@vectorized
def log_sum_exp(values, within):  # type: ignore[no-untyped-def]
    """ln of the summed exponentials of float32 (n,), of those not more than `within` below the highest."""
    top = values[0]
    for value in values:
        top = max(top, value)
    total = 0.0
    for value in values:
        if value > top - within:
            total += np.exp(np.float64(value - top))
    return top + np.log(total)


@vectorized
def not_below(values, least):  # type: ignore[no-untyped-def]
    """Places of float32 (n,) whose values are above `least`, int64."""
    count = 0
    for value in values:
        count += value > least
    places = np.empty(count, np.int64)
    filled = 0
    for place in range(len(values)):
        if values[place] > least:
            places[filled] = place
            filled += 1
    return places
