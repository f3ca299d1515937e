"""5G NR LDPC code of one code block: rate matching with redundancy versions, encoder, decoder.

3GPP TS 38.212 clauses 5.3.2 and 5.4.2. LLRs are positive for a 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from m4sc.phy.fec.base_graph import BaseGraph, base_graph, lifting_sizes
from m4sc.phy.fec.ldpc_encoder import code_word
from m4sc.phy.fec.min_sum import decode_layered
from m4sc.phy.fec.soft_buffer import fill_buffer, fill_words

MAX_INFO_BITS = {1: 8448, 2: 3840}
REDUNDANCY_VERSIONS = (0, 1, 2, 3)
_STARTS = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}  # table 5.4.2.1-2: of so many columns of a full buffer
# Scale of the min-sum messages by rate and base graph: where the block error rate was least among scales 0.55
# to 0.85 in AWGN (k = 6000 on graph 1; 288 and 2000 on graph 2; 20 iterations).
_SCALES = {
    1: ((1 / 3, 0.4, 0.5, 2 / 3, 8 / 9), (0.62, 0.65, 0.68, 0.70, 0.78)),
    2: ((1 / 5, 1 / 3, 1 / 2, 2 / 3, 5 / 6), (0.65, 0.70, 0.72, 0.77, 0.82)),
}
_LARGEST_LLR = 1e4  # also of the fillers, which are known


def choose_base_graph(n_info: int, rate: float) -> int:
    """Base graph of a transport block of `n_info` bits (38.212 clause 7.2.2)."""
    return 2 if n_info <= 292 or (n_info <= 3824 and rate <= 0.67) or rate <= 0.25 else 1


@dataclass(frozen=True)
class LdpcCode:
    """One code block: `k` bits in, `n` bits out, with interleaving over the bits of a symbol.

    Attributes:
        graph: lifted base graph.
        k: information bits, CRCs included.
        n: coded bits, a multiple of `bits_per_symbol`.
        bits_per_symbol: of the modulation.
        buffer_limit: bits of the circular buffer, fillers included, N_ref of clause 5.4.2.1; None for all.
    """

    graph: BaseGraph
    k: int
    n: int
    bits_per_symbol: int
    buffer_limit: int | None = None

    @property
    def fillers(self) -> int:
        """Zero bits that fill the information columns and are not sent."""
        return self.graph.info_columns * self.graph.lifting - self.k

    @cached_property
    def buffer(self) -> np.ndarray:
        """Places in the code word of the circular buffer, fillers left out, int64 (buffer size,)."""
        z = self.graph.lifting
        word = np.arange(2 * z, 2 * z + self._limit)
        return word[(word < self.k) | (word >= self.k + self.fillers)]

    @property
    def _limit(self) -> int:
        """N_cb: bits of the circular buffer with its fillers."""
        every = (self.graph.columns - 2) * self.graph.lifting
        return every if self.buffer_limit is None else min(every, self.buffer_limit)

    def start(self, version: int) -> int:
        """Place in `buffer` of the first bit of a redundancy version.

        Raises:
            ValueError: no such version.
        """
        if version not in REDUNDANCY_VERSIONS:
            raise ValueError(f"there is no redundancy version {version}; use 0 to 3")
        return self._starts[version]

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        z, every = self.graph.lifting, self.graph.columns - 2
        columns = 2 + np.array(_STARTS[self.graph.number]) * self._limit // (every * z)
        return tuple(int(n) for n in np.searchsorted(self.buffer, columns * z))

    def encode(self, bits: np.ndarray, version: int = 0) -> np.ndarray:
        """Information to coded, interleaved bits.

        Args:
            bits: uint8 (k,) of 0 and 1.
            version: redundancy version, 0 to 3.

        Returns:
            uint8 (n,).

        Raises:
            ValueError: another number of bits, or no such version.
        """
        if bits.shape != (self.k,):
            raise ValueError(f"this code takes {self.k} bits, not {bits.shape}")
        circle = np.roll(code_word(self.graph, bits)[self.buffer], -self.start(version))
        return np.resize(circle, self.n).reshape(self.bits_per_symbol, -1).T.ravel()

    def soft_buffer(self, llr: np.ndarray, version: int = 0) -> np.ndarray:
        """LLRs of a transmission at their places; those of several transmissions add up.

        Args:
            llr: float (n,) or (blocks, n), in the order of the coded bits. NaN counts as not received.
            version: redundancy version that was sent.

        Returns:
            float32 (buffer size,) or (blocks, buffer size).

        Raises:
            ValueError: another number of LLRs, or no such version.
        """
        if llr.ndim not in (1, 2) or llr.shape[-1] != self.n:
            raise ValueError(f"this code takes {self.n} LLRs a block, not {llr.shape}")
        rows = np.ascontiguousarray(np.atleast_2d(llr), np.float32)
        limit, begin = np.float32(_LARGEST_LLR), self.start(version)
        soft = fill_buffer(rows, self.buffer.size, begin, self.bits_per_symbol, limit)
        return soft[0] if llr.ndim == 1 else soft

    def decode(self, llr: np.ndarray, iterations: int = 20, version: int = 0) -> np.ndarray:
        """LLRs as in :meth:`soft_buffer` to hard decisions, uint8 (k,) or (blocks, k)."""
        return self.decode_buffer(self.soft_buffer(llr, version), iterations)

    def decode_buffer(self, soft: np.ndarray, iterations: int = 20) -> np.ndarray:
        """Sum of soft buffers, (buffer size,) or (blocks, buffer size), to hard decisions.

        Returns:
            uint8 (k,) or (blocks, k).
        """
        z = self.graph.lifting
        rows = np.ascontiguousarray(np.atleast_2d(soft), np.float32)
        words, received, place = fill_words(rows, self.k, self.fillers, z, self.graph.columns)
        last = int(self.buffer[place]) // z if received else 0
        checks = self.checks(max(4, last + 1 - self.graph.info_columns))
        scale = float(np.interp(self.k / max(received, 1), *_SCALES[self.graph.number]))
        decode_layered(words, *checks, np.int32(round(128 * scale)), iterations)
        bits = (words.reshape(len(rows), -1)[:, : self.k] < 0).astype(np.uint8)
        return bits[0] if soft.ndim == 1 else bits

    def checks(self, rows: int) -> tuple[np.ndarray, ...]:
        """The first `rows` checks: start, column, shift as :func:`decode_layered` takes them.

        Those behind those that were received say nothing. Nor do columns of nothing but
        fillers: their edges are left out.
        """
        if rows in self._checks_of:
            return self._checks_of[rows]
        graph, known = self.graph, -(-self.k // self.graph.lifting)
        edges = np.arange(graph.start[rows])
        edges = edges[(graph.column[edges] < known) | (graph.column[edges] >= graph.info_columns)]
        start = np.searchsorted(edges, graph.start[: rows + 1])
        self._checks_of[rows] = start, graph.column[edges], graph.shift[edges]
        return self._checks_of[rows]

    @cached_property
    def _checks_of(self) -> dict[int, tuple[np.ndarray, ...]]:
        return {}


@lru_cache(maxsize=64)
def ldpc_code(k: int, n: int, bits_per_symbol: int, number: int, buffer_limit: int | None = None) -> LdpcCode:
    """The code of `k` information and `n` coded bits on base graph `number`.

    buffer_limit: see :class:`LdpcCode`; at least what holds the information.

    Raises:
        ValueError: `k` too long, `n` not a multiple of `bits_per_symbol`, or too small a buffer.
    """
    if not 1 <= k <= MAX_INFO_BITS[number]:
        raise ValueError(
            f"a code block of base graph {number} has 1 to {MAX_INFO_BITS[number]} bits, not {k}"
        )
    if n < 1 or n % bits_per_symbol:
        raise ValueError(f"{n} coded bits are not a positive multiple of {bits_per_symbol}")
    columns = 22 if number == 1 else 10 if k > 640 else 9 if k > 560 else 8 if k > 192 else 6
    lifting = next(z for z in lifting_sizes() if columns * z >= k)
    least = (22 if number == 1 else 10) * lifting
    if buffer_limit is not None and buffer_limit < least:
        raise ValueError(f"a circular buffer of {buffer_limit} bits is less than the {least} of this code")
    return LdpcCode(base_graph(number, lifting), k, n, bits_per_symbol, buffer_limit)
