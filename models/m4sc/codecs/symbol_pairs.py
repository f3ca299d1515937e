"""Received symbols as the torch channel codecs take them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from m4sc.codecs.base import Received

_MOST_NOISE = 1e6  # noise variance of a symbol that was lost


def symbol_pairs(received: Received) -> tuple[Tensor, Tensor]:
    """Symbols as I and Q, float32 (k, 2), and noise variances, float32 (k,); lost symbols are 0.

    Raises:
        ValueError: a symbol that was not lost is not finite.
    """
    symbols, noise_var = received.symbols, received.noise_var
    lost = ~np.isfinite(noise_var)
    if not np.isfinite(symbols[~lost]).all():
        raise ValueError("received symbols are not finite")
    kept = np.where(lost, 0, symbols)
    pairs = np.stack([kept.real, kept.imag], axis=-1).astype(np.float32)
    variances = np.where(lost, _MOST_NOISE, noise_var).astype(np.float32)
    return torch.from_numpy(pairs), torch.from_numpy(variances)
