"""Burst detection, timing and carrier offset: both sync words against a bank of carrier offsets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from m4sc.phy.fec.compiled import compiled
from m4sc.phy.frame import add_prefix
from m4sc.phy.waveform import WaveformConfig

# Share of the energy that must lie in the preamble. In noise the share of one offset is exponential with
# mean 1 / len(preamble): with the defaults, some fifty of a million samples pass, and fail at the header.
MATCH_THRESHOLD = 0.08
MAX_OFFSET_CARRIERS = 3.0
_WEAK_PATH = 0.02  # of the strongest; the preamble's own side lobes lie below from four samples on
_OVER_NOISE = 10.0
_SHORT, _LONG = 512, 2048  # FFT lengths: the first blocks of a search, and those far behind its begin


@dataclass(frozen=True)
class Burst:
    """start: sample where the preamble's first prefix begins; cfo: cycles a sample; match: 0 to 1."""

    start: int
    cfo: float
    match: float


@dataclass(frozen=True)
class Search:
    """Where a search goes on: place, and number of its next block.

    Blocks follow from the place where the search began alone, and are worked on when all their samples
    are there: what is found is the same, bit for bit, however the samples came in.
    """

    place: int
    block: int = 0


def window_backoff(waveform: WaveformConfig) -> int:
    """Samples by which an FFT window opens inside the prefix."""
    return max(waveform.cp_len // 4, 1)


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

        The second array is the place's correlation by offset, complex64 (offsets, places).
        """
        places = len(block) - self.length + 1
        spectrum = fft.fft(block, self.size)
        found = fft.ifft(self.kernels * spectrum, axis=1, overwrite_x=True)
        return _share(np.ascontiguousarray(block), found, places), found[:, :places]


@compiled
def _share(block, found, places):  # type: ignore[no-untyped-def]
    """Largest |found|^2 of each place over the energy of the samples behind it, float32 (places,)."""
    best = np.zeros(places, np.float32)
    for row in range(found.shape[0]):
        for i in range(places):
            power = found[row, i].real ** 2 + found[row, i].imag ** 2
            if power > best[i]:
                best[i] = power
    power = np.empty(len(block))
    for i in range(len(block)):
        power[i] = np.float64(block[i].real) ** 2 + np.float64(block[i].imag) ** 2
    length = len(block) - places + 1
    floor = 1e-9 * power.sum() + 1e-30
    energy = power[:length].sum()
    for i in range(places):
        best[i] = best[i] / (max(energy, 0.0) + floor)
        if i + 1 < places:
            energy += power[i + length] - power[i]
    return best


@lru_cache(maxsize=16)
def _bank(waveform: WaveformConfig, size: int) -> _Bank:
    return _Bank(waveform, size)


def find_burst(
    samples: np.ndarray,
    search: Search,
    waveform: WaveformConfig,
    threshold: float = MATCH_THRESHOLD,
    final: bool = False,
) -> tuple[Burst | None, Search]:
    """First burst that starts at or after the place of `search`.

    Args:
        samples: complex64 (n,).
        search: where to begin, or to go on.
        waveform: the waveform.
        threshold: energy share that counts as a preamble.
        final: no more samples come: look at incomplete blocks too.

    Returns:
        The burst, or None; and where the search goes on once there are more samples. A burst is reported
        once no place of one OFDM symbol behind it can be stronger.
    """
    length, reach = 2 * waveform.symbol_len, waveform.symbol_len
    sizes = _block_sizes(waveform)
    place, step = search.place, search.block
    while True:
        bank = _bank(waveform, sizes[min(step, len(sizes) - 1)])
        block = samples[place : place + bank.size]
        if len(block) < (length if final else bank.size):
            return None, Search(place, step)
        match, found = bank.match(block)
        above = np.flatnonzero(match > threshold)
        if not len(above):
            place, step = place + len(match), step + 1
            continue
        first = int(above[0])
        peak = _peak(match, first, reach)
        last = len(block) < bank.size
        if peak is None and (last or (first == 0 and step >= len(sizes) - 1)):
            peak = int(np.argmax(match))  # ever stronger over a whole block: no burst does that
        if peak is not None:
            power = np.abs(found[:, peak].astype(np.complex128)) ** 2
            share = float(match[peak])
            start = place + peak + _window_shift(found[int(np.argmax(power))], peak, share, waveform)
            return Burst(start, _offset(power, bank), share), Search(place + peak)
        place, step = place + first, (step + 1 if first == 0 else 0)


@lru_cache(maxsize=8)
def _block_sizes(waveform: WaveformConfig) -> tuple[int, ...]:
    """FFT lengths of a search's blocks, the last one repeated; none longer than the shortest frame."""
    short = max(_SHORT, 1 << (3 * waveform.symbol_len - 1).bit_length())
    return (short,) * 2 + tuple(size for size in (2 * short, 4 * short) if size <= _LONG)


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


def _window_shift(correlation: np.ndarray, peak: int, share: float, waveform: WaveformConfig) -> int:
    """Samples by which a burst's start is moved, so that the FFT window meets the fewest echoes' edges.

    The strongest path need not be the first one. With the window `window_backoff` inside the prefix, paths
    from so many samples before the start to a prefix less so many behind it do no harm.

    Args:
        correlation: complex64 (places,), at the burst's carrier offset.
        peak: place of the strongest path.
        share: of the energy at `peak`.
        waveform: the waveform.
    """
    cp_len, backoff = waveform.cp_len, window_backoff(waveform)
    low = min(cp_len, peak)
    around = np.abs(correlation[peak - low : peak + cp_len + 1].astype(np.complex128)) ** 2
    noise = around[low] * max(1.0 - share, 0.0) / (share * 2 * waveform.symbol_len)
    paths = np.where(around > max(_WEAK_PATH * around[low], _OVER_NOISE * noise), around, 0.0)
    if (
        np.count_nonzero(paths[: max(low - backoff, 0)]) + np.count_nonzero(paths[low + cp_len - backoff :])
        == 0
    ):
        return 0
    total = np.concatenate([np.zeros(2 * cp_len + 1), np.cumsum(paths), np.full(2 * cp_len, paths.sum())])
    shifts = np.arange(-low, cp_len // 2 + 1)
    first = 2 * cp_len + low + shifts - backoff
    inside = total[first + cp_len + 1] - total[first]
    good = shifts[inside >= inside.max() - 1e-6 * around[low]]
    return int(good[np.argmin(np.abs(good))])


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
