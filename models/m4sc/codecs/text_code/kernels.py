"""The inner loop of the search, compiled."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import vectorized


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
