"""What a radio and the air do to samples: carrier offset, sampling-clock offset, multipath, noise."""

from __future__ import annotations

import numpy as np

HALF_WIDTH = 16  # samples of the interpolating pulse on each side
_KAISER_BETA = 8.0


def add_noise(samples: np.ndarray, noise_voltage: float, rng: np.random.Generator) -> np.ndarray:
    """Complex white noise with E|n|^2 = noise_voltage^2; complex128 (n,)."""
    pairs = rng.standard_normal((2, len(samples)))
    return samples + noise_voltage / np.sqrt(2.0) * (pairs[0] + 1j * pairs[1])


def shift_carrier(samples: np.ndarray, cycles_per_sample: float, phase: float = 0.0) -> np.ndarray:
    """Turn by 2 pi cycles_per_sample n + phase; complex128 (n,)."""
    return samples * np.exp(1j * (2.0 * np.pi * cycles_per_sample * np.arange(len(samples)) + phase))


def pulse(offsets: np.ndarray) -> np.ndarray:
    """Kaiser-windowed sinc at `offsets`, in samples: band-limited interpolation."""
    inside = np.clip(1.0 - (offsets / HALF_WIDTH) ** 2, 0.0, None)
    return np.sinc(offsets) * np.i0(_KAISER_BETA * np.sqrt(inside)) / np.i0(_KAISER_BETA) * (inside > 0)


def resample(samples: np.ndarray, sfo_ppm: float) -> np.ndarray:
    """Samples taken by a clock that is `sfo_ppm` slow, at n (1 + sfo_ppm 1e-6); complex128 (n,)."""
    places = np.arange(len(samples)) * (1.0 + sfo_ppm * 1e-6)
    whole = np.round(places).astype(int)
    padded = np.pad(np.asarray(samples, complex), (HALF_WIDTH, 2 * HALF_WIDTH))
    found = np.zeros(len(samples), complex)
    for k in range(-HALF_WIDTH, HALF_WIDTH + 1):
        at = np.minimum(whole + k + HALF_WIDTH, len(padded) - 1)
        found += padded[at] * pulse(places - whole - k)
    return found


def multipath(samples: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Convolution with `taps`, complex (taps,); complex128 (n + taps - 1,)."""
    from scipy.signal import oaconvolve  # takes a second to import, and a transmitter has no use for it

    return np.asarray(oaconvolve(samples, taps))
