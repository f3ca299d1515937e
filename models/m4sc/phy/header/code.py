"""The header on the air: 5G NR polar code, interleaved, scrambled, BPSK or QPSK.

Nine bytes and a CRC of 24 bits (38.212 clause 5.1, CRC24C) in the code of :mod:`m4sc.phy.fec.polar`, read
by a list of eight paths where successive cancellation alone fails. Which
:class:`m4sc.phy.header.protection.Protection` a header has shows by its scrambling alone: what is read with
another's is noise, and its CRC fails.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Any

import numpy as np

from m4sc.phy.air_time import block_ofdm_symbols
from m4sc.phy.fec.compiled import borrowing, compiled, reordered
from m4sc.phy.fec.crc import CRC24C
from m4sc.phy.fec.polar import PolarCode
from m4sc.phy.fec.polar_list import decode_clean, decode_list
from m4sc.phy.header.fields import HEADER_BYTES, HeaderError
from m4sc.phy.header.gold import gold_sequence
from m4sc.phy.header.protection import Protection
from m4sc.phy.waveform import WaveformConfig

_SCRAMBLER_INIT, _OF_PROTECTION, _OF_LENGTH = 38212, 64, 4096
_PATHS = (8, 8, 16, 16)  # by protection: repeated preambles are seldom found in noise, and may cost more
_LARGEST = 1e4


class HeaderCode:
    """Tables of one protection's code for one waveform, and what is done with them.

    Args:
        waveform: of both ends.
        protection: of preamble and header.
        n_bytes: of a block: a header, or the message fields behind it, whose scrambling differs.
    """

    def __init__(self, waveform: WaveformConfig, protection: Protection, n_bytes: int) -> None:
        step, count = protection.bits_per_symbol, 8 * n_bytes + CRC24C.bits
        room = block_ofdm_symbols(n_bytes, waveform, protection) * waveform.n_data_carriers * step
        code = PolarCode(count, room)
        stride = round(0.618 * room)  # neighbours in the code word lie far apart in time and in frequency
        while gcd(stride, room) > 1:
            stride += 1
        order = np.arange(room) * stride % room  # coded bit on each place
        seed = _SCRAMBLER_INIT + _OF_PROTECTION * protection.index + _OF_LENGTH * n_bytes
        signs = (1.0 - 2.0 * gold_sequence(seed, room)).astype(np.float32)
        # the code is linear: symbols' bits for each single bit of the block
        unit = np.eye(8 * n_bytes, dtype=np.uint8)
        words = np.stack([code.encode(CRC24C.attach(row))[order] for row in unit])
        self._generator = np.packbits(words, axis=1)
        self._signs, self._step, self._bytes = signs, step, n_bytes
        check = count, _PATHS[protection.index], CRC24C.bits, CRC24C.polynomial
        self._tables = code.places[order], signs, code.known, code.information, code.schedule, check

    @property
    def tables(self) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray, int]:
        """What :func:`decide_spectra` takes last; and what :func:`code_symbols` takes: generator, signs, bits
        a symbol.
        """
        return self._tables, self._generator, self._signs, self._step

    def encode(self, data: bytes) -> np.ndarray:
        """Symbols of a block, complex64 (symbols,), unit power; bit 0 is positive before scrambling.

        Raises:
            ValueError: another number of bytes.
        """
        if len(data) != self._bytes:
            raise ValueError(f"this code takes {self._bytes} bytes, not {len(data)}")
        bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
        return np.asarray(code_symbols(bits, self._generator, self._signs, self._step))

    def decode(self, straight: np.ndarray, data_bins: np.ndarray, h: np.ndarray, noise_var: float) -> bytes:
        """A block's bytes from spectra.

        Args:
            straight: complex64 (OFDM symbols, fft_len), phases undone.
            data_bins: int (data carriers,).
            h: complex64 (fft_len,), channel.
            noise_var: of a bin.

        Raises:
            HeaderError: the CRC is wrong.
        """
        return self._bytes_of(*decide_spectra(straight, data_bins, h, noise_var, self._step, self._tables))

    def decode_symbols(self, symbols: np.ndarray, noise_var: np.ndarray) -> bytes:
        """The same from equalised symbols, complex64 (symbols,), and their noise variances, float32
        (symbols,).
        """
        return self._bytes_of(*decide_symbols(symbols, noise_var, self._step, self._tables))

    def _bytes_of(self, bits: np.ndarray, valid: bool) -> bytes:
        if not valid:
            raise HeaderError("the header's CRC is wrong")
        return np.packbits(bits[: 8 * self._bytes]).tobytes()


@lru_cache(maxsize=32)
def header_code(waveform: WaveformConfig, protection: Protection, n_bytes: int = HEADER_BYTES) -> HeaderCode:
    """The code of a waveform's headers, or of the blocks of message fields behind them."""
    return HeaderCode(waveform, protection, n_bytes)


@compiled
def code_symbols(bits, generator, signs, step):  # type: ignore[no-untyped-def]
    """Symbols of the code word of `bits`, complex64 (len(signs) / step,); generator: uint8 (bits, bytes)."""
    word = np.zeros(generator.shape[1], np.uint8)
    symbols = np.zeros(len(signs) // step, np.complex64)
    _add_rows(bits, generator, word)
    _place_symbols(word, signs, step, symbols)
    return symbols


@borrowing(compiled)
def _add_rows(bits, generator, word):  # type: ignore[no-untyped-def]
    """Sum of the generator's rows whose bits are 1."""
    for i in range(len(bits)):
        if bits[i]:
            row = generator[i]
            for k in range(len(word)):
                word[k] ^= row[k]


@borrowing(compiled)
def _place_symbols(word, signs, step, symbols):  # type: ignore[no-untyped-def]
    """The bits of a packed code word on their symbols."""
    scale = np.float32(1.0 / np.sqrt(step))
    for i in range(len(signs)):
        value = scale * signs[i] * (1 - 2 * (word[i // 8] >> (7 - i % 8) & 1))
        symbols[i // step] += np.complex64(complex(value, 0.0) if i % step == 0 else complex(0.0, value))


@compiled
def decide_spectra(straight, data_bins, h, noise_var, step, tables):  # type: ignore[no-untyped-def]
    """Bits of a header with its CRC, uint8 (bits,), and whether they are one.

    tables: place in the mother code of each bit sent; scrambling; LLRs before anything is received; places
    of the code's information, its nodes; its bits, paths and CRC.
    """
    count = len(data_bins)
    scale = np.float32(4.0 / np.sqrt(step) / max(noise_var, 1e-30))
    llr = np.empty(len(straight) * count * step, np.float32)
    for row in range(len(straight)):
        for i in range(count):
            product = straight[row, data_bins[i]] * np.conj(h[data_bins[i]]) * scale
            at = (row * count + i) * step
            llr[at] = product.real
            if step == 2:
                llr[at + 1] = product.imag
    return _decide(llr, tables)


@compiled
def decide_symbols(symbols, noise_var, step, tables):  # type: ignore[no-untyped-def]
    """The same of equalised symbols, complex64 (n,), of noise variances float32 (n,)."""
    llr = np.empty(len(symbols) * step, np.float32)
    for i in range(len(symbols)):
        scale = np.float32(4.0 / np.sqrt(step)) / max(noise_var[i], np.float32(1e-12))
        llr[i * step] = symbols[i].real * scale
        if step == 2:
            llr[i * step + 1] = symbols[i].imag * scale
    return _decide(llr, tables)


@compiled
def _decide(llr, tables):  # type: ignore[no-untyped-def]
    """Signs alone first, then one path, which at most SNRs is enough and costs a fraction of a list."""
    places, signs, known, information, schedule, (count, paths, check_bits, polynomial) = tables
    mother = known.copy()
    limit = np.float32(_LARGEST)
    for i in range(len(llr)):
        mother[places[i]] += min(max(llr[i], -limit), limit) * signs[i]
    bits, valid = decode_clean(mother, information, check_bits, polynomial)
    if not valid:
        bits, valid = decode_list(mother, schedule, count, 1, check_bits, polynomial)
    if not valid:
        bits, valid = decode_list(mother, schedule, count, paths, check_bits, polynomial)
    return bits, valid


@borrowing(reordered)
def binary_share(straight, rows, data_bins, h):  # type: ignore[no-untyped-def]
    """How much of the first `rows` symbols' power is in phase with the channel: 1 of BPSK, 0 of QPSK, less
    in noise.

    The sum of Re^2 - Im^2 over the sum of Re^2 + Im^2.
    """
    difference, total = 0.0, 1e-30
    for row in range(rows):
        for k in data_bins:
            product = straight[row, k] * np.conj(h[k])
            real, imag = np.float64(product.real) ** 2, np.float64(product.imag) ** 2
            difference += real - imag
            total += real + imag
    return difference / total
