"""The pseudo-random sequence of 5G NR, 3GPP TS 38.211 clause 5.2.1."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_DISCARDED = 1600


@lru_cache(maxsize=32)
def gold_sequence(c_init: int, length: int) -> np.ndarray:
    """Bits c(0) to c(length - 1), uint8 (length,), read-only. c_init: 31 bits."""
    total = _DISCARDED + length
    x1, x2 = np.zeros(total + 31, np.uint8), np.zeros(total + 31, np.uint8)
    x1[0] = 1
    x2[:31] = (c_init >> np.arange(31)) & 1
    for n in range(total):
        x1[n + 31] = x1[n + 3] ^ x1[n]
        x2[n + 31] = x2[n + 3] ^ x2[n + 2] ^ x2[n + 1] ^ x2[n]
    found = x1[_DISCARDED:total] ^ x2[_DISCARDED:total]
    found.setflags(write=False)
    return found
