"""Inner loops of the equaliser, compiled: a frame has few symbols, and calls would cost more than sums."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import compiled, reordered, vectorized

_PRIOR_PPM = 20.0
_LEAST_VARIANCE = 1e-12
_NEVER = 45.0  # nats behind the nearest point: less than a rounding error of the sum


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


@reordered
def lever_sums(straight, h, bins, carriers, sent):  # type: ignore[no-untyped-def]
    """Regression of phases on carrier times symbol number, both less their means: products, spread.

    straight: complex64 (rows, fft_len), of which the first len(sent) count; h: complex64 (fft_len,);
    bins: int (n,); carriers: float64 (fft_len,), signed; sent: (symbols, n), complex64 or float64, 0 where
    not known.
    """
    rows, middle = len(sent), (len(sent) - 1) / 2.0
    total = weighted = 0.0
    weight = np.empty((rows, len(bins)))
    for i in range(len(bins)):
        k = bins[i]
        gain = np.float64(h[k].real) ** 2 + np.float64(h[k].imag) ** 2
        for row in range(rows):
            weight[row, i] = gain * (np.float64(sent[row, i].real) ** 2 + np.float64(sent[row, i].imag) ** 2)
            total += weight[row, i]
            weighted += weight[row, i] * carriers[k]
    centre = weighted / (total + 1e-30)
    products = spread = 0.0
    for row in range(rows):
        for i in range(len(bins)):
            k = bins[i]
            lever = (row - middle) * (carriers[k] - centre)
            products += lever * np.float64((straight[row, k] * np.conj(h[k] * sent[row, i])).imag)
            spread += lever * lever * weight[row, i]
    return products, spread


@compiled
def clock_offset(products, spread, noise_var, unit):  # type: ignore[no-untyped-def]
    """Sampling-clock offset, ppm, of the sums of :func:`lever_sums`.

    Neither a phase common to a symbol nor one of a carrier, as a wrong channel estimate leaves it, counts.
    The estimate is shrunk towards 0 as one of variance `_PRIOR_PPM`^2 seen in noise of `noise_var` a bin.
    unit: slope of one ppm, rad a carrier and symbol.
    """
    spread = spread * unit**2 + 1e-30
    return products * unit / spread / (1.0 + 0.5 * noise_var / spread / _PRIOR_PPM**2)


@compiled
def turn_clock_back(straight, slope, h, pilot_bins, carriers, pilots):  # type: ignore[no-untyped-def]
    """Undo a timing slope that grows by `slope`, rad a carrier, each symbol: complex64 (rows, fft_len).

    The phase that pilots gave is that of their centre of power, around which it turns.
    pilots: float64 (rows, pilots).
    """
    total = weighted = 0.0
    for i in range(len(pilot_bins)):
        k, power = pilot_bins[i], 0.0
        for row in range(len(pilots)):
            power += pilots[row, i] ** 2
        power *= np.float64(h[k].real) ** 2 + np.float64(h[k].imag) ** 2
        total += power
        weighted += power * carriers[k]
    return _turn_growing(straight, slope, weighted / (total + 1e-30))


@vectorized
def _turn_growing(straight, slope, centre):  # type: ignore[no-untyped-def]
    """straight e^{-j slope row (c - centre)}, complex64 (rows, fft_len); c: signed carrier of a bin.

    By what each bin turns from row to row: bins are independent, so that vector instructions do many.
    """
    rows, fft_len = straight.shape
    half, found = fft_len // 2, np.empty_like(straight)
    step_re, step_im = np.empty(fft_len), np.empty(fft_len)
    re, im = np.ones(fft_len), np.zeros(fft_len)
    one = np.exp(-1j * slope)
    for first, turn in ((0, np.exp(1j * slope * centre)), (half, np.exp(1j * slope * (half + centre)))):
        for k in range(first, half if first == 0 else fft_len):
            step_re[k], step_im[k] = turn.real, turn.imag
            turn *= one
    for row in range(rows):
        seen, out = straight[row], found[row]
        for k in range(fft_len):
            c, d = np.float32(re[k]), np.float32(im[k])
            a, b = seen[k].real, seen[k].imag
            out[k] = complex(a * c - b * d, a * d + b * c)
        for k in range(fft_len):
            c, d = re[k], im[k]
            re[k], im[k] = c * step_re[k] - d * step_im[k], c * step_im[k] + d * step_re[k]
    return found


@compiled
def moving_phase(common, frequency, window):  # type: ignore[no-untyped-def]
    """Phase of a moving sum over `window` symbols around a line of `frequency`, float64 (symbols,).

    common: complex64 (symbols,); frequency: rad a symbol.
    """
    count = len(common)
    turned, turn, step = np.empty(count, np.complex128), 1.0 + 0.0j, np.exp(-1j * frequency)
    for row in range(count):
        turned[row] = common[row] * turn
        turn *= step
    phase = np.empty(count)
    width = min(window, count)
    for row in range(count):
        last = row + width // 2  # as np.convolve with ones in mode "full", cut to the middle
        total = 0j
        for k in range(max(last - width + 1, 0), min(last, count - 1) + 1):
            total += turned[k]
        phase[row] = np.angle(total) + frequency * row
    return phase


@compiled
def fitted_line(common, frequency):  # type: ignore[no-untyped-def]
    """Frequency nearest to `frequency` that a weighted line through the phases has, rad a symbol, and the
    line's middle, in symbols.

    common: complex128 (symbols,), whose magnitudes are weights. Two steps of a linear regression on what
    the line before left over: the grid of a padded FFT is too coarse where noise is low.
    """
    count = len(common)
    size, left, middle, weight = np.empty(count), np.empty(count, np.complex128), 0.0, 1e-30
    for row in range(count):
        size[row] = np.sqrt(common[row].real ** 2 + common[row].imag ** 2)
        weight += size[row]
        middle += size[row] * row
    middle /= weight
    for _ in range(2):
        total, turn, step = 0j, 1.0 + 0.0j, np.exp(-1j * frequency)
        for row in range(count):
            left[row] = common[row] * turn
            total += left[row]
            turn *= step
        turn = np.conj(total) / (abs(total) + 1e-30)
        products, spread = 0.0, 1e-30
        for row in range(count):
            products += (row - middle) * (left[row] * turn).imag
            spread += (row - middle) ** 2 * size[row]
        frequency += products / spread
    return frequency, middle


@compiled
def smooth_phase(common, weight, frequency, first, least):  # type: ignore[no-untyped-def]
    """Phase around a line, float64 (symbols,), by the moving sum that foretells it best; and each phase's
    variance over that of the noise, rad^2, float64 (symbols,).

    The width is chosen by leaving one out: each symbol is compared with the sum of the others in its
    window. A steady oscillator gets the whole frame, one that wanders a short window.

    common: complex128 (symbols,), sum of seen * conj(expected); weight: float64 (symbols,), sum of
    |expected|^2; frequency: rad a symbol, about; first: symbol from which on it counts what is foretold;
    least: narrowest window, symbols.
    """
    count = len(common)
    frequency, middle = fitted_line(common, frequency)
    turned, sums = np.empty(count, np.complex128), np.zeros(count + 1, np.complex128)
    weights = np.zeros(count + 1)
    spread, turn, unit = 1e-30, 1.0 + 0.0j, np.exp(-1j * frequency)
    for row in range(count):
        turned[row] = common[row] * turn
        turn *= unit
        sums[row + 1], weights[row + 1] = sums[row] + turned[row], weights[row] + weight[row]
        spread += weight[row] * (row - middle) ** 2
    half, best, most = least // 2, 0, -np.inf
    while True:
        foretold = 0.0
        for row in range(first, count):
            others = sums[min(row + half + 1, count)] - sums[max(row - half, 0)] - turned[row]
            size = np.sqrt(others.real**2 + others.imag**2)
            foretold += (turned[row] * np.conj(others)).real / (size + 1e-30)
        if foretold >= most:
            best, most = half, foretold
        if half >= count:
            break
        half = 2 * half + 1
    phase, error = np.empty(count), np.empty(count)
    for row in range(count):
        low, high = max(row - best, 0), min(row + best + 1, count)
        phase[row] = np.angle(sums[high] - sums[low]) + frequency * row
        error[row] = 0.5 / (weights[high] - weights[low] + 1e-30)
        if best >= count:
            error[row] += 0.5 * (row - middle) ** 2 / spread
    return phase, error


@compiled
def grid_posterior(y, variance, levels):  # type: ignore[no-untyped-def]
    """What to expect of x on a square grid, every point as probable as it is: |y - x|^2, float64 (n,),
    x, complex128 (n,), and |x|^2, float64 (n,).

    y: complex128 (n,), unbiased; variance: float64 (n,), complex; levels: float64 (levels,), of a dimension.
    """
    error, mean, power = np.zeros(len(y)), np.zeros(len(y), np.complex128), np.zeros(len(y))
    distance = np.empty(len(levels))
    for i in range(len(y)):
        steep = 1.0 / max(variance[i], _LEAST_VARIANCE)
        for part, unit in ((y[i].real, 1.0 + 0.0j), (y[i].imag, 1.0j)):
            least = np.inf
            for k in range(len(levels)):
                distance[k] = (part - levels[k]) ** 2
                least = min(least, distance[k])
            weights = errors = values = squares = 0.0
            for k in range(len(levels)):
                behind = (distance[k] - least) * steep
                if behind < _NEVER:
                    odds = np.exp(-behind) if behind > 0.0 else 1.0
                    weights += odds
                    errors += odds * distance[k]
                    values += odds * levels[k]
                    squares += odds * levels[k] ** 2
            error[i] += errors / weights
            mean[i] += unit * (values / weights)
            power[i] += squares / weights
    return error, mean, power
