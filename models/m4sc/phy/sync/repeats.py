"""Whether a preamble is sent several times: the same two sync words again, under the signs of a Barker code.

A search that looks for one preamble finds its repetitions by themselves, each too weak to be told from
noise. Where one of them stands out a little, as noise does at one place of sixty, correlations a preamble
before and behind it settle the matter; they cost a few samples' share of the search.
"""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import borrowing, compiled, reordered

MOST = 3  # repetitions that are looked for
BEHIND, AHEAD = MOST - 1, MOST  # preambles looked at before and after the one that stood out
# Energy of a correlation over noise. Of one in noise it is exponential with mean 1 at each offset.
LOW_ENERGY = 6.0  # from which a place is looked at
_NEIGHBOUR_ENERGY = 3.5  # of the better of its neighbours
_ENERGY = {2: 17.0, 3: 15.5}  # of all repetitions together: a few of a million samples of noise pass
# What is left of repetitions less their mean: noise of each but one, and a share for what drifts.
_UNLIKE_ENERGY, _UNLIKE_SHARE = 12.0, 0.02
_FINE_STEPS, _FINE_SHARE = 14, 8  # half the grid of offsets, and its steps in the width of a correlation


def repeat_tables(
    repeats: tuple[int, ...], covers: dict[int, tuple[int, ...]], length: int
) -> tuple[np.ndarray, ...]:
    """What :func:`alignment` takes: least share of the energy for each count, signs, float32.

    repeats: counts that are looked for; covers: signs by count; length: samples of a preamble.
    """
    least, signs = np.full(MOST + 1, 2.0, np.float32), np.zeros((MOST + 1, MOST), np.float32)
    signs[1, 0] = 1.0
    for count in repeats:
        if count not in _ENERGY:
            raise ValueError(
                f"preambles sent {count} times are not looked for; use {', '.join(map(str, _ENERGY))}"
            )
        least[count], signs[count, :count] = _ENERGY[count] / (count * length), covers[count]
    return least, signs


@borrowing(reordered)
def correlation(samples, at, known_re, known_im):  # type: ignore[no-untyped-def]
    """Sum of samples from `at` on times a known sequence, and their energy: real, imaginary, energy,
    float32.
    """
    re, im, energy = np.float32(0), np.float32(0), np.float32(0)
    for n in range(len(known_re)):
        x = samples[at + n]
        a, b = x.real, x.imag
        re += a * known_re[n] - b * known_im[n]
        im += a * known_im[n] + b * known_re[n]
        energy += a * a + b * b
    return re, im, energy


@borrowing(compiled)
def stands_out(samples, at, known, length):  # type: ignore[no-untyped-def]
    """Whether the preamble before or behind the place `at` correlates as well.

    known: conjugate preamble of unit norm at one offset, real and imaginary, float32 (length,).
    """
    least = np.float32(_NEIGHBOUR_ENERGY / length)
    for step in (1, -1):
        place = at + step * length
        if place < 0 or place + length > len(samples):
            continue
        re, im, energy = correlation(samples, place, known[0], known[1])
        if re * re + im * im > least * energy:
            return True
    return False


@compiled
def alignment(samples, at, known, length, tables):  # type: ignore[no-untyped-def]
    """The repetitions that explain most energy around a preamble at `at`.

    known: as above; tables: of :func:`repeat_tables`.
    Returns how many there are, 1 for the one alone; preambles from `at` to the first one, 0 or less, or
    above 0 where `at` is none of them; energy explained; and its share.
    """
    least, signs = tables
    count = BEHIND + AHEAD + 1
    value, energy, square = np.zeros(count, np.complex128), np.zeros(count), np.zeros(count)
    there = np.zeros(count, np.bool_)
    for i in range(count):
        place = at + (i - BEHIND) * length
        if place >= 0 and place + length <= len(samples):
            re, im, power = correlation(samples, place, known[0], known[1])
            value[i], energy[i], there[i] = complex(re, im), power + 1e-30, True
            square[i] = np.float64(re) ** 2 + np.float64(im) ** 2
    best, shift, most, share = 1, 0, square[BEHIND], square[BEHIND] / energy[BEHIND]
    for i in range(count):
        if i > BEHIND and there[i] and square[i] > most:  # a single one later
            best, shift, most, share = 1, i - BEHIND, square[i], square[i] / energy[i]
    for repeats in range(2, MOST + 1):
        if least[repeats] > 1.0:
            continue
        for first in range(count - repeats + 1):
            if not (there[first] and there[first + repeats - 1]):
                continue
            turn, total, every = 0j, 0.0, 0.0
            for k in range(repeats):
                total += energy[first + k]
                every += square[first + k]
                if k > 0:
                    turn += (
                        np.conj(signs[repeats, k - 1] * value[first + k - 1])
                        * signs[repeats, k]
                        * value[first + k]
                    )
            turn = np.conj(turn) / (abs(turn) + 1e-30)
            sums, phase = 0j, 1.0 + 0j
            for k in range(repeats):
                sums += signs[repeats, k] * value[first + k] * phase
                phase *= turn
            explained = abs(sums) ** 2 / repeats
            noise = max(total - explained, 0.0) / (repeats * length)
            alike = every - explained < _UNLIKE_ENERGY * noise + _UNLIKE_SHARE * explained
            if alike and explained > most and explained > least[repeats] * total:
                best, shift, most, share = repeats, first - BEHIND, explained, explained / total
    return best, shift, most, share


@compiled
def fine_offset(samples, start, cfo, preamble, signs, block):  # type: ignore[no-untyped-def]
    """Carrier offset, cycles a sample, at which all repetitions from `start` on add up best.

    cfo: where to begin; preamble: complex64 (length,); signs: float32 (repeats,); block: samples over
    which the offset's error turns little, a divisor of the length.
    """
    length = len(preamble)
    count = len(signs) * (length // block)
    sums = np.zeros(count, np.complex128)
    for i in range(count):
        step, total = np.exp(-2j * np.pi * cfo), 0j
        turn = np.exp(-2j * np.pi * cfo * (i * block))
        for n in range(block):
            at = start + i * block + n
            if 0 <= at < len(samples):
                total += samples[at] * np.conj(preamble[(i * block + n) % length]) * turn
            turn *= step
        sums[i] = total * signs[i * block // length]
    unit = 1.0 / (_FINE_SHARE * len(signs) * length)
    powers = np.empty(2 * _FINE_STEPS + 1)
    for j in range(len(powers)):
        total = 0j
        for i in range(count):
            total += sums[i] * np.exp(-2j * np.pi * (j - _FINE_STEPS) * unit * block * i)
        powers[j] = abs(total)
    best = np.argmax(powers)
    part = 0.0
    if 0 < best < len(powers) - 1:
        left, mid, right = powers[best - 1], powers[best], powers[best + 1]
        part = 0.5 * (left - right) / min(left - 2 * mid + right, -1e-30)
    return cfo + (best + part - _FINE_STEPS) * unit
