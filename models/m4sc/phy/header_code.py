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

from m4sc.phy.airtime import header_ofdm_symbols
from m4sc.phy.fec.compiled import compiled
from m4sc.phy.fec.ldpc import ldpc_code
from m4sc.phy.fec.min_sum import decode_layered
from m4sc.phy.gold import gold_sequence
from m4sc.phy.header import HEADER_BYTES, FrameHeader, has_crc
from m4sc.phy.waveform import WaveformConfig

_SCRAMBLER_INIT = 38211
_ITERATIONS = 12
_FIRST_CHECKS, _FIRST_ITERATIONS, _FIRST_SCALE = 10, 4, 0.75  # at high SNR
_BITS, _LARGEST = 8 * HEADER_BYTES, 1e4


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
        self._first = places, empty.reshape(-1, z), code.checks(_FIRST_CHECKS), np.float32(_FIRST_SCALE)
        # the code is linear: symbols' bits for each single bit of the header
        unit = np.eye(_BITS, dtype=np.uint8)
        words = np.stack([self._code.encode(row)[self._order] for row in unit])
        self._generator = np.packbits(words, axis=1)

    def encode(self, header: FrameHeader) -> np.ndarray:
        """BPSK symbols of the header, complex64 (symbols,); bit 0 is +1 before scrambling."""
        bits = np.unpackbits(np.frombuffer(header.pack(), dtype=np.uint8))
        return np.asarray(_code_symbols(bits, self._generator, self._signs))

    def decode(self, llr: np.ndarray) -> tuple[FrameHeader, np.ndarray]:
        """LLRs of the header's symbols, float (symbols,), positive for +1, to the header and its symbols.

        Most headers are read from the code's first checks alone, which costs a fraction of all of them.

        Returns:
            The header, and what was sent for it, as :meth:`encode` gives it.

        Raises:
            HeaderError: the CRC or a field is wrong.
        """
        bits = _first_decision(llr, self._order, self._signs, *self._first)
        if not has_crc(np.packbits(bits).tobytes()):
            straight = np.empty(len(llr))
            straight[self._order] = llr * self._signs
            bits = self._code.decode(straight, _ITERATIONS)
        header = FrameHeader.unpack(np.packbits(bits).tobytes())
        return header, np.asarray(_code_symbols(bits, self._generator, self._signs))


@lru_cache(maxsize=16)
def header_code(waveform: WaveformConfig) -> HeaderCode:
    """The code of a waveform's headers."""
    return HeaderCode(waveform)


def header_symbols(header: FrameHeader, waveform: WaveformConfig) -> np.ndarray:
    """BPSK symbols of the header, complex64 (symbols,)."""
    return header_code(waveform).encode(header)


@compiled
def _code_symbols(bits, generator, signs):  # type: ignore[no-untyped-def]
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
def _first_decision(llr, order, signs, places, empty, checks, scale):  # type: ignore[no-untyped-def]
    """Information bits, uint8 (bits,), decided by a few `checks` of the code.

    places: int64 (symbols,), of the coded bits in a word; empty: float32 (columns, Z), a word's known bits.
    """
    words = empty.copy().reshape(1, empty.shape[0], empty.shape[1])
    word = words.reshape(-1)
    for i in range(len(llr)):
        word[places[order[i]]] += np.float32(min(max(llr[i] * signs[i], -_LARGEST), _LARGEST))
    decode_layered(words, checks[0], checks[1], checks[2], scale, _FIRST_ITERATIONS)
    bits = np.empty(_BITS, np.uint8)
    for i in range(_BITS):
        bits[i] = word[i] < 0
    return bits
