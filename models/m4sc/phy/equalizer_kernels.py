"""Inner loops of the equaliser, compiled: a frame has few symbols, and calls would cost more than sums."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import compiled


@compiled
def turn_back(bins, phase, slope):  # type: ignore[no-untyped-def]
    """bins e^{-j (phase + slope c)}, complex64 (symbols, fft_len); c: signed carrier of a bin.

    phase, slope: float64 (symbols,), rad and rad a carrier.
    """
    count, fft_len = bins.shape
    half = fft_len // 2
    straight = np.empty((count, fft_len), np.complex64)
    for row in range(count):
        base = np.exp(-1j * phase[row])
        if slope[row] == 0.0:
            common = np.complex64(base)
            for k in range(fft_len):
                straight[row, k] = bins[row, k] * common
            continue
        step = np.exp(-1j * slope[row])
        turn = base
        for k in range(half):
            straight[row, k] = bins[row, k] * np.complex64(turn)
            turn *= step
        turn = base * np.exp(1j * slope[row] * half)
        for k in range(half, fft_len):
            straight[row, k] = bins[row, k] * np.complex64(turn)
            turn *= step
    return straight


@compiled
def slope_terms(straight, known, h):  # type: ignore[no-untyped-def]
    """Of the regression of phases on carriers: lever and product sums of each symbol, float64 (symbols,).

    straight, known: complex64 (symbols, fft_len); h: complex64 (fft_len,).
    """
    count, fft_len = straight.shape
    lever, products = np.zeros(count), np.zeros(count)
    for row in range(count):
        total, first, second, z_sum, z_first = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(fft_len):
            wanted = h[k] * known[row, k]
            weight = np.float64(wanted.real**2 + wanted.imag**2)
            if weight == 0.0:
                continue
            carrier = np.float64(k if k < fft_len // 2 else k - fft_len)
            z = np.float64(straight[row, k].imag * wanted.real - straight[row, k].real * wanted.imag)
            total += weight
            first += weight * carrier
            second += weight * carrier * carrier
            z_sum += z
            z_first += z * carrier
        centre = first / (total + 1e-30)
        lever[row] = max(second - centre * first, 0.0)
        products[row] = z_first - centre * z_sum
    return lever, products


@compiled
def moving_phase(common, frequency, window):  # type: ignore[no-untyped-def]
    """Phase of a moving sum over `window` symbols around a line of `frequency`, float64 (symbols,).

    common: complex64 (symbols,); frequency: rad a symbol.
    """
    count = len(common)
    turned = np.empty(count, np.complex128)
    for row in range(count):
        turned[row] = common[row] * np.exp(-1j * frequency * row)
    phase = np.empty(count)
    width = min(window, count)
    for row in range(count):
        last = row + width // 2  # as np.convolve with ones in mode "full", cut to the middle
        total = 0j
        for k in range(max(last - width + 1, 0), min(last, count - 1) + 1):
            total += turned[k]
        phase[row] = np.angle(total) + frequency * row
    return phase
