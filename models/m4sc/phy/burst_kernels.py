"""Inner loops of demodulation, compiled: on so few symbols, numpy's calls cost more than the sums."""

from __future__ import annotations

import numpy as np

from m4sc.phy.equalizer.kernels import (
    clock_offset,
    lever_sums,
    moving_phase,
    smooth_phase,
    turn_back,
    turn_clock_back,
)
from m4sc.phy.equalizer.sparse import sparse_channel
from m4sc.phy.equalizer.strange import decisions_differ, stands_out
from m4sc.phy.fec.compiled import borrowing, compiled, reordered, vectorized
from m4sc.phy.fft_kernels import transformed

_LEAST_GAIN = 1e-12  # of the mean
_LINEAR_TURN = 0.5  # rad over a frame, of the outer carriers, that a phase's sine still shows
_CLOCK_ROUNDS = 4  # where there is more
_FAR_PPM = 100.0  # more may be a wrong estimate


@borrowing(compiled)
def all_finite(samples):  # type: ignore[no-untyped-def]
    """Whether no sample of complex64 (n,) is NaN or infinite: only of those, x - x is not 0."""
    strange = 0
    for x in samples.view(np.float32):
        strange += x - x != 0
    return strange == 0


@compiled
def spectra(samples, start, cfo, first, count, symbol_len, skip, advance, roots):  # type: ignore[no-untyped-def]
    """Orthonormal FFTs of OFDM symbols `first` to `first + count` of a burst, complex64 (count, fft_len).

    samples: complex64; start, cfo: of the burst; skip: samples of each symbol before the FFT's window;
    advance: complex64 (fft_len,), applied to each spectrum; roots: see
    :func:`m4sc.phy.fft_kernels.transform`.
    """
    found = np.empty((count, len(roots)), np.complex64)
    room = np.empty((4, len(roots) * count), np.float32)
    _fill_spectra(samples, start, cfo, first, symbol_len, skip, advance, roots, room, found)
    return found


@compiled
def with_body(head, samples, start, cfo, first, count, symbol_len, skip, advance, roots):  # type: ignore[no-untyped-def]
    """Spectra `head` and those of :func:`spectra` behind them, complex64 (len(head) + count, fft_len)."""
    bins = np.empty((len(head) + count, head.shape[1]), np.complex64)
    bins[: len(head)] = head
    room = np.empty((4, len(roots) * count), np.float32)
    _fill_spectra(samples, start, cfo, first, symbol_len, skip, advance, roots, room, bins[len(head) :])
    return bins


@borrowing(vectorized)
def _fill_spectra(samples, start, cfo, first, symbol_len, skip, advance, roots, room, found):  # type: ignore[no-untyped-def]
    """:func:`spectra` into `found`; room: float32 (4, count * fft_len)."""
    count, fft_len = found.shape
    re, im = room[0], room[1]
    step = np.exp(-2j * np.pi * cfo)
    turn = np.exp(-2j * np.pi * cfo * skip) / np.sqrt(fft_len)
    place = start + first * symbol_len + skip
    for m in range(fft_len):
        c, s = np.float32(turn.real), np.float32(turn.imag)
        for row in range(count):
            x = samples[place + row * symbol_len + m]
            re[m * count + row], im[m * count + row] = x.real * c - x.imag * s, x.real * s + x.imag * c
        turn *= step
    at = 2 if transformed(re, im, room[2], room[3], count, roots) else 0
    re, im = room[at], room[at + 1]
    for row in range(count):
        common = np.complex64(np.exp(-2j * np.pi * cfo * symbol_len * (first + row)))
        for k in range(fft_len):
            found[row, k] = np.complex64(complex(re[k * count + row], im[k * count + row])) * (
                advance[k] * common
            )


@compiled
def read_preamble(samples, start, cfo, count, lag, shape, tables, estimation, smoother, low_snr):  # type: ignore[no-untyped-def]
    """What the first `count` OFDM symbols of a burst say, with the offset found at the sync words.

    samples: complex64; start, cfo: of the burst; lag: OFDM symbols over which its offset is refined, or 0;
    shape: OFDM symbol's samples, and those before its window;
    tables: the last two of :func:`spectra`; estimation: sync words, complex64 (words, fft_len), least squares
    scale, places of empty bins in all words; smoother: as :func:`smooth` takes it, with its places;
    low_snr: noise over the channel's power above which the estimate is left as it is.
    Returns the cycles a sample, spectra, channel, complex64 (fft_len,), noise of a bin, and whether that is
    above `low_snr`.
    """
    sync, scale, quiet = estimation
    into, eigenvalues, out, places = smoother
    n_words = len(sync)
    for _ in range(2 if lag > 0 else 0):  # the first leaves a little between the carriers
        words = spectra(samples, start, cfo, 0, n_words, shape[0], shape[1], tables[0], tables[1])
        cfo = cfo + angle_between(words, sync, lag) / (2 * np.pi * shape[0] * lag)
    bins = spectra(samples, start, cfo, 0, count, shape[0], shape[1], tables[0], tables[1])
    h = least_squares(bins[:n_words], sync, scale)
    noise, power = power_at(bins[:n_words].copy().reshape(-1), quiet), max(power_at(h, places), 1e-30)
    noisy = noise > low_snr * power
    if not noisy:
        ridge = min(noise / power, 1.0) * len(eigenvalues) + 1e-6
        h = smooth(into, eigenvalues, out, places, h, ridge)
    return cfo, bins, h, noise, noisy


@borrowing(compiled)
def angle_between(words, sync, lag):  # type: ignore[no-untyped-def]
    """Phase by which received sync words are ahead of those `lag` before, rad; complex64 (words, fft_len)."""
    total = 0j
    for row in range(len(words) - lag):
        for k in range(words.shape[1]):
            first = words[row, k] * np.conj(sync[row, k])
            second = words[row + lag, k] * np.conj(sync[row + lag, k])
            total += np.conj(first) * second
    return np.angle(total)


@vectorized
def least_squares(seen, sent, scale):  # type: ignore[no-untyped-def]
    """Sum of seen * conj(sent) over the symbols, times `scale`, complex64 (fft_len,).

    seen, sent: complex64 (symbols, fft_len); scale: float32 (fft_len,).
    """
    total = np.zeros(seen.shape[1], np.complex64)
    for row in range(seen.shape[0]):
        for k in range(seen.shape[1]):
            total[k] += seen[row, k] * np.conj(sent[row, k])
    for k in range(len(total)):
        total[k] *= scale[k]
    return total


@borrowing(compiled)
def power_at(values, places):  # type: ignore[no-untyped-def]
    """Mean of |x|^2 of complex64 (n,) at `places`, float64."""
    total = 0.0
    for place in places:
        total += np.float64(values[place].real) ** 2 + np.float64(values[place].imag) ** 2
    return total / max(len(places), 1)


@reordered  # not borrowing: small enough then to be inlined, and rounded otherwise in each caller
def error_power(seen, sent, h, places):  # type: ignore[no-untyped-def]
    """Mean of |seen - h sent|^2 at the bins `places` of all symbols, float64."""
    total = 0.0
    for row in range(seen.shape[0]):
        for k in places:
            error = seen[row, k] - h[k] * sent[row, k]
            total += np.float64(error.real) ** 2 + np.float64(error.imag) ** 2
    return total / max(seen.shape[0] * len(places), 1)


@vectorized
def equalize(straight, first, data_bins, h, doubt, turn):  # type: ignore[no-untyped-def]
    """Data symbols from row `first` on, unbiased, complex64 (symbols,).

    straight: complex64 (rows, fft_len); h: complex64 (fft_len,); doubt: error power of `h`, that keeps a
    carrier whose estimate happens to be near 0 from blowing up; turn: complex64 (rows,), applied to each row.
    Returns also |h|^2 of each data carrier, float32, kept from 0, and its mean.
    """
    count = len(data_bins)
    gain, weight = np.empty(count, np.float32), np.empty(count, np.complex64)
    power = power_at(h, data_bins)
    floor, more = np.float32(_LEAST_GAIN * power + 1e-30), np.float32(doubt)
    for i in range(count):
        here = h[data_bins[i]]
        gain[i] = max(here.real**2 + here.imag**2 + more, floor)
        weight[i] = np.conj(here) / gain[i]
    symbols = np.empty((straight.shape[0] - first) * count, np.complex64)
    for row in range(first, straight.shape[0]):
        base = (row - first) * count
        for i in range(count):
            symbols[base + i] = straight[row, data_bins[i]] * weight[i] * turn[row]
    return symbols, gain, power


@borrowing(compiled)
def pilot_share(straight, first, pilot_bins, h, pilots):  # type: ignore[no-untyped-def]
    """Mean of the pilots from row `first` on over what they should be, and the pilots' mean power.

    straight: complex64 (rows, fft_len), phases undone; h: complex64 (fft_len,);
    pilots: float64 (rows, pilots).
    """
    total, power = 0.0, power_at(h, pilot_bins) + 1e-30
    for row in range(first, straight.shape[0]):
        for i in range(len(pilot_bins)):
            k = pilot_bins[i]
            total += (straight[row, k] * np.conj(h[k])).real * pilots[row, i]
    return total / max((straight.shape[0] - first) * len(pilot_bins), 1) / power, power


@compiled
def close_frame(opening, burst, shape, tables, phase, pilots, bins, clock, training, limits):  # type: ignore[no-untyped-def]
    """A short frame from its samples: :func:`with_body`, :func:`pilot_phase`, :func:`finish_frame`.

    opening: as of :func:`finish_frame`, spectra of the header before them; burst: samples, start, cfo;
    shape: `first` to `skip` of :func:`spectra`, tables its last two; phase: the last three of
    :func:`undo_phase`.
    """
    head, known = opening
    every = with_body(
        head, burst[0], burst[1], burst[2], shape[0], shape[1], shape[2], shape[3], tables[0], tables[1]
    )
    undone = pilot_phase(every, bins[1], known[1], pilots, phase[0], phase[1], phase[2], phase[3])
    straight = turn_back(every, undone[0], np.zeros(len(every)))
    return finish_frame(straight, undone, known, pilots, bins, clock, training, limits)


@compiled
def close_packet(head, burst, shape, tables, phase, h, pilots, noise_var, bins, clock, ends):  # type: ignore[no-untyped-def]
    """The same of a packet: :func:`finish_packet` with its `ends`."""
    every = with_body(
        head, burst[0], burst[1], burst[2], shape[0], shape[1], shape[2], shape[3], tables[0], tables[1]
    )
    straight = undo_phase(every, bins[1], h, pilots, phase[0], phase[1], phase[2], phase[3])
    return finish_packet(straight, h, pilots, noise_var, bins, clock, ends)


@compiled
def finish_frame(straight, undone, known, pilots, bins, clock, training, limits):  # type: ignore[no-untyped-def]
    """A frame whose phases are undone, from the decoded header on: what is left of the clock's offset, a
    second channel estimate with the sync words and the header as training sequence, the phases anew by that
    estimate and the header's data, and the payload.

    straight: complex64 (rows, fft_len);
    undone: phases that were undone, float64 (rows,), and their line, rad a symbol;
    known: spectra of the sync words, complex64 (words, fft_len); h, complex64 (fft_len,); the header as
    it was sent, complex64 (symbols, data); noise of a bin;
    pilots: float64 (rows, pilots); bins: of data, pilots and both;
    clock: signed carriers, float64 (fft_len,), slope of one ppm;
    training: sync words, complex64 (words, fft_len); weight of all on a bin, float32 (fft_len,); and what
    :func:`sparse_channel` takes, and its rounds;
    limits: symbols behind the header, rows at the end that show a cut, symbols of the phase's narrowest
    window, least noise, and what :func:`decisions_differ` takes last.
    Returns symbols and their noise variances, the data's channel, its mean power and noise, ppm, the tail,
    and whether noise of one level and a usual clock do not explain the frame.
    """
    words, h, sent, noise_var = known
    sync, weight, prior, rounds = training
    data_bins, pilot_bins, used = bins
    n_symbols, tail_rows, window, least, fields, side = limits
    outer, ppm = clock[1] * len(straight) * np.max(clock[0][used]), 0.0
    for _ in range(_CLOCK_ROUNDS):
        products, spread = lever_sums(straight, h, pilot_bins, clock[0], pilots)
        more = lever_sums(straight, h, data_bins, clock[0], sent)
        found = clock_offset(products + more[0], spread + more[1], noise_var, clock[1])
        straight = turn_clock_back(straight, found * clock[1], h, pilot_bins, clock[0], pilots)
        ppm += found
        if abs(found) * outer < _LINEAR_TURN:
            break
    n_words, n_head = len(sync), len(sent)
    seen, wanted = words_and_header(words, sync, straight, sent, pilots, data_bins, pilot_bins)
    sums = least_squares(seen, wanted, np.ones(len(h), np.float32))
    h, taps = sparse_channel(sums, weight, prior, max(noise_var, 1e-30), rounds)
    observed, energy = (n_words + n_head) * len(used), 0.0
    for k in used:
        energy += weight[k]
    noise = error_power(seen, wanted, h, used) * observed / max(observed - taps, 1.0)
    turn, unsure = phases_anew(straight, undone, seen, wanted, h, pilots, bins, n_words, n_head, window)
    doubt = noise * taps / energy
    symbols, gain, power = equalize(straight, n_head, data_bins, h, doubt, turn)
    tail, _ = pilot_share(straight, max(len(straight) - tail_rows, 0), pilot_bins, h, pilots)
    # Errors of the two estimates turn and scale the symbols themselves, whose mean power is 1.
    variances = np.empty(n_symbols, np.float32)
    for i in range(n_symbols):
        turned = noise * unsure[n_head + i // len(gain)]
        variances[i] = max((noise + doubt) / gain[i % len(gain)] + turned, least)
    strange = stands_out(seen, wanted, h, noise, straight, turn, pilots, bins, n_head, side)
    strange = strange or decisions_differ(symbols[:n_symbols], variances, fields, side)
    strange = strange or abs(ppm) > _FAR_PPM
    tail = tail if len(pilot_bins) else 1.0
    return symbols[:n_symbols], variances, h[data_bins], power, noise, ppm, tail, strange


@compiled
def phases_anew(straight, undone, seen, wanted, h, pilots, bins, n_words, n_head, window):  # type: ignore[no-untyped-def]
    """What is left to turn each symbol by, complex64 (rows,), and the variance of its phase over a bin's
    noise, rad^2, float64 (rows,).

    seen, wanted: of the known symbols, complex64 (words + header symbols, fft_len), of which those behind
    the words are the first of `straight`; the rest is as of :func:`finish_frame`.
    """
    rows = len(straight)
    turn, unsure = np.ones(rows, np.complex64), np.zeros(rows)
    if len(bins[1]) == 0:
        return turn, unsure
    common, weight = np.zeros(rows, np.complex128), np.zeros(rows)
    for row in range(rows):
        if row < n_head:
            for k in bins[2]:
                expected = h[k] * wanted[n_words + row, k]
                common[row] += seen[n_words + row, k] * np.conj(expected)
                weight[row] += np.float64(expected.real) ** 2 + np.float64(expected.imag) ** 2
        else:
            for i in range(len(bins[1])):
                expected = h[bins[1][i]] * np.float32(pilots[row, i])
                common[row] += straight[row, bins[1][i]] * np.conj(expected)
                weight[row] += np.float64(expected.real) ** 2 + np.float64(expected.imag) ** 2
        common[row] *= np.exp(1j * undone[0][row])
    phase, unsure = smooth_phase(common, weight, undone[1], min(n_head, rows - 1), window)
    for row in range(rows):
        turn[row] = np.complex64(np.exp(1j * (undone[0][row] - phase[row])))
    return turn, unsure


@compiled
def words_and_header(words, sync, straight, sent, pilots, data_bins, pilot_bins):  # type: ignore[no-untyped-def]
    """Received and sent spectra of sync words and header, two complex64 (words + header symbols, fft_len)."""
    n_words, n_head = len(sync), len(sent)
    seen = np.empty((n_words + n_head, straight.shape[1]), np.complex64)
    wanted = np.zeros_like(seen)
    seen[:n_words], seen[n_words:], wanted[:n_words] = words, straight[:n_head], sync
    for row in range(n_head):
        for i in range(len(data_bins)):
            wanted[n_words + row, data_bins[i]] = sent[row, i]
        for i in range(len(pilot_bins)):
            wanted[n_words + row, pilot_bins[i]] = pilots[row, i]
    return seen, wanted


@compiled
def finish_packet(straight, h, pilots, noise_var, bins, clock, ends):  # type: ignore[no-untyped-def]
    """A packet whose phases are undone, less what is left of the clock's offset; as :func:`finish_frame`.

    ends: symbols of the header; rows at the end that show a cut.
    Returns symbols, the channel's mean power, ppm, and the tail.
    """
    data_bins, pilot_bins, _ = bins
    products, spread = lever_sums(straight, h, pilot_bins, clock[0], pilots)
    ppm = clock_offset(products, spread, noise_var, clock[1])
    straight = turn_clock_back(straight, ppm * clock[1], h, pilot_bins, clock[0], pilots)
    turn = np.ones(len(straight), np.complex64)
    symbols, _, power = equalize(straight, ends[0], data_bins, h, 0.0, turn)
    tail, _ = pilot_share(straight, max(len(straight) - ends[1], 0), pilot_bins, h, pilots)
    return symbols, power, ppm, tail if len(pilot_bins) else 1.0


@compiled
def hard_bits(bins, pilot_bins, data_bins, h, pilots, phase):  # type: ignore[no-untyped-def]
    """Whether the first symbol's data are positive, uint8 (data carriers,); phase: as :func:`close_frame`."""
    straight = undo_phase(bins, pilot_bins, h, pilots, phase[0], phase[1], phase[2], phase[3])
    bits = np.empty(len(data_bins), np.uint8)
    for i in range(len(data_bins)):
        bits[i] = (straight[0, data_bins[i]] * np.conj(h[data_bins[i]])).real > 0
    return bits


@compiled
def undo_phase(bins, pilot_bins, h, pilots, window, line_symbols, roots, most):  # type: ignore[no-untyped-def]
    """Spectra less what :func:`pilot_phase` finds: complex64 (symbols, fft_len)."""
    phase, _ = pilot_phase(bins, pilot_bins, h, pilots, window, line_symbols, roots, most)
    return turn_back(bins, phase, np.zeros(len(bins)))


@compiled
def pilot_phase(bins, pilot_bins, h, pilots, window, line_symbols, roots, most):  # type: ignore[no-untyped-def]
    """Common phase of each symbol, from its pilots, float64 (symbols,), and its line's rad a symbol.

    The phase is that of a moving sum of `window` symbols around a line, if there are `line_symbols`,
    of up to `most` rad a symbol.
    """
    products = pilot_products(bins, pilot_bins, h, pilots)
    common = np.zeros(len(bins), np.complex64)
    for row in range(len(bins)):
        for i in range(len(pilot_bins)):
            common[row] += products[row, i]
    frequency = steady_frequency(common, roots, most) if len(bins) >= line_symbols else 0.0
    return moving_phase(common, frequency, window), frequency


@compiled
def undo_noisy_phase(words, sync, bins, pilot_bins, h, pilots, window, roots, most):  # type: ignore[no-untyped-def]
    """The same for low SNR, of sync words and the header behind them together: the words, complex64
    (words, fft_len), say most about the line, and the header's pilots, far behind them, about its slope.

    sync: complex64 (words, fft_len), what was sent. Returns both, phases undone.
    """
    n_words = len(words)
    common = np.zeros(n_words + len(bins), np.complex64)
    for row in range(n_words):
        for k in range(words.shape[1]):
            common[row] += words[row, k] * np.conj(h[k] * sync[row, k])
    products = pilot_products(bins, pilot_bins, h, pilots)
    for row in range(len(bins)):
        for i in range(len(pilot_bins)):
            common[n_words + row] += products[row, i]
    phase = moving_phase(common, steady_frequency(common, roots, most), window)
    level = np.zeros(len(common))
    return turn_back(words, phase[:n_words], level[:n_words]), turn_back(
        bins, phase[n_words:], level[n_words:]
    )


@compiled
def pilot_products(bins, pilot_bins, h, pilots):  # type: ignore[no-untyped-def]
    """bins * conj(h * pilots) on the pilots' bins, complex64 (symbols, pilots).

    pilots: float64 (symbols, pilots).
    """
    found = np.empty(pilots.shape, np.complex64)
    for row in range(pilots.shape[0]):
        for i in range(len(pilot_bins)):
            k = pilot_bins[i]
            found[row, i] = bins[row, k] * np.conj(h[k] * np.float32(pilots[row, i]))
    return found


@compiled
def steady_frequency(common, roots, most):  # type: ignore[no-untyped-def]
    """Strongest frequency of complex64 (symbols,), up to `most` rad a symbol.

    By a padded FFT of the length of `roots`. Noise makes a false peak the likelier the more there is to
    search.
    """
    return _steadiest(common, roots, most, np.zeros((4, len(roots)), np.float32))


@borrowing(compiled)
def _steadiest(common, roots, most, room):  # type: ignore[no-untyped-def]
    """:func:`steady_frequency`; room: zeros, float32 (4, len(roots))."""
    size = len(roots)
    for row in range(len(common)):
        room[0, row], room[1, row] = common[row].real, common[row].imag
    at = 2 if transformed(room[0], room[1], room[2], room[3], 1, roots) else 0
    re, im = room[at], room[at + 1]
    best, last = 0, most * size / (2 * np.pi)
    for k in range(size):
        if min(k, size - k) <= last and re[k] ** 2 + im[k] ** 2 > re[best] ** 2 + im[best] ** 2:
            best = k
    return 2 * np.pi * (best - (size if best >= size // 2 else 0)) / size


@compiled
def smooth(into, eigenvalues, out, places, h_ls, ridge):  # type: ignore[no-untyped-def]
    """out @ ((into @ h_ls[places]) / (eigenvalues + ridge)), complex64 (fft_len,).

    into: complex64 (taps, places); out: complex64 (fft_len, taps).
    """
    found = np.zeros(out.shape[0], np.complex64)
    taps = np.empty(len(eigenvalues), np.complex64)
    for j in range(len(taps)):
        total = np.complex64(0)
        for i in range(len(places)):
            total += into[j, i] * h_ls[places[i]]
        taps[j] = total * np.float32(1.0 / (eigenvalues[j] + ridge))
    for k in range(len(found)):
        total = np.complex64(0)
        for j in range(len(taps)):
            total += out[k, j] * taps[j]
        found[k] = total
    return found


@compiled
def nearest_bytes(symbols, points, width, n_bytes):  # type: ignore[no-untyped-def]
    """Numbers of the nearest points as `width` bits each, lowest first, in bytes: uint8 (n_bytes,)."""
    found = np.zeros(n_bytes, np.uint8)
    for i in range(len(symbols)):
        best, least = 0, np.float32(np.inf)
        for number in range(len(points)):
            error = symbols[i] - points[number]
            distance = error.real**2 + error.imag**2
            if distance < least:
                best, least = number, distance
        for bit in range(i * width, min((i + 1) * width, 8 * n_bytes)):
            found[bit // 8] |= np.uint8((best >> (bit - i * width) & 1) << (bit % 8))
    return found
