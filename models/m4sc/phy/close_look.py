"""A frame whose noise is not of one level: estimates without what is hit, and a variance for each cell.

What hits a carrier or an OFDM symbol spoils the estimates of channel, phase and clock for all of them. So
they are made anew by the same kernels, without the carriers that stand out and with each OFDM symbol weighted
by its noise, in turn with the noise (:mod:`m4sc.phy.equalizer.noise_field`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from m4sc.phy.burst_kernels import (
    least_squares,
    phases_anew,
    pilot_phase,
    words_and_header,
)
from m4sc.phy.equalizer.kernels import clock_offset, lever_sums, turn_back, turn_clock_back
from m4sc.phy.equalizer.noise_field import Cells, most_by_chance, noise_field
from m4sc.phy.equalizer.sparse import sparse_channel, tap_tables
from m4sc.phy.modulation.qam import grid_scale

_TURNS = 3  # of estimates and noise
# Gains by whom: OFDM symbols of a mean, and whether decisions count beside pilots.
_GAINS = (5, False), (1, True), (1, True)
_NARROW = 3  # OFDM symbols of the phase's narrowest window, where it may wander
_LEFT_OUT = 0.5  # of the carriers at most
_LEAST_POWER = 1e-30


@dataclass(frozen=True)
class Received:
    """A frame as its spectra have it.

    Attributes:
        bins: complex64 (rows, fft_len), header and payload; a long frame's less what was tracked.
        tracked: of a long frame, phases undone already, float (rows,), and their line, rad a symbol.
        words: complex64 (words, fft_len), the sync words.
        h, noise: first estimate of the channel, complex64 (fft_len,), and of a bin's noise.
        sent: complex64 (header rows, data carriers).
        pilots: float (rows, pilots).
        fields: OFDM symbols of message fields behind the header.
        n_symbols: of message fields and payload.
        levels: amplitudes of one dimension of the payload's grid; empty where any value may come.
        spread: whether values that may be any are Gaussian, of one power on all carriers.
    """

    bins: np.ndarray
    tracked: tuple[np.ndarray, float] | None
    words: np.ndarray
    h: np.ndarray
    noise: float
    sent: np.ndarray
    pilots: np.ndarray
    fields: int
    n_symbols: int
    levels: np.ndarray
    spread: bool


@dataclass(frozen=True)
class Setting:
    """What a waveform and a protection fix.

    Attributes:
        sync: complex64 (words, fft_len).
        data_bins, pilot_bins: int.
        clock: signed carriers, float (fft_len,), and slope of one ppm.
        basis: of the channel's taps, complex64 (fft_len, taps).
        phase: what ``pilot_phase`` takes behind the pilots.
        rounds: of the channel's estimate.
        window: share of an OFDM symbol, prefix included, that a spectrum sees.
    """

    sync: np.ndarray
    data_bins: np.ndarray
    pilot_bins: np.ndarray
    clock: tuple[np.ndarray, float]
    basis: np.ndarray
    phase: tuple[int, int, np.ndarray, float]
    rounds: int
    window: float


class Found(NamedTuple):
    """symbols, noise_var, h at the data carriers, its power, noise of a bin (the mean), ppm."""

    symbols: np.ndarray
    noise_var: np.ndarray
    h: np.ndarray
    power: float
    noise: float
    ppm: float


@dataclass
class _Estimates:
    """straight: less phases and clock, not weighted; h; its error over the least noise, float (fft_len,); the
    least noise; ppm; phase: what was undone in all, float (rows,), and the frequency of its line, rad a
    symbol."""

    straight: np.ndarray
    h: np.ndarray
    h_error: np.ndarray
    floor: float
    ppm: float
    phase: tuple[np.ndarray, float]


def grid_levels(side: int) -> np.ndarray:
    """Amplitudes of one dimension of a square grid of unit mean power, float (side,)."""
    return (2.0 * np.arange(side) - (side - 1)) / grid_scale(max(side, 2) ** 2)


def look_closely(frame: Received, setting: Setting) -> Found:
    """Symbols with the noise variance of each."""
    order = np.argsort(setting.clock[0], kind="stable")  # by frequency
    inside = np.isin(order, np.concatenate([setting.data_bins, setting.pilot_bins]))
    weights: np.ndarray = np.ones((len(frame.words) + len(frame.bins), len(frame.h)))
    kept: np.ndarray = np.ones(len(frame.h), bool)
    phase, field, sweep = None, weights, None
    for turn in range(_TURNS):
        found = _estimate(frame, setting, weights, kept, phase)
        cells = _cells(frame, setting, found, order)
        gain_error = np.zeros(len(frame.bins))
        if turn == _TURNS - 1:
            found, cells, gain_error = _follow_gains(found, cells, field, len(frame.words))
        levels = noise_field(cells, found.floor, inside, turn == _TURNS - 1, sweep)
        phase, field, sweep = found.phase, levels.field, levels.sweep
        weights[:, order] = np.sqrt(found.floor / np.maximum(field, found.floor))
        kept = _kept(
            levels.of_carrier, found.floor, order, inside, setting, len(frame.words) + len(frame.sent)
        )
    places = np.searchsorted(order, setting.data_bins, sorter=np.argsort(order))
    noise = field[len(frame.words) :][:, np.argsort(order)[places]]
    return _equalized(frame, setting, found, noise, gain_error)


def _kept(
    levels: np.ndarray, floor: float, order: np.ndarray, inside: np.ndarray, setting: Setting, known: int
) -> np.ndarray:
    """Bins that take part in the estimates, bool (fft_len,): the quietest, if too many stand out."""
    kept = np.ones(len(setting.clock[0]), bool)
    loud = inside & (levels > floor * most_by_chance(known))
    most = np.quantile(levels[inside], 1.0 - _LEFT_OUT)
    kept[order[loud & (levels > most)]] = False
    if len(setting.pilot_bins) and not kept[setting.pilot_bins].any():
        kept[setting.pilot_bins] = True
    return kept


def _estimate(
    frame: Received,
    setting: Setting,
    weights: np.ndarray,
    kept: np.ndarray,
    phase: tuple[np.ndarray, float] | None,
) -> _Estimates:
    """Phases, clock and channel from the bins that are kept, each cell times its weight.

    weights: float (words + rows, fft_len); phase: of the turn before, None of the first.
    """
    n_words, n_head = len(frame.words), len(frame.sent)
    of_words, weights = weights[:n_words].astype(np.float32), weights[n_words:]
    data, pilot = kept[setting.data_bins], kept[setting.pilot_bins]
    bins = setting.data_bins[data], setting.pilot_bins[pilot]
    used = np.concatenate(bins)
    every = (frame.bins * weights).astype(np.complex64)
    all_pilots = frame.pilots * weights[:, setting.pilot_bins]
    pilots = np.ascontiguousarray(all_pilots[:, pilot])
    sent = (frame.sent * weights[:n_head, setting.data_bins]).astype(np.complex64)
    level = np.zeros(len(every))
    before = (level, 0.0) if frame.tracked is None else frame.tracked
    undone = phase or frame.tracked or pilot_phase(every, bins[1], frame.h, pilots, *setting.phase)
    every = turn_back(every, undone[0] - before[0], level)
    carriers, unit = setting.clock
    products, spread = lever_sums(every, frame.h, bins[1], carriers, pilots)
    more = lever_sums(every, frame.h, bins[0], carriers, np.ascontiguousarray(sent[:, data]))
    ppm = clock_offset(products + more[0], spread + more[1], frame.noise, unit)
    every = turn_clock_back(every, ppm * unit, frame.h, bins[1], carriers, pilots)
    seen, wanted = words_and_header(
        frame.words * of_words,
        setting.sync * of_words,
        every,
        sent,
        all_pilots,
        setting.data_bins,
        setting.pilot_bins,
    )
    sums = least_squares(seen, wanted, np.ones(len(frame.h), np.float32))
    weight = np.where(kept, np.sum(np.abs(wanted) ** 2, axis=0), 0.0)
    places = used[weight[used] > 0]
    part = setting.basis[places].astype(np.complex128) * np.sqrt(weight[places])[:, None]
    gram = part.conj().T @ part
    training = tap_tables(places, setting.basis, gram)
    noise = max(frame.noise, _LEAST_POWER)
    for _ in range(2):  # the first noise may be that of all carriers
        h, taps = sparse_channel(sums, weight.astype(np.float32), training, noise, setting.rounds)
        error = np.abs(seen[:, used] - h[used] * wanted[:, used]) ** 2
        # of most cells: one that is hit and not known to be yet must not count
        noise = float(np.median(error)) / np.log(2.0) * error.size / max(error.size - taps, 1.0)
        noise = max(noise, _LEAST_POWER)
    turn, _ = phases_anew(every, undone, seen, wanted, h, pilots, (*bins, used), n_words, n_head, _NARROW)
    ridge = noise * len(gram) / max(float(np.mean(np.abs(h[used]) ** 2)), _LEAST_POWER)
    inverse = np.linalg.inv(gram + max(ridge, 1e-6) * np.eye(len(gram)))
    h_error = np.real(np.sum((setting.basis @ inverse) * setting.basis.conj(), axis=1)) * taps / len(gram)
    straight = every * (turn[:, None] / weights.astype(np.float32))
    after = undone[0] - np.angle(turn), undone[1]
    return _Estimates(straight, h, h_error, noise, ppm, after)


def _follow_gains(
    found: _Estimates, cells: Cells, field: np.ndarray, n_words: int
) -> tuple[_Estimates, Cells, np.ndarray]:
    """Both less what phase and gain of each OFDM symbol differ by from the estimates', and the power of these
    gains' errors, float (rows,).

    Pilots say it first, over a few symbols, then decisions for each. How far an estimate is believed is
    known by how much all of them differ, beyond what noise does to them.

    field: float (words + rows, carriers), noise variance so far.
    """
    straight, seen = found.straight, cells.seen.copy()
    error = np.zeros(len(straight))
    for window, decide in _GAINS:
        sent, power = replace(cells, seen=seen).expected(field, decide)
        sums = (seen * np.conj(cells.h * sent) / field).sum(axis=1)[n_words:]
        known = (np.abs(cells.h) ** 2 * power / field).sum(axis=1)[n_words:]
        few = np.ones(min(window, len(straight)))
        gain, error = _shrunk_gains(np.convolve(sums, few, "same"), np.convolve(known, few, "same"))
        straight = (straight / gain[:, None]).astype(np.complex64)
        seen[n_words:] = seen[n_words:] / gain[:, None]
    return replace(found, straight=straight), replace(cells, seen=seen), error


def _shrunk_gains(sums: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain of each row, complex (rows,), and its error's power, float (rows,).

    sums: complex (rows,), of seen * conj(expected) over the noise; known: of |expected|^2 over it.
    """
    known = known + _LEAST_POWER
    off, chance = sums / known - 1.0, 0.5 / known
    gain, unsure = np.ones(len(off), complex), np.zeros(len(off))
    for part, unit in ((off.real, 1.0), (off.imag, 1j)):
        spread = max(float(np.mean(part**2 - chance)), 0.0)
        sure = spread / (spread + chance)
        gain += unit * sure * part
        unsure += sure * chance
    return gain, unsure


def _cells(frame: Received, setting: Setting, found: _Estimates, order: np.ndarray) -> Cells:
    """Sync words, header and payload as the noise's estimate takes them, carriers by frequency."""
    n_words, n_head, rows = len(frame.words), len(frame.sent), len(frame.bins)
    fft_len = len(frame.h)
    sent, kind = np.zeros((rows, fft_len), np.complex64), np.full((rows, fft_len), Cells.KNOWN, np.uint8)
    sent[:, setting.pilot_bins] = frame.pilots
    sent[:n_head, setting.data_bins] = frame.sent
    unknown = Cells.GAUSSIAN if frame.spread else Cells.NOTHING
    kind[n_head:, setting.data_bins] = Cells.GRID if len(frame.levels) else unknown
    kind[n_head : n_head + frame.fields, setting.data_bins] = Cells.GAUSSIAN
    last = kind[n_head:, setting.data_bins]
    flat = last.reshape(-1)
    flat[frame.n_symbols :] = Cells.NOTHING
    kind[n_head:, setting.data_bins] = flat.reshape(last.shape)
    h = np.zeros(fft_len, np.complex64)
    used = np.concatenate([setting.data_bins, setting.pilot_bins])
    h[used] = found.h[used]
    empty = np.setdiff1d(order, (*used, 0))  # a radio's DC offset stays there
    seen = np.concatenate([frame.words, found.straight])
    scale = _scale_of(seen[:, empty], found.floor)
    seen[:, empty] *= np.float32(scale)
    known = np.full((n_words, fft_len), Cells.KNOWN, np.uint8)
    nothing = np.setdiff1d(order, used) if not scale else np.setdiff1d([0], used)
    known[:, nothing], kind[:, nothing] = Cells.NOTHING, Cells.NOTHING
    return Cells(
        seen[:, order],
        h[order],
        np.concatenate([setting.sync, sent])[:, order],
        np.concatenate([known, kind])[:, order],
        frame.levels,
        setting.window,
    )


def _scale_of(empty: np.ndarray, floor: float) -> float:
    """What brings empty carriers to the level of the others: a filter may have taken their noise away."""
    if not empty.size:
        return 0.0
    usual = float(np.median(np.mean(np.abs(empty) ** 2, axis=1)))
    return float(np.sqrt(floor / usual)) if usual > 0.1 * floor else 0.0


def _equalized(
    frame: Received, setting: Setting, found: _Estimates, noise: np.ndarray, gain_error: np.ndarray
) -> Found:
    """Unbiased symbols, each with its variance: its cell's noise, and the errors of channel and gains."""
    n_head, data = len(frame.sent), setting.data_bins
    h = found.h[data]
    power = float(np.mean(np.abs(h) ** 2))
    gain = np.maximum(np.abs(h) ** 2 + found.floor * found.h_error[data], 1e-12 * power + _LEAST_POWER)
    symbols = (found.straight[n_head:, data] * (np.conj(h) / gain)).reshape(-1)[: frame.n_symbols]
    unsure = found.floor * found.h_error[data] / gain + gain_error[n_head:, None]
    variances = (noise[n_head:] / gain + unsure).reshape(-1)[: frame.n_symbols]
    return Found(
        symbols.astype(np.complex64),
        variances.astype(np.float32),
        h,
        power,
        float(np.mean(noise[n_head:])),
        found.ppm,
    )
