"""LLRs to their places in the circular buffer and in the code word, compiled: a header has few of them."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import compiled


@compiled
def fill_buffer(llr, size, begin, bits_per_symbol, limit):  # type: ignore[no-untyped-def]
    """Sums of the LLRs of each place, float32 (blocks, size).

    llr: float32 (blocks, n), interleaved over the bits of a symbol; NaN counts as 0, infinity as `limit`.
    begin: place of the first one.
    """
    blocks, n = llr.shape
    per_bit = n // bits_per_symbol
    soft = np.zeros((blocks, size), np.float32)
    for block in range(blocks):
        place = begin
        for bit in range(bits_per_symbol):
            for symbol in range(per_bit):
                value = llr[block, symbol * bits_per_symbol + bit]
                if np.isfinite(value):
                    soft[block, place] += value
                elif not np.isnan(value):
                    soft[block, place] += limit if value > 0 else -limit
                place = place + 1 if place + 1 < size else 0
    return soft


@compiled
def fill_words(soft, k, fillers, lifting, columns, limit):  # type: ignore[no-untyped-def]
    """LLRs of whole code words, float32 (blocks, columns, lifting): fillers are known, two columns not sent.

    soft: float32 (blocks, buffer size).
    Returns also the number of places that any block received, and the last of them.
    """
    blocks, size = soft.shape
    words = np.zeros((blocks, columns * lifting), np.float32)
    head = max(k - 2 * lifting, 0)
    tail = 2 * lifting + fillers  # a limited buffer ends before the word does
    received, last = 0, 0
    for place in range(size):
        seen = False
        to = place + 2 * lifting if place < head else place + tail
        for block in range(blocks):
            value = soft[block, place]
            seen |= value != 0
            words[block, to] = min(max(value, -limit), limit)
        if seen:
            received, last = received + 1, place
    words[:, k : k + fillers] = limit
    return words.reshape(blocks, columns, lifting), received, last
