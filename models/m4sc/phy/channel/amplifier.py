"""Rapp's model of a solid-state power amplifier."""

from __future__ import annotations

import numpy as np


def rapp(samples: np.ndarray, backoff_db: float, smoothness: float, mean_power: float) -> np.ndarray:
    """y = x / (1 + (|x| / A)^(2 p))^(1 / (2 p)): unit gain for small signals, output never above A.

    Args:
        samples: complex (n,).
        backoff_db: input back-off, A^2 over `mean_power`, dB; infinite for none.
        smoothness: p > 0 of the knee; 2 to 3 for a solid-state amplifier, large for a clipper.
        mean_power: of the samples while a frame is sent, linear.

    Returns:
        complex128 (n,), phase kept (the model has no AM/PM conversion).

    Source: C. Rapp, Second European Conference on Satellite Communications, 1991.
    """
    saturation = np.sqrt(mean_power) * 10.0 ** (backoff_db / 20.0)
    drive = np.abs(samples) / saturation
    return np.asarray(samples / (1.0 + drive ** (2 * smoothness)) ** (1 / (2 * smoothness)), complex)
