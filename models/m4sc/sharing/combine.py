"""Uplink: what several users sent of one message, combined at the base station."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m4sc.codecs.base import Received


def combine(heard: Sequence[Received]) -> Received:
    """Mean of messages of symbols, each symbol weighted by the inverse of its noise variance.

    Maximum-ratio combining behind the equalisers. The users' frames are apart, so that each has its own
    channel; a symbol that none brought stays erased.

    Args:
        heard: the same message from several users, complex64 (k,) each.

    Raises:
        ValueError: none, of different lengths, or messages of bytes.
    """
    lengths = sorted({len(one.symbols) for one in heard})
    if len(lengths) != 1 or not lengths[0]:
        raise ValueError(f"messages of {' and '.join(map(str, lengths)) or 'no'} symbols cannot be combined")
    trust = np.array([1.0 / np.maximum(one.noise_var.astype(np.float64), 1e-12) for one in heard])
    total = trust.sum(axis=0)
    some = total > 0
    weighted = (trust * np.array([one.symbols for one in heard])).sum(axis=0)
    symbols = np.where(some, weighted / np.where(some, total, 1.0), 0)
    noise_var = np.where(some, 1.0 / np.where(some, total, 1.0), np.inf)
    return Received(symbols.astype(np.complex64), noise_var.astype(np.float32))
