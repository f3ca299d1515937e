"""Correlations of samples with the preamble at every carrier offset of a grid."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from m4sc.phy.fec.compiled import borrowing, compiled, vectorized
from m4sc.phy.fft_kernels import roots_of_unity, transform
from m4sc.phy.frame import add_prefix
from m4sc.phy.sync.first_look import look_first
from m4sc.phy.sync.repeats import AHEAD, alignment, fine_offset, stands_out
from m4sc.phy.waveform import WaveformConfig

MAX_OFFSET_CARRIERS = 2.8
_WEAK_PATH = 0.02  # of the strongest; the preamble's own side lobes lie below from four samples on
_OVER_NOISE = 10.0
_FAINT = 0.15  # match of one of several preambles below which other paths cannot be told from noise
_DOUBTFUL = 0.3  # match below which the strongest place may be one of noise


@lru_cache(maxsize=8)
def preamble(waveform: WaveformConfig) -> np.ndarray:
    """All sync words with prefixes, complex128 (preamble_symbols * symbol_len,)."""
    return add_prefix(waveform.preamble_bins, waveform)


class PreambleBank:
    """Correlations by FFTs of one length.

    The grid's offsets lie a little less than 1 / preamble apart, where the correlations are nearly
    independent; those half-way between are sums of two neighbours. A preamble loses 1 dB at most. A shift
    of the preamble's spectrum by one bin is an offset of 1 / size.

    Attributes:
        size: samples of a block.
        places: that a block covers.
    """

    def __init__(self, waveform: WaveformConfig, size: int) -> None:
        known = preamble(waveform)
        energy, self.size, self.length = np.abs(known) ** 2, size, len(known)
        self.places = size - self.length + 1
        self._step = max(1, size // self.length)
        count = 2 * MAX_OFFSET_CARRIERS * size / waveform.fft_len / self._step
        rows = 8 * math.ceil(count / 8)  # vectors of 8 floats are left whole
        shifts = self._step * (np.arange(rows) - (rows - 1) / 2)
        # Phases are counted from the preamble's centre of energy, so that neighbours are in phase half-way.
        centre = float(np.arange(self.length) @ energy) / energy.sum()
        turn = 2 * np.pi * self._step / size * (np.arange(self.length) - centre)
        self._half_gain = np.float32(energy.sum() / (energy @ (2 + 2 * np.cos(turn))))
        turned = known * np.exp(2j * np.pi / size * np.outer(shifts, np.arange(self.length)))
        kernels = np.conj(np.fft.fft(turned, size)).T / np.linalg.norm(known) / size
        kernels = kernels * np.exp(2j * np.pi * centre / size * shifts)
        self._kernels = (
            np.ascontiguousarray(kernels.real, np.float32),
            np.ascontiguousarray(kernels.imag, np.float32),
        )
        self._roots, self._first, self._rows = roots_of_unity(size), float(shifts[0]), len(shifts)
        self._cp_len = waveform.cp_len
        halves = (self._first + 0.5 * self._step * np.arange(2 * rows - 1)) / size
        known_rows = np.conj(known * np.exp(2j * np.pi * np.outer(halves, np.arange(self.length))))
        known_rows /= np.linalg.norm(known)
        self._known = (
            np.ascontiguousarray(known_rows.real, np.float32),
            np.ascontiguousarray(known_rows.imag, np.float32),
        )

    def match(self, block: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Energy share at the best offset, float32 (places,), of complex64 (places + length - 1,).

        The second value is what :meth:`refine` takes.
        """
        match, re, im = _match(block, *self._kernels, self._roots, self.length, self._half_gain)
        return match, (re, im)

    @property
    def tables(self) -> tuple[Any, ...]:
        """What :func:`search_blocks` takes of a bank."""
        return *self._kernels, self._roots, self._half_gain, self._first, float(self._step), *self._known

    def refine(
        self, found: tuple[np.ndarray, np.ndarray], peak: int, places: int, share: float, backoff: int
    ) -> tuple[int, float]:
        """Samples by which a burst's start is moved from `peak`, and its carrier offset, cycles a sample.

        The strongest path need not be the first one. With the FFT window `backoff` inside the prefix, paths
        from so many samples before the start to a prefix less so many behind it do no harm: of all moves, the
        one that puts most energy there.
        """
        noise_share = max(1.0 - share, 0.0) / (share * self.length)
        move, half = _refine(
            *found, peak, places, self._rows, self._half_gain, self._cp_len, backoff, noise_share
        )
        return move, (self._first + 0.5 * self._step * half) / self.size


@lru_cache(maxsize=16)
def preamble_bank(waveform: WaveformConfig, size: int) -> PreambleBank:
    """The bank for blocks of `size` samples."""
    return PreambleBank(waveform, size)


@compiled
def _match(block, kernel_re, kernel_im, roots, length, half_gain):  # type: ignore[no-untyped-def]
    places, rows = len(block) - length + 1, kernel_re.shape[1]
    re, im = _correlate(block, kernel_re, kernel_im, roots)
    return _share(block, _strongest(re, im, places, rows, half_gain)), re, im


@compiled
def search_blocks(samples, place, block, banks, length, threshold, timing, repeats, look, final):  # type: ignore[no-untyped-def]
    """The loop of :meth:`m4sc.phy.sync.detector.BurstSearch.find`.

    banks: tables of each; timing: samples behind a place where a match may be better, samples by which a
    window opens inside the prefix, and the prefix; repeats: share of the energy from which a place is
    looked at, 2 to look for no repetitions; what :func:`alignment` takes; the preamble, complex64 (length,);
    look: of :func:`m4sc.phy.sync.first_look.first_look`, before each block.
    Returns whether there is a burst, its start, offset, match and number of preambles, and where the
    search goes on.
    """
    reach, backoff, cp_len = timing
    low = repeats[0]
    ahead = (AHEAD + 1) * length if low <= 1.0 else 0
    longest = len(banks) - 1
    while True:
        if look.lag and not final:
            if place + look.needed > len(samples):
                return False, 0, 0.0, 0.0, 1, place, block
            peak, cfo, share, re, im, first = look_first(samples, place, look, repeats)
            if peak >= 0:
                noise_share = max(1.0 - share, 0.0) / (share * length)
                move = _window_move(
                    re, im, peak - first, len(re), 0, 1, np.float32(1), cp_len, backoff, noise_share
                )
                return True, peak + move, cfo, share, 1, peak, 0
        kernel_re, kernel_im, roots, half_gain, first_shift, step, known_re, known_im = banks[
            min(block, longest)
        ]
        size, rows = kernel_re.shape
        part = samples[place : place + size]
        if len(part) < (length if final else size) or (not final and place + size + ahead > len(samples)):
            return False, 0, 0.0, 0.0, 1, place, block
        match, re, im = _match(part, kernel_re, kernel_im, roots, length, half_gain)
        found = re, im, rows, half_gain, known_re, known_im
        first = _first_sign(samples, place, match, threshold, length, found, repeats)
        if first < 0:
            place, block = place + len(match), block + 1
            continue
        peak = _peak(match, first, reach)
        last = len(part) < size
        if peak < 0 and (last or (first == 0 and block >= longest)):
            peak = np.argmax(match)  # ever stronger over a whole block: no burst does that
        if peak >= 0:
            count, shift, share = 1, 0, np.float64(match[peak])
            if low <= 1.0:
                count, shift, other, share = _aligned(
                    samples, place, match, first, peak, reach, length, found, repeats
                )
                peak = other
            noise_share = max(1.0 - match[peak], 0.0) / (match[peak] * length)
            move, half = _refine(re, im, peak, len(match), rows, half_gain, cp_len, backoff, noise_share)
            if count > 1 and match[peak] < _FAINT:
                move = 0  # noise around so faint a preamble is no path
            start, cfo = place + peak + shift * length, (first_shift + 0.5 * step * half) / size
            if count > 1:  # at the strongest path: where the window moves to, there may be next to nothing
                cfo = fine_offset(samples, start, cfo, repeats[2], repeats[1][1][count, :count], length // 2)
            return True, start + move, cfo, share, count, place + peak, 0
        place, block = place + first, (block + 1 if first == 0 else 0)


@compiled
def _first_sign(samples, place, match, threshold, length, found, repeats):  # type: ignore[no-untyped-def]
    """First place whose match is above `threshold`, or where a repeated preamble is; -1 if there is none."""
    low = repeats[0]
    for i in range(len(match)):
        if match[i] > threshold:
            return i
        if match[i] > low:
            known = _known_at(i, found)
            if stands_out(samples, place + i, known, length):
                count, shift, _, _ = alignment(samples, place + i, known, length, repeats[1])
                if count > 1 and shift <= 0:
                    return i
    return -1


@compiled
def _known_at(i, found):  # type: ignore[no-untyped-def]
    """The conjugate preamble at the best offset of a place."""
    re, im, rows, half_gain, known_re, known_im = found
    half = np.argmax(_powers(re, im, i, rows, half_gain))
    return known_re[half], known_im[half]


@compiled
def _aligned(samples, place, match, first, peak, reach, length, found, repeats):  # type: ignore[no-untyped-def]
    """How many preambles there are around a place, from it to the first one, the place, and the share
    explained.

    The strongest place by itself, `peak`, may be one of noise: so is each that comes near it.
    """
    count, shift, most, share = alignment(samples, place + peak, _known_at(peak, found), length, repeats[1])
    if count == 1 or shift > 0:
        count, shift, share = 1, 0, np.float64(match[peak])
    other = peak
    if match[peak] < _DOUBTFUL:
        for i in range(first, min(first + reach + 1, len(match))):
            if i != peak and match[i] > repeats[0]:
                more, by, energy, part = alignment(
                    samples, place + i, _known_at(i, found), length, repeats[1]
                )
                if more > 1 and by <= 0 and energy > most:
                    count, shift, most, other, share = more, by, energy, i, part
    return count, shift, other, share


@borrowing(compiled)
def _peak(match, first, reach):  # type: ignore[no-untyped-def]
    """The strongest place from `first` up to `reach` behind it; -1 if it is not known yet."""
    peak, place = first, first + 1
    while place <= peak + reach:
        if place == len(match):
            return -1
        if match[place] > match[peak]:
            peak = place
        place += 1
    return peak


@compiled
def _refine(re, im, peak, places, rows, half_gain, cp_len, backoff, noise_share):  # type: ignore[no-untyped-def]
    """Move of the start, and offset in half steps of the grid from its first one."""
    powers = _powers(re, im, peak, rows, half_gain)
    best = np.argmax(powers)
    move = _window_move(re, im, peak, places, best, rows, half_gain, cp_len, backoff, noise_share)
    return move, best + _vertex(powers, best)


@vectorized
def _correlate(block, kernel_re, kernel_im, roots):  # type: ignore[no-untyped-def]
    """Conjugate correlations, two float32 (size * offsets,), of complex64 (up to size,)."""
    size, rows = kernel_re.shape
    re, im = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for i in range(len(block)):
        re[i], im[i] = block[i].real, block[i].imag
    re, im = transform(re, im, np.empty_like(re), np.empty_like(im), 1, roots)
    # The inverse FFT is the conjugate of the forward one of the conjugate.
    wide_re, wide_im = np.empty(size * rows, np.float32), np.empty(size * rows, np.float32)
    for k in range(size):
        to_re, to_im = wide_re[k * rows : (k + 1) * rows], wide_im[k * rows : (k + 1) * rows]
        part_re, part_im, a, b = kernel_re[k], kernel_im[k], re[k], im[k]
        for row in range(rows):
            to_re[row] = part_re[row] * a - part_im[row] * b
            to_im[row] = -part_re[row] * b - part_im[row] * a
    return transform(wide_re, wide_im, np.empty_like(wide_re), np.empty_like(wide_im), rows, roots)


@vectorized
def _strongest(re, im, places, rows, half_gain):  # type: ignore[no-untyped-def]
    """Largest power of each place, float32 (places,)."""
    power = np.empty(places * rows, np.float32)  # of an offset, or half-way to the next one
    for i in range(len(power) - 1):
        full = re[i] * re[i] + im[i] * im[i]
        a, b = re[i] + re[i + 1], im[i] + im[i + 1]
        half = half_gain * (a * a + b * b)
        power[i] = full if full > half else half
    best = np.empty(places, np.float32)
    for i in range(places):
        last = (i + 1) * rows - 1  # behind it another place begins
        most = re[last] * re[last] + im[last] * im[last]
        for k in range(i * rows, last):
            most = power[k] if power[k] > most else most
        best[i] = most
    return best


@compiled
def _share(block, best):  # type: ignore[no-untyped-def]
    """`best` over the energy of the samples behind each place, float32 (places,)."""
    power = np.empty(len(block))
    for i in range(len(block)):
        power[i] = np.float64(block[i].real) ** 2 + np.float64(block[i].imag) ** 2
    places = len(best)
    length = len(block) - places + 1
    floor = 1e-9 * power.sum() + 1e-30
    energy = power[:length].sum()
    for i in range(places):
        best[i] = best[i] / (max(energy, 0.0) + floor)
        if i + 1 < places:
            energy += power[i + length] - power[i]
    return best


@borrowing(compiled)
def _power(re, im, place, half, rows, half_gain):  # type: ignore[no-untyped-def]
    """|correlation|^2 at offset number `half`, in half steps of the grid."""
    at = place * rows + half // 2
    if half % 2 == 0:
        return np.float64(re[at]) ** 2 + np.float64(im[at]) ** 2
    return half_gain * (np.float64(re[at] + re[at + 1]) ** 2 + np.float64(im[at] + im[at + 1]) ** 2)


@compiled
def _powers(re, im, place, rows, half_gain):  # type: ignore[no-untyped-def]
    """|correlation|^2 of a place at all offsets, float64 (2 * rows - 1,)."""
    found = np.empty(2 * rows - 1)
    for half in range(2 * rows - 1):
        found[half] = _power(re, im, place, half, rows, half_gain)
    return found


@borrowing(compiled)
def _vertex(powers, best):  # type: ignore[no-untyped-def]
    """Where the parabola through the best amplitude and its neighbours is highest, from `best` on."""
    if best == 0 or best == len(powers) - 1:
        return 0.0
    left, mid, right = np.sqrt(powers[best - 1]), np.sqrt(powers[best]), np.sqrt(powers[best + 1])
    return 0.5 * (left - right) / min(left - 2 * mid + right, -1e-30)


@compiled
def _window_move(re, im, peak, places, offset, rows, half_gain, cp_len, backoff, noise_share):  # type: ignore[no-untyped-def]
    """noise_share: noise of a correlation over the peak's power."""
    low = min(cp_len, peak)
    count = min(places - peak, cp_len + 1) + low
    strongest = _power(re, im, peak, offset, rows, half_gain)
    least = strongest * max(_WEAK_PATH, _OVER_NOISE * noise_share)
    total, outside = np.zeros(count + 1), False
    for i in range(count):
        power = _power(re, im, peak - low + i, offset, rows, half_gain)
        seen = power > least
        outside |= seen and not low - backoff <= i < low + cp_len - backoff
        total[i + 1] = total[i] + (power if seen else 0.0)
    if not outside:
        return 0
    best, most = 0, -1.0
    for distance in range(max(low, cp_len // 2) + 1):  # the least move among equals
        for move in (-distance, distance):
            if not -low <= move <= cp_len // 2:
                continue
            first = low + move - backoff
            inside = total[min(max(first + cp_len + 1, 0), count)] - total[min(max(first, 0), count)]
            if inside > most + 1e-6 * strongest:
                best, most = move, inside
    return best
