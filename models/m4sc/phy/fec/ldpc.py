"""5G NR LDPC code of one code block: encoder, rate matching and layered decoder.

3GPP TS 38.212 clauses 5.3.2 and 5.4.2; redundancy version 0 and no limited buffer. LLRs are positive for a 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numba import njit

from m4sc.phy.fec.base_graph import BaseGraph, base_graph, lifting_sizes

MAX_INFO_BITS = {1: 8448, 2: 3840}
_FILLER_LLR = 1e4
_SCALE = 0.8  # of the min-sum messages


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
    """

    graph: BaseGraph
    k: int
    n: int
    bits_per_symbol: int

    @property
    def fillers(self) -> int:
        """Zero bits that fill the information columns and are not sent."""
        return self.graph.info_columns * self.graph.lifting - self.k

    @cached_property
    def sent(self) -> np.ndarray:
        """Places in the code word of the coded bits, int64 (n,); they repeat where n is large."""
        z = self.graph.lifting
        word = np.arange(2 * z, self.graph.columns * z)
        info = self.graph.info_columns * z
        word = word[(word < self.k) | (word >= info)]
        return np.resize(word, self.n)

    def encode(self, bits: np.ndarray) -> np.ndarray:
        """uint8 (k,) to uint8 (n,), interleaved."""
        if bits.shape != (self.k,):
            raise ValueError(f"this code takes {self.k} bits, not {bits.shape}")
        word = _code_word(self.graph, bits)
        return word[self.sent].reshape(self.bits_per_symbol, -1).T.ravel()

    def decode(self, llr: np.ndarray, iterations: int = 20) -> np.ndarray:
        """float (n,) LLRs in the order of the coded bits, to uint8 (k,) hard decisions."""
        if llr.shape != (self.n,):
            raise ValueError(f"this code takes {self.n} LLRs, not {llr.shape}")
        graph, z = self.graph, self.graph.lifting
        straight = np.asarray(llr, np.float32).reshape(-1, self.bits_per_symbol).T.ravel()
        word = np.zeros(graph.columns * z, np.float32)
        sent = self.sent
        np.add.at(word, sent, straight)
        word[self.k : self.k + self.fillers] = _FILLER_LLR
        used = int(sent.max()) // z + 1  # checks on parity bits that were not sent say nothing
        rows = max(4, used - graph.info_columns)
        word = word.reshape(graph.columns, z)
        _min_sum(word, graph.start[: rows + 1], graph.column, graph.shift, iterations, _SCALE)
        return (word.ravel()[: self.k] < 0).astype(np.uint8)


@lru_cache(maxsize=64)
def ldpc_code(k: int, n: int, bits_per_symbol: int, number: int) -> LdpcCode:
    """The code of `k` information and `n` coded bits on base graph `number`.

    Raises:
        ValueError: `k` too long, or `n` not a multiple of `bits_per_symbol`.
    """
    if not 1 <= k <= MAX_INFO_BITS[number]:
        raise ValueError(
            f"a code block of base graph {number} has 1 to {MAX_INFO_BITS[number]} bits, not {k}"
        )
    if n < 1 or n % bits_per_symbol:
        raise ValueError(f"{n} coded bits are not a positive multiple of {bits_per_symbol}")
    columns = 22 if number == 1 else 10 if k > 640 else 9 if k > 560 else 8 if k > 192 else 6
    lifting = next(z for z in lifting_sizes() if columns * z >= k)
    return LdpcCode(base_graph(number, lifting), k, n, bits_per_symbol)


def _code_word(graph: BaseGraph, bits: np.ndarray) -> np.ndarray:
    """Systematic code word, uint8 (columns * Z,); the first four parity columns by back substitution."""
    z, first = graph.lifting, graph.info_columns
    word = np.zeros((graph.columns, z), np.uint8)
    word.ravel()[: bits.size] = bits
    sums = [_check(graph, word, row) for row in range(4)]
    # Summed over the four rows the double diagonal cancels; of the three entries of the first parity
    # column the one whose shift has no equal is left.
    shifts = [int(s) for r in range(4) for s in _entries(graph, r, first)]
    odd = next(s for s in shifts if shifts.count(s) % 2)
    word[first] = np.roll(np.bitwise_xor.reduce(sums), odd)
    for row, parity in ((0, first + 1), (1, first + 2), (2, first + 3)):
        word[parity] = _check(graph, word, row)
    _extend(word, graph.start, graph.column, graph.shift, first)
    return word.ravel()


def _entries(graph: BaseGraph, row: int, column: int) -> np.ndarray:
    edges = slice(graph.start[row], graph.start[row + 1])
    return graph.shift[edges][graph.column[edges] == column]


def _check(graph: BaseGraph, word: np.ndarray, row: int) -> np.ndarray:
    """Parity of one row, uint8 (Z,)."""
    total = np.zeros(graph.lifting, np.uint8)
    _add_row(word, graph.start, graph.column, graph.shift, row, total)
    return total


@njit(cache=True)
def _add_row(word, start, column, shift, row, total):  # type: ignore[no-untyped-def]
    """Add the bits of one check to `total`, modulo 2."""
    z = word.shape[1]
    for edge in range(start[row], start[row + 1]):
        line, turn = word[column[edge]], shift[edge]
        for i in range(z - turn):
            total[i] ^= line[i + turn]
        for i in range(z - turn, z):
            total[i] ^= line[i + turn - z]


@njit(cache=True)
def _extend(word, start, column, shift, first):  # type: ignore[no-untyped-def]
    """The parity columns behind the first four: each is the sum of its row, itself still zero."""
    for row in range(4, start.size - 1):
        total = np.zeros(word.shape[1], np.uint8)
        _add_row(word, start, column, shift, row, total)
        word[first + row] = total


@njit(cache=True)
def _min_sum(word, start, column, shift, iterations, scale):  # type: ignore[no-untyped-def]
    """Layered normalised min-sum on float32 (columns, Z), in place; stops when every check holds."""
    rows, z = start.size - 1, word.shape[1]
    messages = np.zeros((start[rows], z), np.float32)
    degree = 0
    for row in range(rows):
        degree = max(degree, start[row + 1] - start[row])
    fresh = np.empty((degree, z), np.float32)
    for _ in range(iterations):
        for row in range(rows):
            first, last = start[row], start[row + 1]
            least = np.full(z, np.float32(1e30))
            second = np.full(z, np.float32(1e30))
            at = np.zeros(z, np.int64)
            negative = np.zeros(z, np.bool_)
            for edge in range(first, last):
                line, turn = word[column[edge]], shift[edge]
                for i in range(z):
                    j = i + turn - (z if i + turn >= z else 0)
                    value = line[j] - messages[edge, i]
                    fresh[edge - first, i] = value
                    size = abs(value)
                    if size < least[i]:
                        second[i], least[i], at[i] = least[i], size, edge
                    elif size < second[i]:
                        second[i] = size
                    negative[i] ^= value < 0
            for edge in range(first, last):
                line, turn = word[column[edge]], shift[edge]
                for i in range(z):
                    j = i + turn - (z if i + turn >= z else 0)
                    value = fresh[edge - first, i]
                    out = scale * (second[i] if at[i] == edge else least[i])
                    if negative[i] != (value < 0):
                        out = -out
                    messages[edge, i] = out
                    line[j] = value + out
        if _holds(word, start, column, shift):
            return


@njit(cache=True)
def _holds(word, start, column, shift):  # type: ignore[no-untyped-def]
    z = word.shape[1]
    for row in range(start.size - 1):
        for i in range(z):
            odd = False
            for edge in range(start[row], start[row + 1]):
                j = i + shift[edge] - (z if i + shift[edge] >= z else 0)
                odd ^= word[column[edge], j] < 0
            if odd:
                return False
    return True
