"""Burst detection, timing and carrier offset: both sync words against a bank of carrier offsets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from m4sc.phy.frame import add_prefix
from m4sc.phy.waveform import WaveformConfig

# Share of the energy that must lie in the preamble. In noise the share of one offset is exponential with
# mean 1 / len(preamble): with the defaults, about two of a million samples pass.
MATCH_THRESHOLD = 0.095
MAX_OFFSET_CARRIERS = 3.0
_SHORT, _LONG = 512, 2048  # FFT lengths: the first block after a frame, and those that follow


@dataclass(frozen=True)
class Burst:
    """start: sample where the preamble's first prefix begins; cfo: cycles a sample; match: 0 to 1."""

    start: int
    cfo: float
    match: float


@lru_cache(maxsize=8)
def preamble(waveform: WaveformConfig) -> np.ndarray:
    """Both sync words with prefixes, complex128 (2 * symbol_len,)."""
    return add_prefix(np.stack([waveform.sync_bins(1), waveform.sync_bins(2)]), waveform)


class _Bank:
    """Correlations with the preamble at every carrier offset of a grid, by FFTs of one length.

    A shift of the preamble's spectrum by one bin is an offset of 1 / size: the grid takes every shift of
    about a quarter of a carrier.
    """

    def __init__(self, waveform: WaveformConfig, size: int) -> None:
        known = preamble(waveform)
        while size < 2 * len(known):
            size *= 2
        self.size, self.length = size, len(known)
        step = max(1, round(size / (4 * waveform.fft_len)))
        reach = int(MAX_OFFSET_CARRIERS * size / waveform.fft_len / step)
        self.shifts = step * np.arange(-reach, reach + 1)
        spectrum = np.conj(np.fft.fft(known, size)) / np.linalg.norm(known)
        self.kernels = np.stack([np.roll(spectrum, shift) for shift in self.shifts]).astype(np.complex64)

    @property
    def valid(self) -> int:
        """Places that one block covers."""
        return self.size - self.length + 1

    def match(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energy share at the best offset, float32 (places,), of complex64 (places + length - 1,).

        The second array is the place's squared correlation by offset, float32 (offsets, places).
        """
        places = len(block) - self.length + 1
        spectrum = fft.fft(block, self.size)
        found = fft.ifft(self.kernels * spectrum, axis=1, overwrite_x=True)[:, :places]
        power = found.real**2 + found.imag**2
        total = np.cumsum(np.abs(block.astype(np.complex128)) ** 2)
        energy = total[self.length - 1 :] - np.concatenate([[0.0], total[: places - 1]])
        floor = 1e-9 * float(total[-1]) + 1e-30
        return (power.max(axis=0) / (energy + floor)).astype(np.float32), power


@lru_cache(maxsize=16)
def _bank(waveform: WaveformConfig, size: int) -> _Bank:
    return _Bank(waveform, size)


def find_burst(
    samples: np.ndarray, begin: int, waveform: WaveformConfig, threshold: float = MATCH_THRESHOLD
) -> tuple[Burst | None, int]:
    """First burst that starts at or after `begin`.

    Args:
        samples: complex64 (n,).
        begin: first place to look at.
        waveform: the waveform.
        threshold: energy share that counts as a preamble.

    Returns:
        The burst, or None; and the place up to which nothing more need be looked at: a caller with more
        samples goes on there. A burst is reported once no place of one OFDM symbol behind it can be
        stronger, so that what is found does not depend on how the samples came in.
    """
    length, reach = 2 * waveform.symbol_len, waveform.symbol_len
    last = len(samples) - length + 1  # places that have all their samples
    place, size = begin, _SHORT
    while place < last:
        bank = _bank(waveform, size)
        match, power = bank.match(samples[place : place + bank.size])
        above = np.flatnonzero(match > threshold)
        if not len(above):
            place, size = place + len(match), _LONG
            continue
        first = int(above[0])
        peak = _peak(match, first, reach)
        if peak is None and first == 0 and len(match) == bank.valid and size == _LONG:
            peak = int(np.argmax(match))  # ever stronger over a whole block: no burst does that
        if peak is not None:
            return Burst(place + peak, _offset(power[:, peak], bank), float(match[peak])), place + peak
        if place + len(match) >= last:
            return None, place + first  # what decides comes with later samples
        place, size = place + first, _LONG
    return None, max(min(place, last), begin)


def _peak(match: np.ndarray, first: int, reach: int) -> int | None:
    """Place from `first` on that is the strongest up to `reach` behind it; None if that is not known yet."""
    peak = first
    while True:
        ahead = match[peak : peak + reach + 1]
        if len(ahead) <= reach:
            return None
        if int(np.argmax(ahead)) == 0:
            return peak
        peak += int(np.argmax(ahead))


def _offset(power: np.ndarray, bank: _Bank) -> float:
    """Carrier offset, cycles a sample: a parabola through the best offset's amplitude and its neighbours."""
    best = int(np.argmax(power))
    shift = float(bank.shifts[best])
    if 0 < best < len(power) - 1:
        left, mid, right = np.sqrt(power[best - 1 : best + 2])
        shift += float(bank.shifts[1] - bank.shifts[0]) * float(
            0.5 * (left - right) / min(left - 2 * mid + right, -1e-30)
        )
    return shift / bank.size
