"""Frames one after another in one compiled call, as long as nothing unusual happens.

A short frame is two dozen OFDM symbols, in whose time calls from Python cost as much as their sums. This
loop makes the same calls in the same order as :class:`m4sc.phy.demodulator.FrameDemodulator`, so that what it
finds is the same bit for bit. It ends at the first burst that needs a decision: repeated preambles, noise
that calls for pruned taps, a header that is none, a long frame, one that was cut off, or one whose noise has
more than one level. A short frame whose samples are not all there is left alone until they are: to find it
again costs less than to end it from Python.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from m4sc.phy.burst_kernels import close_frame, read_preamble, undo_phase, with_body
from m4sc.phy.fec.compiled import compiled
from m4sc.phy.header.code import binary_share, code_symbols, decide_spectra
from m4sc.phy.header.fields import HEADER_BYTES, VERSION
from m4sc.phy.sync.preamble_bank import search_blocks

# How a run ends: no burst yet, a burst, one with its header read, or one whose samples are not all there.
SEARCHING, FOUND, OPENED, WAITING = 0, 1, 2, 3
PLAIN, MORE, OTHER = 0, 1, 2  # how a header is read: with ease, not yet, or not here
MOST = 256  # frames of one call
SHORT = 64  # OFDM symbols, of phase tables
SIZES = 16, 1 << 15  # schemes, and lengths of digital payloads in bytes


class HeaderTables(NamedTuple):
    """What depends on the protection.

    Attributes:
        rows: OFDM symbols of the header.
        fields: OFDM symbols of a block of message fields.
        step: bits a symbol.
        code: what :func:`decide_spectra` takes last.
        generator, signs: what :func:`code_symbols` takes.
        training: the first three of that of :func:`m4sc.phy.burst_kernels.finish_frame`.
    """

    rows: int
    fields: int
    step: int
    code: tuple[Any, ...]
    generator: np.ndarray
    signs: np.ndarray
    training: tuple[Any, ...]


class OpeningTables(NamedTuple):
    """What a header is read by: apart from the rest, since each array of an argument is counted in and out.

    Attributes:
        light, normal: OFDM symbols, bits a symbol and code of the headers that there may be, of which a
            light one is the shorter.
        binary: share of Re^2 - Im^2 from which a header is taken for a normal one.
        preamble: OFDM symbols; read: what :func:`read_preamble` takes behind their number and the header's.
        bins: of data and pilots.
        pilots, phases: as of `FrameTables`.
    """

    light: tuple[int, int, tuple[Any, ...]]
    normal: tuple[int, int, tuple[Any, ...]]
    binary: float
    preamble: int
    read: tuple[Any, ...]
    bins: tuple[np.ndarray, np.ndarray]
    pilots: np.ndarray
    phases: tuple[Any, Any]


class FrameTables(NamedTuple):
    """What a waveform's frames with one preamble have in common.

    Attributes:
        opening: what a header is read by.
        light, normal: the two headers.
        bins, clock, pilots: as of :func:`close_frame`, pilots of the longest frame.
        phases: tables of phases for up to `SHORT` symbols, and for more.
        rounds: of the second channel estimate, in short frames and in longer ones.
        least_match: of a preamble whose header may be a light one.
        most: payload symbols accepted.
        long: OFDM symbols, header included, from which on a frame is long.
        backoff: samples that the search goes back behind a frame.
        tail: least mean of the last pilots; tail_rows: OFDM symbols of them.
        window: narrowest of the phase; noise: least variance.
        sides: by scheme, points of a digital payload's grid in one dimension, int64 (16,).
    """

    opening: OpeningTables
    light: HeaderTables
    normal: HeaderTables
    bins: tuple[np.ndarray, np.ndarray, np.ndarray]
    clock: tuple[np.ndarray, float]
    pilots: np.ndarray
    phases: tuple[Any, Any]
    rounds: tuple[int, int]
    least_match: float
    most: int
    long: int
    backoff: int
    tail: float
    tail_rows: int
    window: int
    noise: float
    sides: np.ndarray


@compiled
def open_frame(samples, start, cfo, tables):  # type: ignore[no-untyped-def]
    """Read the header of a burst with one preamble, where that is plain.

    samples: complex64 (n,), with those of a light header; start, cfo: of the burst; tables: `OpeningTables`.
    Returns how it went; whether the header is a normal one; fine offset, spectra of preamble and header,
    channel, noise of a bin, and the header's bits, uint8, CRC included.
    """
    lag, shape, known, estimation, smoother, low_snr = tables.read
    data_bins, pilot_bins = tables.bins
    first, (light, step, _) = tables.preamble, tables.light
    fine, head, h, noise, noisy = read_preamble(
        samples, start, cfo, first + light, lag, shape, known, estimation, smoother, low_snr
    )
    none = np.zeros(0, np.uint8)
    if noisy:
        return OTHER, False, fine, head, h, noise, none
    straight = _header_straight(head, first, light, pilot_bins, h, tables.pilots, tables.phases)
    if binary_share(straight, light, data_bins, h) <= tables.binary:
        bits, valid = decide_spectra(straight, data_bins, h, noise, step, tables.light[2])
        return PLAIN if valid else OTHER, False, fine, head, h, noise, bits
    rows, step = tables.normal[0], tables.normal[1]
    if start + (first + rows) * shape[0] > len(samples):
        return MORE, True, fine, head, h, noise, none
    read, more = len(head), first + rows - len(head)
    head = with_body(head, samples, start, fine, read, more, shape[0], shape[1], known[0], known[1])
    straight = _header_straight(head, first, rows, pilot_bins, h, tables.pilots, tables.phases)
    bits, valid = decide_spectra(straight, data_bins, h, noise, step, tables.normal[2])
    return PLAIN if valid else OTHER, True, fine, head, h, noise, bits


@compiled
def _header_straight(head, first, rows, pilot_bins, h, pilots, phases):  # type: ignore[no-untyped-def]
    """Spectra of the header behind `first` symbols, phases undone, complex64 (rows, fft_len)."""
    phase = phases[0] if rows <= SHORT else phases[1]
    bins = head[first:].copy()
    return undo_phase(bins, pilot_bins, h, pilots[:rows], phase[0], phase[1], phase[2], phase[3])


@compiled
def run_frames(samples, place, block, search, tables, sizes):  # type: ignore[no-untyped-def]
    """Frames with one preamble from `place` on.

    Args:
        samples: complex64 (n,).
        place, block: as in :class:`m4sc.phy.sync.detector.Search`.
        search: what :func:`search_blocks` takes behind them, but for the end.
        tables: `FrameTables`.
        sizes: symbols of digital payloads, int32 `SIZES`; 0 of those that the caller has not met yet.

    Returns:
        How it ended; place and block; start, offset, match and preambles of the burst under way; samples
        that one takes whose samples are not all there, 0 otherwise; of an opened one, whether it is normal,
        spectra, channel, noise and the header's bits; and of the frames: start, offset, channel's power and
        noise, ppm, tail, whether they are normal, and where their symbols end, float64 (frames, 8); headers'
        bits, uint8; symbols, complex64, and their noise variances, those of message fields first; channels at
        the data carriers, complex64.
    """
    data_bins, opening, first = tables.bins[0], tables.opening, tables.opening.preamble
    light, other, shape, known = tables.light, tables.normal, opening.read[1], opening.read[2]
    symbol_len, fft_len = shape[0], len(known[1])
    numbers, headers = np.empty((MOST, 8)), np.empty((MOST, 8 * HEADER_BYTES), np.uint8)
    channels = np.empty((MOST, len(data_bins)), np.complex64)
    room = (len(samples) // symbol_len + 1) * len(data_bins)
    symbols, variances = np.empty(room, np.complex64), np.empty(room, np.float32)
    how, start, cfo, match, repeats, noise, normal = SEARCHING, 0, 0.0, 0.0, 1, 0.0, False
    head = np.zeros((0, fft_len), np.complex64)
    h, bits, used, count, wanted = np.zeros(0, np.complex64), np.zeros(0, np.uint8), 0, 0, 0
    begin, (banks, length, threshold, timing, repeated, look) = (place, block), search
    while count < MOST:
        begin = place, block
        found, start, cfo, match, repeats, place, block = search_blocks(
            samples, place, block, banks, length, threshold, timing, repeated, look, False
        )
        if not found:
            break
        how = FOUND
        if repeats > 1 or match <= tables.least_match:
            break
        if start + (first + light.rows) * symbol_len > len(samples):
            wanted = start + (first + light.rows) * symbol_len
            break
        read, normal, fine, head, h, noise, bits = open_frame(samples, start, cfo, opening)
        if read == MORE:
            wanted = start + (first + other.rows) * symbol_len
        if read != PLAIN:
            break
        kind = other if normal else light
        n_symbols, announced = _payload_size(bits, sizes)
        if not 0 < n_symbols <= tables.most:
            break
        sent = code_symbols(bits[: 8 * HEADER_BYTES], kind.generator, kind.signs, kind.step).reshape(
            (kind.rows, len(data_bins))
        )
        fields = kind.fields if announced else 0
        body = fields + (n_symbols + len(data_bins) - 1) // len(data_bins)
        rows = kind.rows + body
        end = start + (first + rows) * symbol_len
        if rows >= tables.long:
            how, cfo = OPENED, fine
            break
        if end > len(samples):
            wanted = end
            break
        n_values = fields * len(data_bins) + n_symbols
        y, noise_var, channel, power, floor, ppm, tail, strange = close_frame(
            (
                head[first:].copy(),
                (head[:first].copy(), h, sent, noise),
            ),
            (samples, start, fine),
            (first + kind.rows, body, symbol_len, shape[1]),
            known,
            tables.phases[0] if rows <= SHORT else tables.phases[1],
            tables.pilots[:rows],
            tables.bins,
            tables.clock,
            (
                kind.training[0],
                kind.training[1],
                kind.training[2],
                tables.rounds[1] if body > first + kind.rows else tables.rounds[0],
            ),
            (
                n_values,
                tables.tail_rows,
                tables.window,
                tables.noise,
                fields * len(data_bins),
                _side(bits, tables.sides),
            ),
        )
        if tail < tables.tail or strange:
            how, cfo = OPENED, fine
            break
        symbols[used : used + n_values], variances[used : used + n_values] = y, noise_var
        used += n_values
        row = numbers[count]
        row[0], row[1], row[2], row[3], row[4], row[5] = start, fine, power, floor, ppm, tail
        row[6], row[7] = 1.0 if normal else 0.0, used
        channels[count], headers[count] = channel, bits[: 8 * HEADER_BYTES]
        place, block, count, how = end - tables.backoff, 0, count + 1, SEARCHING
    if wanted:
        how, place, block = WAITING, begin[0], begin[1]
    opened = normal, head, h, noise, bits
    frames = numbers[:count], headers[:count], symbols[:used], variances[:used], channels[:count]
    return how, place, block, (start, cfo, match, repeats), wanted, opened, frames


@compiled
def _payload_size(bits, sizes):  # type: ignore[no-untyped-def]
    """Symbols of a header's payload, and whether a block of message fields comes before it; 0 of a header
    that :meth:`m4sc.phy.header.fields.FrameHeader.unpack` shall judge.
    """
    if _field(bits, 0, 3) != VERSION:
        return 0, False
    announced, size = bits[11] == 1, _field(bits, 12, 15)
    if announced and _field(bits, 51, 8) > _field(bits, 59, 8):
        return 0, False
    digital = _field(bits, 3, 2) == 2
    return sizes[_field(bits, 7, 4), size] if digital else size, announced


@compiled
def _side(bits, sides):  # type: ignore[no-untyped-def]
    """Points in one dimension of the grid that the carriers' values lie on; 0 where on none."""
    return sides[_field(bits, 7, 4)] if _field(bits, 3, 2) == 2 and bits[6] == 0 else 0


@compiled
def _field(bits, first, width):  # type: ignore[no-untyped-def]
    value = np.int64(0)
    for i in range(first, first + width):
        value = value << 1 | np.int64(bits[i])
    return value
