"""Channel estimate and phase tracking of one frame."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from m4sc.phy.burst_kernels import pilot_products, smooth, steady_frequency, undo_phase
from m4sc.phy.equalizer.kernels import moving_phase, turn_back
from m4sc.phy.equalizer.sparse import sparse_channel, tap_tables
from m4sc.phy.fft_kernels import roots_of_unity
from m4sc.phy.waveform import WaveformConfig

DELAY_TAPS_PER_PREFIX = 1.25
_SFO_GRID_PPM = np.linspace(-40.0, 40.0, 81)
SFO_SYMBOLS = 80  # with fewer, the slope stays small enough for the frame's end alone
_SFO_BLOCK = 8  # symbols over which no slope of the grid turns far
PHASE_WINDOW = 11  # OFDM symbols over which a common phase is averaged at least
_SPARSE_ROUNDS = 6
_PHASE_LINE_SYMBOLS = 8  # with fewer, the phase is not fitted by a line


class ChannelSmoother:
    """Least-squares channel within the cyclic prefix: F argmin_g |W (h_ls - F g)|^2 + ridge |g|^2.

    Built once for the observations of a kind: `weight`, float (fft_len,), their number on each bin. The
    normal equations are diagonal in the eigenvectors kept here, whatever the ridge.
    """

    def __init__(self, weight: np.ndarray, waveform: WaveformConfig) -> None:
        self.bins = np.flatnonzero(weight)
        count = int(DELAY_TAPS_PER_PREFIX * waveform.cp_len)
        # Timing leaves the strongest path a few samples inside the prefix: taps on both sides of zero.
        taps = np.arange(waveform.cp_len - count, waveform.cp_len)
        basis = np.exp(-2j * np.pi * np.outer(np.arange(waveform.fft_len), taps) / waveform.fft_len)
        part = basis[self.bins] * np.sqrt(weight[self.bins])[:, None]
        self._eigenvalues, vectors = np.linalg.eigh(part.conj().T @ part)
        self._into = (vectors.conj().T @ part.conj().T * np.sqrt(weight[self.bins])).astype(np.complex64)
        self._out = (basis @ vectors).astype(np.complex64)
        gram = part.conj().T @ part
        self.training = tap_tables(self.bins, basis.astype(np.complex64), gram)  # of `sparse_channel`
        self.weight = weight.astype(np.float32)
        self.taps = count

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Into the eigenvectors, complex (taps, bins); eigenvalues, (taps,); out of them, (fft_len, taps)."""
        return self._into, self._eigenvalues, self._out

    def __call__(self, h_ls: np.ndarray, noise_var: float) -> np.ndarray:
        """Channel on every bin, complex64 (fft_len,).

        Args:
            h_ls: complex (fft_len,), estimates by bin; ignored where there was no observation.
            noise_var: complex noise variance of one observation over the channel's power.
        """
        ridge = noise_var * self.taps + 1e-6
        seen = np.ascontiguousarray(h_ls, np.complex64)
        return np.asarray(smooth(self._into, self._eigenvalues, self._out, self.bins, seen, ridge))

    def sparse(self, h_ls: np.ndarray, noise_var: float) -> np.ndarray:
        """The same for low SNR: taps that noise explains are pruned; complex64 (fft_len,).

        Args:
            h_ls: as above.
            noise_var: complex noise variance of one observation.
        """
        sums = (h_ls * self.weight).astype(np.complex64)
        h, _ = sparse_channel(sums, self.weight, self.training, max(noise_var, 1e-30), _SPARSE_ROUNDS)
        return np.asarray(h)


def slope_unit(waveform: WaveformConfig) -> float:
    """Slope of one ppm of sampling-clock offset, rad a carrier and OFDM symbol."""
    return 2 * np.pi * waveform.symbol_len / waveform.fft_len * 1e-6  # symbol_len * 1e-6 samples a symbol


def is_short(count: int) -> bool:
    """Whether the clock's offset is not searched in a frame of `count` OFDM symbols behind the preamble."""
    return count < SFO_SYMBOLS


@lru_cache(maxsize=256)
def phase_tables(
    count: int, window: int = PHASE_WINDOW, most: float = np.pi
) -> tuple[int, int, np.ndarray, float]:
    """What ``undo_phase`` takes to follow `count` symbols by an average over `window`, and up to `most`
    rad a symbol.
    """
    return window, _PHASE_LINE_SYMBOLS, _padded_roots(max(64, 1 << (count - 1).bit_length())), float(most)


def follow(
    bins: np.ndarray,
    h: np.ndarray,
    waveform: WaveformConfig,
    window: int = PHASE_WINDOW,
    search_clock: bool = True,
    most: float = np.pi,
) -> tuple[np.ndarray, float]:
    """Undo what :func:`track` finds: complex64 (symbols, fft_len), and sampling-clock offset, ppm.

    window: OFDM symbols over which a phase is averaged, if the clock's offset is not searched;
    most: rad a symbol by which it may turn then.
    """
    count = len(bins)
    if is_short(count) or not search_clock:
        tables = phase_tables(count, window, most)
        return undo_phase(bins, waveform.pilot_bins, h, waveform.pilots(count), *tables), 0.0
    found = track(bins, h, waveform)
    return straighten(bins, found.phase, found.slope, waveform), found.ppm


class Tracked(NamedTuple):
    """What pilots show of a long frame.

    Attributes:
        phase: float (symbols,), rad.
        slope: float (symbols,), rad a carrier.
        ppm: sampling-clock offset.
        frequency: of the line that the phases lie around, rad a symbol.
    """

    phase: np.ndarray
    slope: np.ndarray
    ppm: float
    frequency: float


def track(bins: np.ndarray, h: np.ndarray, waveform: WaveformConfig, first: int = 0) -> Tracked:
    """Common phase and timing slope of each symbol, from its pilots.

    Args:
        bins: complex (symbols, fft_len), header and payload.
        h: complex (fft_len,), channel at the preamble.
        first: number of the first symbol after the preamble, for the pilots' cycle.
    """
    count = len(bins)
    z = pilot_products(bins, waveform.pilot_bins, h, waveform.pilots(first + count)[first:])
    ppm = 0.0
    slope: np.ndarray = np.zeros(count)
    if count >= SFO_SYMBOLS:
        carriers, unit = np.array(waveform.pilot_carriers), slope_unit(waveform)
        steps = np.arange(first, first + count) + float(waveform.preamble_symbols)
        ppm = _coarse_clock_offset(z, carriers, first, waveform)
        slope = ppm * unit * steps
        z *= np.exp(-1j * np.outer(slope, carriers)).astype(np.complex64)
    common = z.sum(axis=1)  # (symbols,)
    frequency = 0.0
    if count >= _PHASE_LINE_SYMBOLS:
        frequency = steady_frequency(common, _padded_roots(max(64, 1 << (count - 1).bit_length())), np.pi)
    return Tracked(moving_phase(common, frequency, PHASE_WINDOW), slope, ppm, frequency)


@lru_cache(maxsize=16)
def _padded_roots(count: int) -> np.ndarray:
    """Of FFTs padded to eight times `count`."""
    return roots_of_unity(8 * count)


def _coarse_clock_offset(z: np.ndarray, carriers: np.ndarray, first: int, waveform: WaveformConfig) -> float:
    """Best of a grid, ppm: phases between any two pilots of a symbol, so that a faded pilot counts little."""
    rows = len(z) // _SFO_BLOCK * _SFO_BLOCK
    low, high = np.triu_indices(len(carriers), 1)
    pairs = (
        (z[:rows, high] * np.conj(z[:rows, low]))
        .reshape(rows // _SFO_BLOCK, _SFO_BLOCK, len(low))
        .sum(axis=1)
    )
    steps = (
        first + float(waveform.preamble_symbols) + _SFO_BLOCK * np.arange(len(pairs)) + (_SFO_BLOCK - 1) / 2.0
    )
    found = np.zeros(len(_SFO_GRID_PPM))
    distances = carriers[high] - carriers[low]
    for distance in np.unique(distances):
        turns = np.exp(-1j * slope_unit(waveform) * distance * np.outer(_SFO_GRID_PPM, steps))
        found += np.real(turns @ pairs[:, distances == distance].sum(axis=1))
    return float(_SFO_GRID_PPM[np.argmax(found)])


def straighten(
    bins: np.ndarray, phase: np.ndarray, slope: np.ndarray, waveform: WaveformConfig
) -> np.ndarray:
    """Undo phase and slope: complex64 (symbols, fft_len)."""
    return np.asarray(turn_back(bins, phase, slope))
