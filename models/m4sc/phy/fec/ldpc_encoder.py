"""Systematic encoder of the 5G NR LDPC code, 3GPP TS 38.212 clause 5.3.2."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.base_graph import BaseGraph
from m4sc.phy.fec.compiled import compiled


def code_word(graph: BaseGraph, bits: np.ndarray) -> np.ndarray:
    """Information bits, fillers as zeros, then parity.

    Args:
        graph: lifted base graph.
        bits: uint8 (k,), k at most info_columns * Z.

    Returns:
        uint8 (columns * Z,).
    """
    z, first = graph.lifting, graph.info_columns
    word = np.zeros((graph.columns, z), np.uint8)
    word.ravel()[: bits.size] = bits
    sums = np.zeros((4, z), np.uint8)
    for row in range(4):
        _add_row(word, graph.start, graph.column, graph.shift, row, sums[row])
    # Summed over the four rows the double diagonal cancels; of the three entries of the first parity
    # column the one whose shift has no equal is left.
    shifts = [int(s) for r in range(4) for s in _entries(graph, r, first)]
    odd = next(s for s in shifts if shifts.count(s) % 2)
    word[first] = np.roll(np.bitwise_xor.reduce(sums), odd)
    _substitute(word, graph.start, graph.column, graph.shift, first)
    return word.ravel()


def _entries(graph: BaseGraph, row: int, column: int) -> np.ndarray:
    edges = slice(graph.start[row], graph.start[row + 1])
    return graph.shift[edges][graph.column[edges] == column]


@compiled
def _add_row(word, start, column, shift, row, total):  # type: ignore[no-untyped-def]
    """Add the bits of one check to `total`, uint8 (Z,), modulo 2."""
    z = word.shape[1]
    for edge in range(start[row], start[row + 1]):
        line, cut = word[column[edge]], z - shift[edge]
        _add(total[:cut], line[shift[edge] :])
        _add(total[cut:], line[: shift[edge]])


@compiled
def _add(total, bits):  # type: ignore[no-untyped-def]
    for i in range(total.size):
        total[i] ^= bits[i]


@compiled
def _substitute(word, start, column, shift, first):  # type: ignore[no-untyped-def]
    """Each further parity column is the sum of its row, itself still zero.

    Rows 0 to 2 give the second to fourth parity column, row 4 the fifth and so on.
    """
    for row in range(start.size - 1):
        if row != 3:
            total = np.zeros(word.shape[1], np.uint8)
            _add_row(word, start, column, shift, row, total)
            word[first + (row + 1 if row < 3 else row)] = total
