"""Phase noise of a free-running oscillator."""

from __future__ import annotations

import numpy as np


class PhaseNoise:
    """Wiener phase: white frequency noise, Lorentzian line.

    Each sample turns the phase by an independent Gaussian step of variance 2 pi linewidth_hz / samp_rate,
    rad^2, where `linewidth_hz` is the full width at half maximum (the two-sided 3 dB width) of the carrier's
    spectrum. Half the public code takes the one-sided width and so doubles the variance.

    Source: Demir, Mehrotra, Roychowdhury, IEEE Trans. Circuits Syst. I 47(5), 2000.
    """

    def __init__(self, linewidth_hz: float, samp_rate: float, rng: np.random.Generator) -> None:
        self._deviation = np.sqrt(2 * np.pi * linewidth_hz / samp_rate)
        self._phase, self._rng = 0.0, rng

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Turned samples, complex128 (n,)."""
        phase = self._phase + np.cumsum(self._deviation * self._rng.standard_normal(len(samples)))
        if len(phase):
            self._phase = float(phase[-1]) % (2 * np.pi)
        return np.asarray(samples * np.exp(1j * phase))
