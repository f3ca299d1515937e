"""Cyclic redundancy checks of 3GPP TS 38.212 clause 5.1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m4sc.phy.fec.compiled import compiled


@dataclass(frozen=True)
class Crc:
    """A check of `bits` parity bits; `polynomial` without its leading term. It starts from zero."""

    bits: int
    polynomial: int

    def parity(self, bits: np.ndarray) -> np.ndarray:
        """Parity bits, most significant first, uint8 (self.bits,), of `bits`, uint8 (n,) of 0 and 1."""
        register = _remainder(np.ascontiguousarray(bits, np.uint8), self.bits, self.polynomial)
        return np.array([(register >> i) & 1 for i in range(self.bits - 1, -1, -1)], dtype=np.uint8)

    def attach(self, bits: np.ndarray) -> np.ndarray:
        """`bits` followed by their parity, uint8 (n + self.bits,)."""
        return np.concatenate([bits, self.parity(bits)])

    def passes(self, bits: np.ndarray) -> bool:
        """True when the last bits are the parity of those before."""
        if bits.size <= self.bits:
            return False
        return bool((self.parity(bits[: -self.bits]) == bits[-self.bits :]).all())


CRC24A = Crc(24, 0x864CFB)
CRC24B = Crc(24, 0x800063)
CRC24C = Crc(24, 0xB2B117)
CRC16 = Crc(16, 0x1021)


@compiled
def _remainder(bits, length, polynomial):  # type: ignore[no-untyped-def]
    register, mask = 0, (1 << length) - 1
    for bit in bits:
        feedback = (register >> (length - 1)) ^ bit
        register = (register << 1) & mask
        if feedback:
            register ^= polynomial
    return register
