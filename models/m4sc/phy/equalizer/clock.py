"""A sampling clock that is far off: how far, by a frame's pilots, and its samples on the sender's clock.

What a few ppm turn, pilots and header show as a slope that grows over the frame, and a line through the
phases undoes it (:func:`m4sc.phy.equalizer.kernels.clock_offset`). Beyond, phases of the outer carriers go
round inside the frame, carriers leak into each other and the FFT's window leaves the prefix. So the frame's
samples are interpolated to the sender's clock first, and what is left is small.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from m4sc.phy.burst_kernels import pilot_products
from m4sc.phy.channel.resampler import ClockOffset
from m4sc.phy.equalizer.estimator import slope_unit
from m4sc.phy.waveform import WaveformConfig

MOST_PPM = 1000.0  # followed; two oscillators of the cheapest kind are 200 apart
_LOOKED_AT = 64  # OFDM symbols: later ones may have left the window
_FEWEST = 8
_BLOCK = 2  # OFDM symbols over which no slope looked for turns far
_REACH, _STEP = 2500.0, 50.0  # of the grid, ppm: beyond what is followed, so that it is known as that
_REFINED = 3  # steps of the regression around the grid's best
_COHERENT = 0.5  # of the pairs' magnitudes, at least: noise alone has 0.3 to 0.4
_SURE = 4.0  # standard errors


class ClockOffError(ValueError):
    """The sampling clock is further off than is followed."""


class SeenClock(NamedTuple):
    """ppm: of the sampling clock, as ``sfo_ppm``; sure: whether pilots say that it is far off."""

    ppm: float
    sure: bool


def far_clock(bins: np.ndarray, h: np.ndarray, pilots: np.ndarray, waveform: WaveformConfig) -> SeenClock:
    """Sampling clock by the pilots of a frame's first OFDM symbols.

    Of each two pilots the phase between them turns by ppm * distance * symbol number. A grid is searched for
    the turn that leaves them in line, whatever phase a wrong channel estimate gives each pair; a regression
    refines it, and its residues say how sure it is.

    Args:
        bins: complex64 (symbols, fft_len), header and payload, nothing undone.
        h: complex64 (fft_len,), channel at the preamble.
        pilots: float64 (symbols, pilots).
    """
    rows = min(len(bins), _LOOKED_AT) // _BLOCK * _BLOCK
    if rows < _FEWEST or pilots.shape[1] < 2:
        return SeenClock(0.0, False)
    z = pilot_products(bins[:rows], waveform.pilot_bins, h, pilots[:rows])
    most = 1.5 * np.abs(h[waveform.pilot_bins]) ** 2  # one that interference hits says no more than another
    z *= np.minimum(1.0, most / (np.abs(z) + 1e-30))
    ends, distance = _pairs(waveform)
    pairs = (z[:, ends[1]] * np.conj(z[:, ends[0]])).reshape(rows // _BLOCK, _BLOCK, -1).sum(axis=1)
    steps = _BLOCK * np.arange(len(pairs))
    unit = slope_unit(waveform)
    grid, turns = _turns(waveform, len(pairs))
    found = np.abs(np.einsum("gbp,bp->gp", turns, pairs)).sum(axis=1)
    best = int(np.argmax(found))
    ppm, total = float(grid[best]), float(np.abs(pairs).sum()) + 1e-30
    lever = unit * np.outer(steps, distance)  # rad a ppm, (blocks, pairs)
    error, count = np.inf, len(pairs) * (pilots.shape[1] - 1)  # of pairs that say something of their own
    lost = count / max(count - pilots.shape[1], 1)  # to a phase a pair and the slope
    for _ in range(_REFINED):
        straight = pairs * np.exp(-1j * ppm * lever)
        middle = straight.sum(axis=0)
        straight = straight * np.conj(middle / (np.abs(middle) + 1e-30))
        weight = np.abs(straight)
        inner = lever - (weight * lever).sum(axis=0) / (weight.sum(axis=0) + 1e-30)
        spread = float((inner**2 * straight.real).sum())
        if spread <= 0.0:
            return SeenClock(0.0, False)
        ppm += float((inner * straight.imag).sum()) / spread
        error = float(np.sqrt(((inner * straight.imag) ** 2).sum() * lost)) / spread
    in_line = found[best] > (_COHERENT + 1.0 / len(pairs)) * total  # of few, chance has more in line
    is_sure = (
        in_line
        and abs(ppm) > _SURE * (1.0 + 8.0 / len(pairs)) * error
        and abs(ppm - grid[best]) < 2.0 * _STEP
    )
    return SeenClock(ppm, bool(is_sure))


@lru_cache(maxsize=8)
def _pairs(waveform: WaveformConfig) -> tuple[np.ndarray, np.ndarray]:
    """Pilots of each pair, int (2, pairs), and their distance in carriers, float (pairs,)."""
    carriers = np.array(waveform.pilot_carriers, float)
    low, high = np.triu_indices(len(carriers), 1)
    return np.stack([low, high]), carriers[high] - carriers[low]


@lru_cache(maxsize=32)
def _turns(waveform: WaveformConfig, blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets searched, ppm (grid,), and what undoes them, complex64 (grid, blocks, pairs)."""
    grid = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    lever = slope_unit(waveform) * _BLOCK * np.outer(np.arange(blocks), _pairs(waveform)[1])
    return grid, np.exp(-1j * grid[:, None, None] * lever).astype(np.complex64)


def on_senders_clock(samples: np.ndarray, ppm: float) -> np.ndarray:
    """Samples as a clock without the offset `ppm` takes them, from the first one on; complex64 (n,).

    samples: complex64 (n,). Where the sender's clock has more of them than there are, the last are zeros.
    """
    clock = ClockOffset(1e6 * (1.0 / (1.0 + ppm * 1e-6) - 1.0))
    found = np.concatenate([clock.process(samples), clock.flush()])[: len(samples)]
    return np.pad(found, (0, len(samples) - len(found))).astype(np.complex64)
