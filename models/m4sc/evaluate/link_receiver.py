"""What the receiver makes of many frames under channels that stand still: its own estimators, no samples.

The channel is estimated as :class:`m4sc.phy.frame_reader.FrameReader` does it, by the same code: first on
preamble and pilots, to read the header; then on the decoded header too, for all that follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from m4sc.phy.air_time import header_ofdm_symbols
from m4sc.phy.equalizer.estimator import PHASE_WINDOW, ChannelSmoother
from m4sc.phy.equalizer.sparse import sparse_channel
from m4sc.phy.frame import frame_waveform
from m4sc.phy.header.protection import Protection
from m4sc.phy.waveform import WaveformConfig

_ROUNDS = 6  # as FrameReader has them


@dataclass(frozen=True)
class Estimate:
    """Channels as they are estimated.

    Attributes:
        h: complex64 (n, fft_len).
        noise_var: float32 (n,), complex noise variance of a bin, as it is measured.
        doubt: float32 (n,), error power of `h`, which keeps a carrier near 0 from blowing up.
    """

    h: np.ndarray
    noise_var: np.ndarray
    doubt: np.ndarray


@lru_cache(maxsize=16)
def smoothers(waveform: WaveformConfig, protection: Protection) -> tuple[ChannelSmoother, ChannelSmoother]:
    """Estimators of a protection: for the header, and for what follows it."""
    rows = header_ofdm_symbols(waveform, protection)
    sync = frame_waveform(waveform, protection).preamble_bins
    weight = np.sum(np.abs(sync) ** 2, axis=0)
    weight[waveform.pilot_bins] += np.sum(np.abs(waveform.pilots(rows)) ** 2, axis=0)
    decoded = weight.copy()
    decoded[waveform.data_bins] += rows
    return ChannelSmoother(weight, waveform), ChannelSmoother(decoded, waveform)


def timed(h: np.ndarray) -> np.ndarray:
    """Channels, complex (n, fft_len), against a symbol timing on the strongest path, as it is detected."""
    size = h.shape[-1]
    strongest = np.abs(np.fft.ifft(h)).argmax(-1)
    turns = 2j * np.pi * (strongest[:, None] * np.arange(size) % size) / size
    return np.asarray(h * np.exp(turns))


def estimate(
    h: np.ndarray, noise_var: float, smoother: ChannelSmoother, rng: np.random.Generator
) -> Estimate:
    """Estimate channels from noisy observations.

    Args:
        h: complex (n, fft_len), true.
        noise_var: complex noise variance of a bin.
        smoother: with the number of observations on each bin.
        rng: of the noise.
    """
    weight, observed = smoother.weight, float(smoother.weight.sum())
    noise = _noise(h.shape, noise_var, rng) * np.sqrt(weight)
    sums = (h * weight + noise).astype(np.complex64)
    found = [sparse_channel(one, weight, smoother.training, noise_var, _ROUNDS) for one in sums]
    taps = np.array([determined for _, determined in found])
    measured = noise_var * np.maximum(0.0, 1.0 + rng.normal(size=len(h)) / np.sqrt(observed))
    doubt = (measured * taps / observed).astype(np.float32)
    return Estimate(np.stack([one for one, _ in found]), measured.astype(np.float32), doubt)


def equalised(
    grid: np.ndarray,
    h: np.ndarray,
    seen: Estimate,
    noise_var: float,
    waveform: WaveformConfig,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Send data symbols, and undo the channel as it was estimated.

    Args:
        grid: complex64 (n, OFDM symbols, data carriers).
        h: complex (n, fft_len), true.
        seen: the estimate.
        noise_var: complex noise variance of a bin.
        waveform: the waveform.
        rng: of the noise.

    Returns:
        Unbiased symbols, complex64, and the noise variance that is told of each, float32; both of the grid's
        shape.
    """
    data = waveform.data_bins
    received = grid * h[:, None, data] + _noise(grid.shape, noise_var, rng)
    pilots = np.sum(np.abs(seen.h[:, waveform.pilot_bins]) ** 2, axis=-1)
    unsure = 0.5 * noise_var / np.maximum(PHASE_WINDOW * pilots, 1e-12)  # rad^2, of the common phase
    turn = np.exp(1j * np.sqrt(np.minimum(unsure, 1.0)) * rng.normal(size=len(grid)))
    known = seen.h[:, None, data]
    gain = np.maximum(np.abs(known) ** 2 + seen.doubt[:, None, None], 1e-12)
    told = (seen.noise_var + seen.doubt)[:, None, None] / gain + unsure[:, None, None]
    y = received * turn[:, None, None] * known.conj() / gain
    return y.astype(np.complex64), np.minimum(np.broadcast_to(told, y.shape), 1e4).astype(np.float32)


def _noise(shape: tuple[int, ...], variance: float, rng: np.random.Generator) -> np.ndarray:
    real, imag = rng.normal(scale=np.sqrt(variance / 2), size=(2, *shape))
    return np.asarray(real + 1j * imag)
