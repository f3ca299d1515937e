"""LLRs to their places in the circular buffer and in the code word, compiled: a header has few of them."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import compiled, reordered

_KNOWN, _MOST = 127, 48  # bytes: of a known bit, and of a received one, which leaves room for what is added
_SURE = np.float32(14.0)  # LLR that is as good as known
# What a block's usual LLR is as a byte, by its rate: bits of many checks sum up and would saturate, those of
# few need fine steps. At rates 1/3 and 1/2 the largest with which none of 10,000 long blocks was lost 0.3 dB
# above the threshold (with half as much again 2 % were at rate 1/3, and 1 % even at 0.8 dB); at the other two
# none was of 10,000 (2/3) and of 1,000 blocks (1/5), larger ones were not tried with as many.
_RATES, _USUAL = np.array([0.2, 0.33, 0.5, 0.67]), np.array([10.0, 12.0, 14.0, 20.0])


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
            done = 0
            while done < per_bit:
                count = min(per_bit - done, size - place)
                first = done * bits_per_symbol + bit
                _add(llr[block, first::bits_per_symbol], soft[block, place : place + count], limit)
                done, place = done + count, place + count if place + count < size else 0
    return soft


@compiled
def _add(values, sums, limit):  # type: ignore[no-untyped-def]
    for i in range(sums.size):
        value = min(max(values[i], -limit), limit)
        sums[i] += value if values[i] == values[i] else np.float32(0)


@reordered
def fill_words(soft, k, fillers, lifting, columns):  # type: ignore[no-untyped-def]
    """LLRs of whole code words, int8 (blocks, columns, lifting): fillers are known, two columns not sent.

    Each block has its own scale: min-sum does not mind it. What is sure anyway does not count, so that it
    does not leave the rest without steps.

    soft: float32 (blocks, buffer size).
    Returns also the number of places that any block received, and the last of them.
    """
    blocks, size = soft.shape
    words = np.zeros((blocks, columns * lifting), np.int8)
    head = max(k - 2 * lifting, 0)
    tail = 2 * lifting + fillers  # a limited buffer ends before the word does
    seen = np.zeros(size, np.uint8)
    for block in range(blocks):
        row = soft[block]
        total, count = np.float32(0), np.float32(0)
        for place in range(size):
            value = abs(row[place])
            total += min(value, _SURE)
            count += np.float32(value > 0)
            seen[place] |= value > 0
        usual = np.interp(k / max(count, np.float32(1)), _RATES, _USUAL)
        scale = np.float32(usual * max(count, np.float32(1)) / max(total, np.float32(1e-20)))
        _to_bytes(row[:head], scale, words[block, 2 * lifting :])
        _to_bytes(row[head:], scale, words[block, tail + head :])
    words[:, k : k + fillers] = _KNOWN
    received, last = 0, 0
    for place in range(size):
        if seen[place]:
            received, last = received + 1, place
    return words.reshape(blocks, columns, lifting), received, last


@reordered
def _to_bytes(values, scale, words):  # type: ignore[no-untyped-def]
    for i in range(values.size):
        words[i] = np.int8(np.rint(min(max(values[i] * scale, np.float32(-_MOST)), np.float32(_MOST))))
