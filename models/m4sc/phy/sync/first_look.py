"""A first look before the search at every offset: a preamble beyond doubt is found without it.

Sync word 1 has two equal halves, or opposite ones (Schmidl and Cox, "Robust Frequency and Timing
Synchronization for OFDM", 1997). Where samples repeat themselves so clearly that a burst must begin there,
correlations with the whole preamble, at the few places around and at the offset that the repetition tells,
settle place and offset. All else is left to the search at every offset: weak preambles, repeated ones, and
whatever may hide before a strong one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from m4sc.phy.fec.compiled import borrowing, compiled, reordered, vectorized
from m4sc.phy.sync.repeats import AHEAD, alignment, correlation
from m4sc.phy.waveform import WaveformConfig

# Of the halves' correlation squared over their energy squared: where a burst begins for sure, and from where
# on a gap before it may hold a weak one. Noise of 48 samples passes the first once in 10^10 times, and the
# second once in a thousand.
_CLEAR, _HINT = 0.5, 0.15
_SURE = 0.7  # of the energy, in the whole preamble: above 4 dB of SNR
_SPAN = 6  # OFDM symbols of gap: no frame is so short that it lies in it
_OFF = 8  # samples by which the repetition may misplace a preamble
_ROUNDING = 1e-9  # of the energy looked at


class FirstLook(NamedTuple):
    """What a waveform's first look takes.

    Attributes:
        lag: samples between the halves of sync word 1; 0 where it has none, or the preamble is sent again.
        sign: of the second half against the first, 1 or -1.
        window: samples that are repeated so.
        span: places looked at.
        step: samples of an OFDM symbol.
        around: places before and behind the one that the repetition tells.
        most: largest carrier offset, cycles a sample.
        needed: samples that must be there behind a search's place.
        known: preamble, conjugate, of unit norm: real and imaginary, float32 (length,).
    """

    lag: int
    sign: int
    window: int
    span: int
    step: int
    around: int
    most: float
    needed: int
    known: tuple[np.ndarray, np.ndarray]


def first_look(waveform: WaveformConfig, known: np.ndarray, most: float, repeats: bool) -> FirstLook:
    """Tables of a waveform.

    known: its preamble, complex (length,); most: carriers of offset; repeats: whether the search looks for
    repeated preambles too.
    """
    word = waveform.sync_bins(1)
    even, odd = word[::2].any(), word[1::2].any()  # bins of one kind alone make two equal halves
    lag = waveform.fft_len // 2 if even != odd and waveform.preamble_repeats == 1 else 0
    window, span, around = lag + waveform.cp_len, _SPAN * waveform.symbol_len, waveform.cp_len + _OFF
    needed = span + window + around + len(known) * (AHEAD + 1 if repeats else 1)
    unit = np.conj(known / np.linalg.norm(known))
    parts = np.ascontiguousarray(unit.real, np.float32), np.ascontiguousarray(unit.imag, np.float32)
    return FirstLook(
        lag,
        -1 if odd else 1,
        window,
        span,
        waveform.symbol_len,
        around,
        most / waveform.fft_len,
        needed,
        parts,
    )


@compiled
def look_first(samples, place, look, repeats):  # type: ignore[no-untyped-def]
    """The preamble beyond doubt that begins at or up to `look.span` samples behind a place.

    samples: complex64 (n,), `look.needed` of them behind the place; repeats: as of
    :func:`m4sc.phy.sync.preamble_bank.search_blocks`.
    Returns its place, -1 where there is none or something may be before it; its offset, cycles a sample; its
    share of the energy; and correlations at the places around, float32 (places,), real and imaginary, with
    the first of these places.
    """
    re, im, level = _halves(samples[place : place + look.span + 2 * look.window + look.lag], look)
    at = _clear_place(re, im, level, look)
    if at >= 0:
        told = np.angle(look.sign * complex(re[at], im[at])) / (2 * np.pi * look.lag)
        first = place + max(at - look.around, 0)
        count = at + look.around - max(at - look.around, 0)
        length = len(look.known[0])
        for turn in (0.0, -1.0, 1.0):  # the halves tell the offset but for whole turns between them
            cfo = told + turn / look.lag
            if abs(cfo) > look.most:
                continue
            known = _turned(look.known, cfo)
            found_re, found_im, best = _correlations(samples, first, count, known)
            peak = first + best
            value = correlation(samples, peak, known[0], known[1])
            share = (value[0] ** 2 + value[1] ** 2) / (value[2] + 1e-30)
            if share < _SURE:
                continue
            if abs(peak - place - at) > _OFF:
                break
            if repeats[0] <= 1.0:
                more, _, _, _ = alignment(samples, peak, known, length, repeats[1])
                if more > 1:
                    break
            half = length // 2
            begin = correlation(samples, peak, known[0][:half], known[1][:half])
            end = correlation(samples, peak + half, known[0][half:], known[1][half:])
            cfo += np.angle(complex(end[0], end[1]) * np.conj(complex(begin[0], begin[1]))) / (
                2 * np.pi * half
            )
            return peak, cfo, np.float64(share), found_re, found_im, first
    none = np.empty(0, np.float32)
    return -1, 0.0, 0.0, none, none, place


@vectorized
def _halves(samples, look):  # type: ignore[no-untyped-def]
    """For each place how the samples from there on repeat themselves: real and imaginary part of the
    correlation, and the energy it is compared with, float64 (places,)."""
    lag, window = look.lag, look.window
    count = len(samples) - lag
    re, im, energy = np.empty(count), np.empty(count), np.empty(len(samples))
    for i in range(len(samples)):
        x = samples[i]
        energy[i] = x.real * x.real + x.imag * x.imag
    for i in range(count):
        x, y = samples[i], samples[i + lag]
        re[i], im[i] = x.real * y.real + x.imag * y.imag, x.real * y.imag - x.imag * y.real
    sum_re, sum_im = np.zeros(count + 1), np.zeros(count + 1)
    sums = np.zeros(len(samples) + 1)
    a = b = c = 0.0
    for i in range(count):
        a, b, c = a + re[i], b + im[i], c + energy[i]
        sum_re[i + 1], sum_im[i + 1], sums[i + 1] = a, b, c
    for i in range(count, len(samples)):
        c += energy[i]
        sums[i + 1] = c
    places = count - window + 1
    level, rounding = np.empty(places), _ROUNDING * c
    for i in range(places):
        re[i], im[i] = sum_re[i + window] - sum_re[i], sum_im[i + window] - sum_im[i]
        both = sums[i + window] - sums[i] + sums[i + window + lag] - sums[i + lag]
        level[i] = 0.5 * both + rounding
    return re, im, level


@borrowing(compiled)
def _clear_place(re, im, level, look):  # type: ignore[no-untyped-def]
    """Where samples repeat themselves best, next to the first place where they clearly do; -1 where they do
    so nowhere, or a weak preamble may be more than an OFDM symbol before it."""
    first = -1
    hint = look.span + look.window
    for i in range(look.span):
        power, bound = re[i] * re[i] + im[i] * im[i], level[i] * level[i]
        if power > _HINT * bound:
            hint = min(hint, i)
            if power > _CLEAR * bound:
                first = i
                break
    if first < 0 or hint < first - look.step:
        return -1
    best, most = first, 0.0
    for i in range(first, first + look.window):
        share = (re[i] * re[i] + im[i] * im[i]) / (level[i] * level[i])
        if share > most:
            best, most = i, share
    return best


@compiled
def _turned(known, cfo):  # type: ignore[no-untyped-def]
    """A conjugate preamble at another offset: real and imaginary, float32 (length,)."""
    re, im = np.empty_like(known[0]), np.empty_like(known[1])
    turn, step = 1.0 + 0.0j, np.exp(-2j * np.pi * cfo)
    for n in range(len(re)):
        c, s = np.float32(turn.real), np.float32(turn.imag)
        re[n], im[n] = known[0][n] * c - known[1][n] * s, known[0][n] * s + known[1][n] * c
        turn *= step
    return re, im


@reordered
def _correlations(samples, first, count, known):  # type: ignore[no-untyped-def]
    """Correlations from place `first` on, float32 (count,), real and imaginary, and which is strongest."""
    length = len(known[0])
    part_re, part_im = np.empty(count + length, np.float32), np.empty(count + length, np.float32)
    for i in range(count + length):
        part_re[i], part_im[i] = samples[first + i].real, samples[first + i].imag
    re, im = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for n in range(length):
        a, b = known[0][n], known[1][n]
        from_re, from_im = part_re[n : n + count], part_im[n : n + count]
        for i in range(count):
            re[i] += from_re[i] * a - from_im[i] * b
            im[i] += from_re[i] * b + from_im[i] * a
    best, most = 0, np.float32(-1)
    for i in range(count):
        power = re[i] * re[i] + im[i] * im[i]
        if power > most:
            best, most = i, power
    return re, im, best
