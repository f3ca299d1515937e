"""Packets one after another in one compiled call, as long as nothing unusual happens.

A packet may be a dozen OFDM symbols, in whose time calls from Python cost as much as their sums. This loop
makes the same calls in the same order, so that what it finds is the same bit for bit. It ends at the first
burst that needs a decision: noise that calls for the sparse estimate, a wrong header, a long packet, or one
that was cut off. A short packet whose samples are not all there is left alone until they are: to find it
again costs less than to end it from Python.
"""

from __future__ import annotations

import numpy as np

from m4sc.phy.burst_kernels import close_packet, hard_bits, nearest_bytes, read_preamble
from m4sc.phy.fec.compiled import compiled
from m4sc.phy.gr_digital.packet import FIELDS, MAX_WRONG_ZEROS
from m4sc.phy.sync.preamble_bank import search_blocks

# How a run ends: no burst yet, a burst, one with its header read, or one whose samples are not all there.
SEARCHING, FOUND, OPENED, WAITING = 0, 1, 2, 3
MOST = 256  # packets of one call
SHORT = 64  # OFDM symbols


@compiled
def run_packets(samples, place, block, search, opening, header, body, form, limits):  # type: ignore[no-untyped-def]
    """Packets in gr-digital's format from `place` on.

    Args:
        samples: complex64 (n,).
        place, block: as in :class:`m4sc.phy.sync.detector.Search`.
        search: what :func:`search_blocks` takes behind them, but for the end.
        opening: OFDM symbols of preamble and header, and what :func:`read_preamble` takes behind them.
        header: pilots of the header, its phase's tables, and its scrambler's bits.
        body: bins and clock of :func:`close_packet`, pilots of the longest packet, and its phase's tables for
            up to `SHORT` symbols and for more.
        form: constellation, complex64, and bits a symbol.
        limits: bytes that are no payload; least OFDM symbols, header included, of a long packet; samples that
            the search goes back; least tail; rows that show it.

    Returns:
        How it ended; place and block; start, offset and match of the burst under way; samples that one takes
        whose samples are not all there, 0 otherwise; of an opened one, spectra, channel, noise, bytes and
        number; and of the packets: start, offset, channel's power and noise, ppm, tail, number, and where
        their bytes end, float64 (packets, 8); all bytes, uint8; channels at the data carriers, complex64.
    """
    count_opening, lag, shape, tables, estimation, smoother, low_snr = opening
    symbol_len, fft_len, n_preamble = shape[0], len(tables[1]), count_opening - 1
    data_bins, pilot_bins, _ = body[0]
    numbers, data = np.empty((MOST, 8)), np.empty(len(samples), np.uint8)
    channels = np.empty((MOST, len(data_bins)), np.complex64)
    how, start, cfo, match, noise = SEARCHING, 0, 0.0, 0.0, 0.0
    bins, h = np.zeros((0, fft_len), np.complex64), np.zeros(0, np.complex64)
    n_bytes, number, used, count, wanted = 0, 0, 0, 0, 0
    begin, (banks, length, threshold, timing, repeated, look) = (place, block), search
    while count < MOST:
        begin = place, block
        found, start, cfo, match, _, place, block = search_blocks(
            samples, place, block, banks, length, threshold, timing, repeated, look, False
        )
        if not found:
            break
        how = FOUND
        if start + count_opening * symbol_len > len(samples):
            wanted = start + count_opening * symbol_len
            break
        fine, head, h, noise, noisy = read_preamble(
            samples, start, cfo, count_opening, lag, shape, tables, estimation, smoother, low_snr
        )
        if noisy:
            break
        bins = head[n_preamble:].copy()
        bits = hard_bits(bins, pilot_bins, data_bins, h, header[0], header[1])
        n_bytes, number, valid = _packet_header(bits, header[2])
        if not valid or n_bytes <= limits[0]:
            break
        n_symbols = (8 * n_bytes + form[1] - 1) // form[1]
        rows = (n_symbols + len(data_bins) - 1) // len(data_bins)
        end = start + (count_opening + rows) * symbol_len
        if 1 + rows >= limits[1]:
            how, cfo = OPENED, fine
            break
        if end > len(samples):
            wanted = end
            break
        phase = body[3] if 1 + rows <= SHORT else body[4]
        y, power, ppm, tail = close_packet(
            bins,
            (samples, start, fine),
            (count_opening, rows, symbol_len, shape[1]),
            tables,
            phase,
            h,
            body[2][: 1 + rows],
            noise,
            body[0],
            body[1],
            (1, limits[4]),
        )
        if tail < limits[3]:
            break
        data[used : used + n_bytes] = nearest_bytes(y[:n_symbols], form[0], form[1], n_bytes)
        used += n_bytes
        row = numbers[count]
        row[0], row[1], row[2], row[3], row[4], row[5] = start, fine, power, noise, ppm, tail
        row[6], row[7], channels[count] = number, used, h[data_bins]
        place, block, count, how = end - limits[2], 0, count + 1, SEARCHING
    if wanted:
        how, place, block = WAITING, begin[0], begin[1]
    opened = bins, h, noise, n_bytes, number
    burst, packets = (start, cfo, match), (numbers[:count], data[:used], channels[:count])
    return how, place, block, burst, wanted, opened, packets


@compiled
def _packet_header(bits, scrambler):  # type: ignore[no-untyped-def]
    """As :func:`m4sc.phy.gr_digital.packet.parse_header`: bytes, number, and whether it is a header."""
    left = np.zeros(3, np.int64)
    place = 0
    for field in range(3):
        for i in range(FIELDS[field]):
            left[field] |= np.int64(bits[place] ^ scrambler[place]) << i
            place += 1
    ones = 0
    for i in range(place, len(bits)):
        ones += bits[i] ^ scrambler[i]
    state = 0xFF
    for byte in (left[0] & 0xFF, left[0] >> 8, left[1] & 0xFF, left[1] >> 8):
        state ^= byte
        for _ in range(8):
            state = (state << 1 ^ (0x07 if state & 0x80 else 0)) & 0xFF
    return left[0], left[1], state == left[2] and ones <= MAX_WRONG_ZEROS
