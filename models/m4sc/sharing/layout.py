"""Where the parts of a frame of several users stand on carriers and OFDM symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m4sc.phy.modulation.interleaver import permutation
from m4sc.sharing.directory import OFDMA


@dataclass(frozen=True)
class Places:
    """Places of the parts: a place is carrier a mod C of OFDM symbol a div C.

    Attributes:
        n_symbols: of the whole payload; what no part takes is silence.
        directory, public: int (n,).
        private: of each user int (n,).
    """

    n_symbols: int
    directory: np.ndarray
    public: np.ndarray
    private: tuple[np.ndarray, ...]


def place_parts(layout: int, directory: int, public: int, private: Sequence[int], carriers: int) -> Places:
    """Places of parts of so many complex symbols each.

    One after another, or directory and public part first and behind them each user on carriers of its own
    (:func:`carriers_of`). A part is interleaved within itself.
    """
    at, lead = 0, []
    for size in (directory, public):
        lead.append(at + _spread(size, carriers))
        at += size
    if layout != OFDMA or not sum(private):
        own = []
        for size in private:
            own.append(at + _spread(size, carriers))
            at += size
        return Places(at, lead[0], lead[1], tuple(own))
    row = -(-at // carriers)
    widths, rows = carriers_of(private, carriers)
    order, taken, own = permutation(carriers, carriers), 0, []  # a user's carriers are spread over the band
    for size, width in zip(private, widths, strict=True):
        columns = np.sort(order[taken : taken + width])
        taken += width
        grid = (row + np.arange(rows)[:, None]) * carriers + columns[None, :]
        own.append(grid.ravel()[_spread(size, max(width, 1))])
    return Places((row + rows) * carriers, lead[0], lead[1], tuple(own))


def _spread(size: int, carriers: int) -> np.ndarray:
    return permutation(size, carriers) if size else np.zeros(0, np.int64)


def carriers_of(sizes: Sequence[int], carriers: int) -> tuple[list[int], int]:
    """Carriers of each user so that all are done in the fewest OFDM symbols, and how many these are.

    A user of s symbols needs ceil(s / R) carriers to be done in R; the fewest R for which they suffice is
    found from below.

    Raises:
        ValueError: more users with a part than carriers.
    """
    if sum(size > 0 for size in sizes) > carriers:
        raise ValueError(f"{sum(size > 0 for size in sizes)} users cannot share {carriers} carriers")
    rows = max(1, -(-sum(sizes) // carriers))
    while sum(-(-size // rows) for size in sizes) > carriers:
        rows += 1
    return [-(-size // rows) for size in sizes], rows


def equal_share_rows(sizes: Sequence[int], carriers: int) -> int:
    """OFDM symbols where every user has as many carriers as any other: the reference.

    Raises:
        ValueError: more users than carriers.
    """
    each = carriers // max(1, len(sizes))
    if not each:
        raise ValueError(f"{len(sizes)} users cannot share {carriers} carriers")
    return -(-max(sizes, default=0) // each)
