"""Unequal gain and a skewed angle between a receiver's I and Q branches."""

from __future__ import annotations

import numpy as np


def iq_imbalance(samples: np.ndarray, gain_db: float, phase_deg: float) -> np.ndarray:
    """I' = 10^(gain_db / 20) (I cos p + Q sin p), Q' = Q: the receiver's model of gr-channels' iqbal_gen.

    Args:
        samples: complex (n,).
        gain_db: of the I branch over the Q branch.
        phase_deg: p, by which the I branch's oscillator is off 90 degrees.

    Returns:
        complex128 (n,).
    """
    gain, angle = 10.0 ** (gain_db / 20.0), np.deg2rad(phase_deg)
    x = np.asarray(samples, complex)
    return np.asarray(gain * (x.real * np.cos(angle) + x.imag * np.sin(angle)) + 1j * x.imag)


def image_ratio_db(gain_db: float, phase_deg: float) -> float:
    """Power of the image over the signal's, dB, that :func:`iq_imbalance` makes of any signal.

    y = mu x + nu conj(x) with mu = (1 + g exp(-jp)) / 2 and nu = (g exp(jp) - 1) / 2.
    """
    turned = 10.0 ** (gain_db / 20.0) * np.exp(1j * np.deg2rad(phase_deg))
    return float(20 * np.log10(abs(turned - 1) / abs(1 + np.conj(turned)) + 1e-30))
