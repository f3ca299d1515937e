"""The header on the air: 5G NR LDPC of rate 1/6, interleaved, scrambled, BPSK.

Found and equalised by the receiver it needs about -4.7 dB for 1 % loss, the most robust payload -6.4 dB
(``m4sc bench phy --only header``): by default the header is not the stronger of the two. To be 3 dB stronger
it takes three times its 31 OFDM symbols, and three preambles, since detection is lost at nearly the same SNR:
``preamble_repeats`` and ``header_repeats`` of the waveform. A short semantic frame of 35 OFDM symbols becomes
mostly header by that, and air time decides comparisons between systems, so it is not the default.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np

from m4sc.phy.air_time import header_ofdm_symbols
from m4sc.phy.burst_kernels import binary_llrs
from m4sc.phy.fec.compiled import compiled
from m4sc.phy.fec.ldpc import ldpc_code
from m4sc.phy.fec.min_sum import decode_layered
from m4sc.phy.header.fields import HEADER_BYTES, VERSION, FrameHeader, Modality, PayloadKind
from m4sc.phy.header.gold import gold_sequence
from m4sc.phy.waveform import WaveformConfig

_SCRAMBLER_INIT = 38211
_ITERATIONS = 12
_FIRST_CHECKS, _FIRST_ITERATIONS, _FIRST_SCALE = 10, 4, 0.75  # at high SNR
_BITS, _LARGEST = 8 * HEADER_BYTES, 1e4
_KINDS, _MODALITIES = len(PayloadKind), len(Modality)


class HeaderCode:
    """Tables of the header's code for one waveform, and what is done with them."""

    def __init__(self, waveform: WaveformConfig) -> None:
        room = header_ofdm_symbols(waveform) * waveform.n_data_carriers
        self._code = ldpc_code(_BITS, room, 1, 2)
        stride = round(0.618 * room)  # neighbours in the code word lie far apart in time and in frequency
        while gcd(stride, room) > 1:
            stride += 1
        self._order = np.arange(room) * stride % room  # coded bit on each data symbol
        self._signs = 1.0 - 2.0 * gold_sequence(_SCRAMBLER_INIT, room)
        code, z = self._code, self._code.graph.lifting
        empty = np.zeros(code.graph.columns * z, np.float32)
        empty[code.k : code.k + code.fillers] = _LARGEST
        places = np.resize(code.buffer, room)  # from redundancy version 0 on
        # the code is linear: symbols' bits for each single bit of the header
        unit = np.eye(_BITS, dtype=np.uint8)
        words = np.stack([self._code.encode(row)[self._order] for row in unit])
        self._generator = np.packbits(words, axis=1)
        first = places, empty.reshape(-1, z), code.checks(_FIRST_CHECKS), np.float32(_FIRST_SCALE)
        self.tables = self._order, self._signs, self._generator, *first

    def encode(self, header: FrameHeader) -> np.ndarray:
        """BPSK symbols of the header, complex64 (symbols,); bit 0 is +1 before scrambling."""
        bits = np.unpackbits(np.frombuffer(header.pack(), dtype=np.uint8))
        return np.asarray(code_symbols(bits, self._generator, self._signs))

    def decode(
        self, straight: np.ndarray, data_bins: np.ndarray, h: np.ndarray, noise_var: float
    ) -> tuple[FrameHeader, np.ndarray]:
        """The header, and what was sent for it, as :meth:`encode` gives it.

        Most headers are read from the code's first checks alone, which costs a fraction of all of them.

        Args:
            straight: complex64 (OFDM symbols, fft_len), phases undone.
            data_bins: int (data carriers,).
            h: complex64 (fft_len,), channel.
            noise_var: of a bin.

        Raises:
            HeaderError: the CRC or a field is wrong.
        """
        bits, valid, llr = first_decision(straight, data_bins, h, noise_var, self.tables)
        if not valid:
            received = np.empty(len(llr))
            received[self._order] = llr * self._signs
            bits = self._code.decode(received, _ITERATIONS)
        header = FrameHeader.unpack(np.packbits(bits).tobytes())
        return header, np.asarray(code_symbols(bits, self._generator, self._signs))


@lru_cache(maxsize=16)
def header_code(waveform: WaveformConfig) -> HeaderCode:
    """The code of a waveform's headers."""
    return HeaderCode(waveform)


def header_symbols(header: FrameHeader, waveform: WaveformConfig) -> np.ndarray:
    """BPSK symbols of the header, complex64 (symbols,)."""
    return header_code(waveform).encode(header)


@compiled
def code_symbols(bits, generator, signs):  # type: ignore[no-untyped-def]
    """BPSK symbols of the code word of `bits`, complex64; generator: uint8 (bits, bytes)."""
    word = np.zeros(generator.shape[1], np.uint8)
    for i in range(len(bits)):
        if bits[i]:
            word ^= generator[i]
    symbols = np.empty(len(signs), np.complex64)
    for i in range(len(signs)):
        symbols[i] = signs[i] * (1 - 2 * (word[i // 8] >> (7 - i % 8) & 1))
    return symbols


@compiled
def first_decision(straight, data_bins, h, noise_var, tables):  # type: ignore[no-untyped-def]
    """A header by a few checks of its code: bits, uint8 (bits,); whether they are one; all LLRs.

    tables: coded bit on each symbol; signs; generator; place of each coded bit in a word; a word's known
    bits, float32 (columns, Z); the checks; damping of the min-sum messages.
    """
    order, signs, _, places, empty, checks, damping = tables
    llr = binary_llrs(straight, data_bins, h, 4.0 / max(noise_var, 1e-30))
    words = empty.copy().reshape(1, empty.shape[0], empty.shape[1])
    word = words.reshape(-1)
    for i in range(len(llr)):
        word[places[order[i]]] += np.float32(min(max(llr[i] * signs[i], -_LARGEST), _LARGEST))
    decode_layered(words, checks[0], checks[1], checks[2], damping, _FIRST_ITERATIONS)
    bits = np.empty(_BITS, np.uint8)
    for i in range(_BITS):
        bits[i] = word[i] < 0
    return bits, _is_header(bits), llr


@compiled
def _is_header(bits):  # type: ignore[no-untyped-def]
    """Whether :meth:`m4sc.phy.header.fields.FrameHeader.unpack` takes these bits."""
    state = 0xFFFFFFFF  # CRC-32, the lowest bit first
    for first in range(0, _BITS - 32, 8):
        state ^= _number_at(bits, first, 8)
        for _ in range(8):
            state = state >> 1 ^ (0xEDB88320 if state & 1 else 0)
    return (
        state ^ 0xFFFFFFFF == _number_at(bits, _BITS - 32, 32)
        and _number_at(bits, 0, 8) == VERSION
        and _number_at(bits, 8, 4) < _KINDS
        and _number_at(bits, 12, 4) < _MODALITIES
    )


@compiled
def _number_at(bits, first, count):  # type: ignore[no-untyped-def]
    """Number of `count` bits, the highest first."""
    number = 0
    for i in range(first, first + count):
        number = number << 1 | np.int64(bits[i])
    return number
