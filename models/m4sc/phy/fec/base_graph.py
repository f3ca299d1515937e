"""The base graphs of the 5G NR LDPC code, 3GPP TS 38.212 tables 5.3.2-1 to 5.3.2-3."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

_ROWS = {1: 46, 2: 42}
_INFO_COLUMNS = {1: 22, 2: 10}
_SET_BASES = (2, 3, 5, 7, 9, 11, 13, 15)


@dataclass(frozen=True)
class BaseGraph:
    """A base graph with the shifts of one lifting size.

    Attributes:
        number: 1 or 2.
        lifting: Z, size of each circulant.
        start: int64 (rows + 1,), first edge of each row.
        column, shift: int64 (edges,); the circulant takes bit (i + shift) mod Z of its column.
    """

    number: int
    lifting: int
    start: np.ndarray
    column: np.ndarray
    shift: np.ndarray

    @property
    def rows(self) -> int:
        """Parity checks, each of Z bits."""
        return _ROWS[self.number]

    @property
    def info_columns(self) -> int:
        """Columns of information bits; those of the parity bits follow."""
        return _INFO_COLUMNS[self.number]

    @property
    def columns(self) -> int:
        """All columns, the two that are never sent included."""
        return self.info_columns + self.rows


def lifting_sizes() -> list[int]:
    """Every Z of table 5.3.2-1, ascending."""
    return sorted(base << j for base in _SET_BASES for j in range(8) if base << j <= 384)


@lru_cache(maxsize=16)
def base_graph(number: int, lifting: int) -> BaseGraph:
    """Base graph 1 or 2, lifted by Z.

    Raises:
        ValueError: no such base graph or lifting size.
    """
    if number not in _ROWS or lifting not in lifting_sizes():
        raise ValueError(f"base graph {number} with lifting size {lifting} is not in TS 38.212")
    odd = lifting
    while odd % 2 == 0:
        odd //= 2
    set_index = _SET_BASES.index(max(odd, 2))
    table = _table(number)
    rows = table[:, 0]
    return BaseGraph(
        number,
        lifting,
        np.searchsorted(rows, np.arange(_ROWS[number] + 1)),
        table[:, 1].copy(),
        table[:, 2 + set_index] % lifting,
    )


@lru_cache(maxsize=2)
def _table(number: int) -> np.ndarray:
    path = Path(__file__).with_name(f"base_graph_{number}.csv")
    return np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.int64)
