"""Polar code of 5G NR with its rate matching: 3GPP TS 38.212 clauses 5.3.1 and 5.4.1.

Without the interleaver of the information and without parity-check bits, as for control information of 26
bits or more in the uplink; without the channel interleaver of clause 5.4.1.3, whose place a caller's own
takes. LLRs are positive for a 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from m4sc.phy.fec.crc import Crc
from m4sc.phy.fec.polar_list import decode_list, node_schedule

_LEAST_STAGES, _MOST_STAGES = 5, 9  # n_min, and n_max of the downlink
_BLOCKS = 32  # of the sub-block interleaver
# Table 5.4.1.1-1
_PATTERN = (
    *(0, 1, 2, 4, 3, 5, 6, 7, 8, 16, 9, 17, 10, 18, 11, 19),
    *(12, 20, 13, 21, 14, 22, 15, 23, 24, 25, 26, 28, 27, 29, 30, 31),
)


@lru_cache(maxsize=1)
def reliability_sequence() -> np.ndarray:
    """Table 5.3.1.2-1: places of a code of 1024 bits, the least reliable first, int64 (1024,)."""
    path = Path(__file__).with_name("polar_sequence.csv")
    return np.loadtxt(path, delimiter=",", dtype=np.int64).ravel()


def mother_length(k: int, n: int) -> int:
    """N of clause 5.3.1 for `k` bits with their CRC and `n` coded bits."""
    stages = int(np.ceil(np.log2(n)))
    if n <= 9 / 8 * 2 ** (stages - 1) and k / n < 9 / 16:
        stages -= 1
    return int(2 ** max(min(stages, int(np.ceil(np.log2(8 * k))), _MOST_STAGES), _LEAST_STAGES))


@dataclass(frozen=True)
class PolarCode:
    """`k` bits, their CRC included, in `n` coded bits.

    Attributes:
        k: information bits and CRC.
        n: coded bits.
    """

    k: int
    n: int

    def __post_init__(self) -> None:
        if not 1 <= self.k <= min(self.n, self.length):
            raise ValueError(
                f"a polar code of {self.n} bits, {self.length} before rate matching, does not hold {self.k}"
            )

    @cached_property
    def length(self) -> int:
        """N: bits of the mother code."""
        return mother_length(self.k, self.n)

    @cached_property
    def _order(self) -> np.ndarray:
        """J(n) of clause 5.4.1.1: place in the mother code of each bit of the circular buffer."""
        place = np.arange(self.length)
        block = self.length // _BLOCKS
        return np.array(_PATTERN)[place // block] * block + place % block

    @property
    def _shortens(self) -> bool:
        return self.k / self.n > 7 / 16

    @cached_property
    def places(self) -> np.ndarray:
        """Place in the mother code of each coded bit, int64 (n,); clause 5.4.1.2."""
        if self.n >= self.length:
            return np.resize(self._order, self.n)
        return self._order[: self.n] if self._shortens else self._order[self.length - self.n :]

    @cached_property
    def information(self) -> np.ndarray:
        """Places of u that carry the bits, ascending, int64 (k,); clause 5.4.1.1."""
        barred = np.zeros(self.length, bool)
        left_out = self.length - self.n
        if left_out > 0 and self._shortens:
            barred[self._order[self.n :]] = True
        elif left_out > 0:
            barred[self._order[:left_out]] = True
            share = self.n / self.length
            first = 3 * self.length / 4 - self.n / 2 if share >= 0.75 else 9 * self.length / 16 - self.n / 4
            barred[: int(np.ceil(first))] = True
        sequence = reliability_sequence()
        sequence = sequence[sequence < self.length]
        usable = sequence[~barred[sequence]]
        return np.sort(usable[-self.k :])

    @cached_property
    def schedule(self) -> np.ndarray:
        """What :func:`decode_list` goes through, int64 (nodes, 3)."""
        return node_schedule(self.information, self.length)

    def encode(self, bits: np.ndarray) -> np.ndarray:
        """uint8 (k,) or (blocks, k) of 0 and 1 to coded bits, uint8 (n,) or (blocks, n)."""
        words = np.zeros((*bits.shape[:-1], self.length), np.uint8)
        words[..., self.information] = bits
        half = 1
        while half < self.length:
            pairs = words.reshape(*bits.shape[:-1], -1, 2, half)
            pairs[..., 0, :] ^= pairs[..., 1, :]
            half *= 2
        return words[..., self.places]

    def mother_llrs(self, llr: np.ndarray) -> np.ndarray:
        """LLRs of coded bits, float (n,), at their places; repetitions add up: float32 (length,).

        What is not sent says nothing, or, of a shortened code, is a known 0.
        """
        found = np.zeros(self.length, np.float32)
        np.add.at(found, self.places, llr.astype(np.float32))
        return found + self.known

    @cached_property
    def known(self) -> np.ndarray:
        """LLRs of mother bits before any is received, float32 (length,)."""
        found = np.zeros(self.length, np.float32)
        if self.n < self.length and self._shortens:
            found[self._order[self.n :]] = 1e4
        return found

    def decode(self, llr: np.ndarray, check: Crc, paths: int = 8) -> np.ndarray | None:
        """LLRs, float (n,), to bits with their CRC, uint8 (k,): the likeliest of `paths` whose CRC is right.

        None where no path's is. A list of Tal and Vardy, "List decoding of polar codes", IEEE Trans. Inf.
        Theory 61 (2015), on LLRs after Balatsoukas-Stimming et al., IEEE Trans. Signal Process. 63 (2015).
        """
        bits, valid = decode_list(
            self.mother_llrs(llr), self.schedule, self.k, paths, check.bits, check.polynomial
        )
        return np.asarray(bits) if valid else None
