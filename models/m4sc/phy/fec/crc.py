"""Cyclic redundancy checks of 3GPP TS 38.212 clause 5.1."""

from __future__ import annotations

import numpy as np

CRC24A = 0x864CFB
CRC24B = 0x800063
BITS = 24


def crc24(bits: np.ndarray, polynomial: int = CRC24A) -> np.ndarray:
    """Parity bits, most significant first, uint8 (24,), of `bits`, uint8 (n,) of 0 and 1."""
    register, mask = 0, (1 << BITS) - 1
    for bit in bits.tolist():
        feedback = (register >> (BITS - 1)) ^ bit
        register = (register << 1) & mask
        if feedback:
            register ^= polynomial
    return np.array([(register >> i) & 1 for i in range(BITS - 1, -1, -1)], dtype=np.uint8)


def attach(bits: np.ndarray, polynomial: int = CRC24A) -> np.ndarray:
    """`bits` followed by their CRC, uint8 (n + 24,)."""
    return np.concatenate([bits, crc24(bits, polynomial)])


def passes(bits: np.ndarray, polynomial: int = CRC24A) -> bool:
    """True when the last 24 bits are the CRC of those before."""
    return bits.size > BITS and bool((crc24(bits[:-BITS], polynomial) == bits[-BITS:]).all())
