"""What is wrong with samples that a receiver cannot read, or reads badly: one measurement for each cause.

Functions of samples alone; :mod:`m4sc.phy.diagnosis_watch` asks them at the right moments. The bounds were
set on seeds, SNRs and channels other than those that ``m4sc bench phy --only diagnosis`` measures with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.fft

from m4sc.phy.fec.compiled import vectorized
from m4sc.phy.waveform import WaveformConfig

_RAIL = 0.999  # of the largest value: what lies above is at the converter's end
_RAIL_SHARE, _RAIL_VALUES = 2e-4, 24  # of the values, and their number, from which on it is clipping
_PILE = 2.0  # times as many as in a band of the same width, or at a level, below
_FEWEST_LEVELS = 3  # below the end: with fewer, or a signal of one amplitude, nothing is known
_FFT = 1024  # of the spectrum in which a carrier stands
_WINDOW = np.hanning(_FFT).astype(np.float32)
_NEAR, _BESIDE = 2, 20  # bins that are the carrier's own, and those that it is compared with
_STANDS_DB, _LEAST_DB = 15.0, -18.0  # of a carrier, over what is beside it and against all power
_CP_MATCH = 0.05  # of the energy: symbols with a prefix have it at the lag of their FFT
_CP_STANDS = 3.0  # times the median of all lags
_SHORTEST_LAG = 16  # a channel of many paths has lags of its own below
_GROUP = 4  # OFDM symbols whose prefixes give one timing
_CONTRAST = 2.5  # of such a timing
_AROUND = 5  # timings on each side of a jump
_STEP = 3  # samples by which timing jumps; a clock never moves it so quickly
_UNEVEN = 2.0  # the most over the least
_GOES_ON = 0.6  # of a burst's power, still there where another one begins
_MORE_POWER = 1.2  # where two bursts overlap, of what the first one had


class Carrier(NamedTuple):
    """frequency: cycles a sample, -0.5 to 0.5; over_db: over the spectrum beside it; level_db: its power
    against that of all samples."""

    frequency: float
    over_db: float
    level_db: float


class Step(NamedTuple):
    """place: sample about which symbols come `samples` earlier than they should (modulo a symbol)."""

    place: int
    samples: int


def clipped_share(samples: np.ndarray) -> float:
    """Share of the values, I and Q apart, that lie at the converter's end; 0 where there is no sign of one.

    Values pile up there, whereas those of a signal in range become the fewer the larger they are; a
    converter of few levels is told by having none between.
    samples: complex64 (n,).
    """
    values = np.abs(np.ascontiguousarray(samples, np.complex64).view(np.float32))
    most = float(values.max(initial=0.0))
    if most <= 0.0:
        return 0.0
    at_end = int(np.count_nonzero(values >= _RAIL * most))
    if at_end < max(_RAIL_VALUES, _RAIL_SHARE * len(values)):
        return 0.0
    below = values[(values < _RAIL * most) & (values > 0.8 * most)]
    levels = len(np.unique(below))
    if levels < _FEWEST_LEVELS:
        return 0.0
    bands = min(0.2 / (1.0 - _RAIL), levels)
    return at_end / len(values) if at_end > _PILE * max(len(below) / bands, 1.0) else 0.0


def standing_carrier(samples: np.ndarray) -> Carrier | None:
    """The strongest carrier that stands in the band all the time, at 0 a DC offset; None where none does.

    By a low quantile over time of short spectra: bursts come and go, a carrier stays.
    samples: complex64 (n,), at least some thousand.
    """
    rows = len(samples) // _FFT
    if rows < 8:
        return None
    spectra = scipy.fft.fft(samples[: rows * _FFT].reshape(rows, _FFT) * _WINDOW, axis=1)
    power = (spectra.real**2 + spectra.imag**2).astype(np.float32, copy=False)
    quiet = smallest(power, rows // 4 + 1)[-1].astype(np.float64)
    usual = _usual_beside(quiet)
    mean = power.mean(axis=0, dtype=np.float64)
    if mean.sum() <= 0.0:
        return None
    over = quiet / (usual + 1e-9 * mean.mean())
    best = int(np.argmax(np.where(quiet > 0.0, over, 0.0)))
    around = np.arange(best - _NEAR, best + _NEAR + 1) % _FFT
    level = float(np.sum(np.minimum(mean, quiet * 3.0)[around]) / mean.sum())
    over_db, level_db = (10 * math.log10(max(x, 1e-30)) for x in (float(over[best]), level))
    if over_db < _STANDS_DB or level_db < _LEAST_DB:
        return None
    return Carrier(float(np.fft.fftfreq(_FFT)[best]), over_db, level_db)


def _usual_beside(power: np.ndarray) -> np.ndarray:
    """Median of the bins on both sides of each, those near it left out, the spectrum taken as a ring.

    power: float (n,), of a spectrum.
    """
    ring = np.concatenate([power[-_BESIDE:], power, power[:_BESIDE]]).astype(np.float32)
    around = np.lib.stride_tricks.sliding_window_view(ring, len(power))
    beside = np.concatenate([around[: _BESIDE - _NEAR], around[_BESIDE + _NEAR + 1 :]])
    middle = len(beside) // 2
    low = smallest(beside, middle + 1)
    return 0.5 * (low[middle - 1] + low[middle]).astype(np.float64)


@vectorized
def smallest(values, count):  # type: ignore[no-untyped-def]
    """The `count` smallest of each column, in order, float32 (count, columns); values: float32 (rows,
    columns).

    By insertion in all columns at once: a receiver does this all the time, and NumPy's sorts and medians
    and SciPy's filters take several times as long.
    """
    kept = np.full((count, values.shape[1]), np.float32(np.finfo(np.float32).max), np.float32)
    for row in range(values.shape[0]):
        more = values[row].copy()
        for rank in range(min(row + 1, count)):
            line = kept[rank]
            for i in range(len(more)):
                low, high = min(line[i], more[i]), max(line[i], more[i])
                line[i], more[i] = low, high
    return kept


def symbol_lag(bursts: Sequence[np.ndarray], longest: int) -> float:
    """Lag, samples, at which bursts repeat themselves as OFDM symbols do their prefixes; 0 for none.

    The lag is the sender's FFT length in this receiver's samples, to about 0.2 %. Bursts may differ in their
    carrier offsets.
    bursts: complex64 (n,) each; longest: lag that is looked at.
    """
    match, energy = np.zeros(longest + 2), 1e-30
    for burst in bursts:
        if len(burst) < 4 * longest:
            continue
        size = 1 << (len(burst) + longest + 1).bit_length()
        spectrum = np.fft.fft(burst, size)
        whole = np.abs(np.fft.ifft(np.abs(spectrum) ** 2)[: longest + 2])
        match, energy = match + whole, energy + float(whole[0])
    match /= energy
    first = _SHORTEST_LAG
    best = first + int(np.argmax(match[first : longest + 1]))
    if match[best] < max(_CP_MATCH, _CP_STANDS * float(np.median(match[first : longest + 1]))):
        return 0.0
    before, here, behind = match[best - 1], match[best], match[best + 1]
    bend = before - 2.0 * here + behind
    return best + (0.5 * float((before - behind) / bend) if bend < 0.0 else 0.0)


def timing_step(samples: np.ndarray, waveform: WaveformConfig) -> Step | None:
    """Where symbols of a burst come at another time than those before; None where they do not.

    samples: complex64 (n,), from the burst's first symbol on. The place of the prefixes is found for a few
    symbols at a time.
    """
    length, lag, cp = waveform.symbol_len, waveform.fft_len, waveform.cp_len
    product = np.conj(samples[:-lag]) * samples[lag:] if len(samples) > lag else np.zeros(0)
    groups = len(product) // (_GROUP * length)
    if groups < 4:
        return None
    sums = product[: groups * _GROUP * length].reshape(groups, _GROUP, length).sum(axis=1)
    round_sums = np.concatenate([sums, sums[:, : cp - 1]], axis=1)
    boxes = np.abs(np.lib.stride_tricks.sliding_window_view(round_sums, cp, axis=1).sum(axis=2))
    offsets = np.argmax(boxes, axis=1)
    sure = boxes.max(axis=1) > _CONTRAST * boxes.mean(axis=1)
    moved = np.diff(offsets)[: groups - 1]
    moved = (moved + length // 2) % length - length // 2
    jumped = np.abs(moved) > _STEP
    if not sure[:2].all() or jumped[0] or not jumped.any():
        return None
    first = int(np.argmax(jumped)) + 1
    before, behind = offsets[max(first - _AROUND, 0) : first], offsets[first : first + _AROUND]
    before, behind = before[sure[max(first - _AROUND, 0) : first]], behind[sure[first : first + _AROUND]]
    if min(len(before), len(behind)) < 2:
        return None
    new = int(np.median((behind - before[-1] + length // 2) % length - length // 2))
    for part, middle in ((before, 0), (behind, new)):
        off = (part - before[-1] - middle + length // 2) % length - length // 2
        if abs(new) <= _STEP or np.mean(np.abs(off) <= _STEP) < 0.7:
            return None
    return Step(first * _GROUP * length, int(-new % length))


def is_louder(samples: np.ndarray, place: int, waveform: WaveformConfig) -> bool:
    """Whether a burst has more power from `place` on than before: that of another one beside its own.

    One that had ended before has none to add to.

    samples: complex64 (n,), from the burst's first symbol on.
    """
    length, slack = waveform.symbol_len, waveform.cp_len  # where another one begins is known to a few samples
    last, new = samples[max(place - length - slack, 0) : place - slack], samples[place : place + 3 * length]
    if place < 2 * length or len(new) < length:
        return False
    usual, ending, power = (float(np.mean(np.abs(part) ** 2)) for part in (samples[:place], last, new))
    return ending > _GOES_ON * usual and power > _MORE_POWER * usual


def is_uneven(noise_var: np.ndarray, n_data_carriers: int) -> bool:
    """Whether some OFDM symbols of a frame have much more noise than others; noise_var: float (symbols,)."""
    rows = len(noise_var) // n_data_carriers
    if rows < 2:
        return False
    noise = np.mean(noise_var[: rows * n_data_carriers].reshape(rows, -1), axis=1)
    return bool(noise.max() > _UNEVEN * noise.min())
