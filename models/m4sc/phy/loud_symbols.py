"""A header of which a burst of interference has hit some OFDM symbols: what the others say counts."""

from __future__ import annotations

import numpy as np

_LOUD = 1.6  # times the power that a symbol should have


def symbol_weights(bins: np.ndarray, used: np.ndarray, h: np.ndarray, noise: float) -> np.ndarray | None:
    """What each OFDM symbol of a header is worth, float32 (symbols,): 1, or of one that is much too loud, its
    usual noise over what it has; None if none is.

    Times its weight, a symbol counts as its noise has it in sums with what is sent, and has the LLRs that
    this noise gives.

    bins: complex64 (symbols, fft_len); used: int (carriers,); h: complex64 (fft_len,); noise: of a bin.
    """
    usual = float(np.mean(np.abs(h[used]) ** 2)) + noise
    power = np.mean(np.abs(bins[:, used]) ** 2, axis=1)
    loud = power > _LOUD * usual
    if not loud.any() or loud.all():
        return None
    least = max(noise, 1e-6 * usual)
    return np.where(loud, least / (least + power - usual), 1.0).astype(np.float32)
