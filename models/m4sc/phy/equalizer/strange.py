"""Whether a frame's noise has more than one level: a look at energies that costs little."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import borrowing, compiled

_LEAST_SHARE = 1e-6  # of the signal: what lies below is rounding, not noise of several levels


@compiled
def is_over(total, count, expected):  # type: ignore[no-untyped-def]
    """Whether `count` exponential energies of mean `expected` have this sum about once in 10^5 times."""
    return count > 0 and total > expected * (count + 4.3 * np.sqrt(count) + 6.0)


@compiled
def stands_out(seen, wanted, h, noise, straight, turn, pilots, bins, n_head, side):  # type: ignore[no-untyped-def]
    """Whether a carrier, a symbol or some neighbouring cells hold more than signal and flat noise explain.

    seen, wanted: of known symbols, complex64 (known, fft_len); h: complex64 (fft_len,); noise: of a bin;
    straight: complex64 (rows, fft_len), turned by `turn`, complex64 (rows,); pilots: float64 (rows, pilots);
    bins: of data, pilots and both; n_head: rows of the header, the first; side: points a dimension of the
    payload's grid, 0 where any value may come: its own peaks say nothing of noise then.
    """
    data_bins, pilot_bins, used = bins
    rows = len(straight)
    power = 0.0
    for k in data_bins:
        power += energy(h[k]) / len(data_bins)
    noise = np.float64(max(noise, _LEAST_SHARE * power + 1e-30))
    for k in used:
        total = 0.0
        for row in range(len(seen)):
            total += energy(seen[row, k] - h[k] * wanted[row, k])
        if is_over(total, len(seen), noise):
            return True
    every, count = 0.0, 0
    for row in range(n_head, rows):
        total = 0.0
        for i in range(len(pilot_bins)):
            k = pilot_bins[i]
            total += energy(straight[row, k] * turn[row] - h[k] * np.float32(pilots[row, i]))
        every, count = every + total, count + len(pilot_bins)
        if is_over(total, len(pilot_bins), noise):
            return True
    if count > 0 and every > noise * (count + 3.7 * np.sqrt(count) + 4.0):
        return True
    if _empty_rows(straight, used, _LEAST_SHARE * power):
        return True
    if side == 0:
        return False
    signal = np.empty(len(data_bins))
    for i in range(len(data_bins)):
        signal[i] = energy(h[data_bins[i]]) + noise
    sums = np.zeros(len(data_bins))
    for row in range(n_head, rows):
        total, last, before = 0.0, 0.0, 0.0
        for i in range(len(data_bins)):
            here = energy(straight[row, data_bins[i]]) / signal[i]
            total, sums[i] = total + here, sums[i] + here
            if i > 1 and is_over(here + last + before, 3, 1.0):
                return True
            before, last = last, here
        if is_over(total, len(data_bins), 1.0):
            return True
    loud = 0
    for i in range(len(data_bins)):
        loud += is_over(sums[i], rows - n_head, 1.0)
    return loud > 0


@borrowing(compiled)
def decisions_differ(symbols, variances, first, side):  # type: ignore[no-untyped-def]
    """Whether errors of decisions are on the whole not what was told of them.

    symbols: complex64 (n,), of which those from `first` on lie on a square grid of `side` points a dimension
    and unit mean power, or 0 where they do not; variances: float32 (n,). Only symbols whose decisions are
    sure count.
    """
    if side == 0:
        return False
    half = np.sqrt(1.5 / (side * side - 1.0))  # of the distance between points
    total, count = 0.0, 0
    for i in range(first, len(symbols)):
        if 6.0 * variances[i] > half * half:
            continue
        re, im = _to_grid(symbols[i].real / half, side), _to_grid(symbols[i].imag / half, side)
        total += (re * re + im * im) * half * half / variances[i]
        count += 1
    return abs(total - count) > 3.0 * np.sqrt(count) + 0.05 * count


@compiled
def _to_grid(value, side):  # type: ignore[no-untyped-def]
    """Distance from the nearest odd number below `side`, with its sign."""
    nearest = 2.0 * np.floor(value / 2.0) + 1.0
    return value - min(max(nearest, 1.0 - side), side - 1.0)


@compiled
def _empty_rows(straight, used, least):  # type: ignore[no-untyped-def]
    """Whether the carriers that nobody uses are louder in one row than in most, and than `least`."""
    rows, fft_len = straight.shape
    empty = np.ones(fft_len, np.bool_)
    empty[0] = False  # a radio's DC offset stays there
    for k in used:
        empty[k] = False
    count, sums = 0, np.zeros(rows)
    for k in range(fft_len):
        if empty[k]:
            count += 1
            for row in range(rows):
                sums[row] += energy(straight[row, k])
    return rows > 2 and is_over(np.max(sums), count, max(np.median(sums) / max(count, 1), least))


@compiled
def energy(x):  # type: ignore[no-untyped-def]
    """|x|^2, float64."""
    return np.float64(x.real) ** 2 + np.float64(x.imag) ** 2
