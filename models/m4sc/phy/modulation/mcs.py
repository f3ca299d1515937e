"""Modulation and coding schemes, and which one an SNR carries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mcs:
    """One scheme.

    Attributes:
        index: number in the frame header.
        bits_per_symbol: of the QAM.
        rate: of the LDPC code, information bits over coded bits.
        snr_db: Es/N0 in AWGN at which about 1 % of the blocks of 256 bytes are lost, as
            ``m4sc bench mcs --blocks 1000`` measures it.
        short_snr_db: the same for 8 bytes (``m4sc bench mcs --bytes 8 --blocks 3000``); short codes are
            weaker.
    """

    index: int
    bits_per_symbol: int
    rate: float
    snr_db: float
    short_snr_db: float

    def required_snr_db(self, n_bytes: int) -> float:
        """Es/N0 for blocks of `n_bytes`, between the two measured lengths linear in their logarithm."""
        return float(np.interp(np.log2(n_bytes), (3.0, 8.0), (self.short_snr_db, self.snr_db)))


_SCHEMES = (
    (1, 1 / 5, -6.4, -4.8),
    (1, 1 / 3, -3.9, -2.3),
    (2, 1 / 3, -0.9, 0.7),
    (2, 1 / 2, 1.4, 3.1),
    (2, 2 / 3, 3.4, 5.0),
    (4, 1 / 2, 6.6, 8.5),
    (4, 2 / 3, 9.1, 11.1),
    (6, 1 / 2, 11.0, 12.8),
    (6, 2 / 3, 14.1, 16.5),
    (6, 5 / 6, 17.4, 19.6),
    (8, 3 / 4, 20.7, 22.7),
    (8, 8 / 9, 24.1, 25.5),
)

MCS_TABLE: tuple[Mcs, ...] = tuple(Mcs(i, *scheme) for i, scheme in enumerate(_SCHEMES))


def get_mcs(index: int) -> Mcs:
    """Scheme by number.

    Raises:
        ValueError: no such scheme.
    """
    if not 0 <= index < len(MCS_TABLE):
        raise ValueError(f"there is no scheme {index}; use 0 to {len(MCS_TABLE) - 1}")
    return MCS_TABLE[index]


def select_mcs(snr_db: float, margin_db: float = 0.0, n_bytes: int = 256) -> Mcs:
    """Fastest scheme for blocks of `n_bytes` at `snr_db` less `margin_db`; the most robust if none passes."""
    usable = [mcs for mcs in MCS_TABLE if mcs.required_snr_db(n_bytes) <= snr_db - margin_db]
    return max(usable, key=lambda mcs: mcs.bits_per_symbol * mcs.rate, default=MCS_TABLE[0])
