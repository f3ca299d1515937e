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
