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
from m4sc.phy.fec.ldpc import LdpcCode, ldpc_code
from m4sc.phy.gold import gold_sequence
from m4sc.phy.header import HEADER_BYTES, FrameHeader
from m4sc.phy.waveform import WaveformConfig

_SCRAMBLER_INIT = 38211
_ITERATIONS = 12


@lru_cache(maxsize=16)
def _layout(waveform: WaveformConfig) -> tuple[LdpcCode, np.ndarray, np.ndarray]:
    """Code; coded bit on each data symbol, int64 (symbols,); sign of each, float64 (symbols,)."""
    room = header_ofdm_symbols(waveform) * waveform.n_data_carriers
    code = ldpc_code(8 * HEADER_BYTES, room, 1, 2)
    stride = round(0.618 * room)  # neighbours in the code word lie far apart in time and in frequency
    while gcd(stride, room) > 1:
        stride += 1
    order = np.arange(room) * stride % room
    return code, order, 1.0 - 2.0 * gold_sequence(_SCRAMBLER_INIT, room)


@lru_cache(maxsize=16)
def _generator(waveform: WaveformConfig) -> np.ndarray:
    """Symbols' bits for each single bit of the header, packed, uint8 (bits, bytes): the code is linear."""
    code, order, _ = _layout(waveform)
    unit = np.eye(8 * HEADER_BYTES, dtype=np.uint8)
    return np.packbits(np.stack([code.encode(row)[order] for row in unit]), axis=1)


def header_symbols(header: FrameHeader, waveform: WaveformConfig) -> np.ndarray:
    """BPSK symbols of the header, complex64 (symbols,); bit 0 is +1 before scrambling."""
    signs = _layout(waveform)[2]
    bits = np.unpackbits(np.frombuffer(header.pack(), dtype=np.uint8))
    return np.asarray(_code_symbols(bits, _generator(waveform), signs))


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


def decode_header(llr: np.ndarray, waveform: WaveformConfig) -> FrameHeader:
    """LLRs of the header's symbols, float (symbols,), positive for +1, to the header.

    Raises:
        HeaderError: the CRC or a field is wrong.
    """
    code, order, signs = _layout(waveform)
    straight = np.empty(len(order))
    straight[order] = llr * signs
    bits = code.decode(straight, _ITERATIONS)
    return FrameHeader.unpack(np.packbits(bits).tobytes())
