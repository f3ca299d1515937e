"""Time-varying gains of scattered paths: Rayleigh and Rician with Clarke's Doppler spectrum."""

from __future__ import annotations

import numpy as np

SINUSOIDS = 32
LOS_DOPPLER = 0.7  # of a line of sight over the maximum; TR 38.901, tables 7.7.2-4 and 7.7.2-5


class PathGains:
    """Gains g_p(t) = sqrt(power_p) / sqrt(M) sum_m c_pm exp(j 2 pi doppler_hz cos(alpha_pm) t).

    c_pm is complex Gaussian of unit variance and alpha_pm a random angle in the m-th of M equal sectors: at
    each instant g_p is exactly complex Gaussian (Rayleigh), its autocorrelation power_p J0(2 pi doppler_hz
    tau). Paths are independent. Clarke's model, drawn as the sum of sinusoids of Xiao, Zheng and Beaulieu
    (IEEE Trans. Wireless Commun. 5(12), 2006), with random amplitudes so that no Doppler is a case like any.

    A line of sight is a further term of the first path, sqrt(los_power) exp(j (2 pi los_doppler doppler_hz t
    + random phase)).

    Args:
        powers: float (paths,), mean power of each path's scattered part, linear.
        doppler_hz: maximum Doppler shift, >= 0.
        rng: of amplitudes, angles and phase.
        los_power: mean power of the line of sight, 0 for none.
        los_doppler: its Doppler shift over the maximum.
    """

    def __init__(
        self,
        powers: np.ndarray,
        doppler_hz: float,
        rng: np.random.Generator,
        los_power: float = 0.0,
        los_doppler: float = LOS_DOPPLER,
    ) -> None:
        powers = np.asarray(powers, float)
        shape = (len(powers), SINUSOIDS)
        pairs = rng.standard_normal((2, *shape))
        self._amplitudes = (pairs[0] + 1j * pairs[1]) * np.sqrt(powers[:, None] / (2 * SINUSOIDS))
        sectors = (np.arange(SINUSOIDS) + rng.random(shape)) / SINUSOIDS
        self._shifts_hz = doppler_hz * np.cos(2 * np.pi * sectors)
        self._los = np.sqrt(los_power) * np.exp(2j * np.pi * rng.random())
        self._los_hz = los_doppler * doppler_hz

    def __call__(self, times_s: np.ndarray) -> np.ndarray:
        """Gains at `times_s`, float (n,), seconds: complex128 (paths, n)."""
        times_s = np.asarray(times_s, float)
        gains = np.empty((len(self._amplitudes), len(times_s)), complex)
        for path, (amplitudes, shifts) in enumerate(zip(self._amplitudes, self._shifts_hz, strict=True)):
            gains[path] = amplitudes @ np.exp(2j * np.pi * np.outer(shifts, times_s))
        gains[0] += self._los * np.exp(2j * np.pi * self._los_hz * times_s)
        return gains


def rician_powers(k_db: float) -> tuple[float, float]:
    """Powers of line of sight and scattered part, together 1, of a Rician factor of `k_db`."""
    k = 10.0 ** (k_db / 10.0)
    return k / (k + 1.0), 1.0 / (k + 1.0)
