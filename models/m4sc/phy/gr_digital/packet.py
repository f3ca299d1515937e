"""The packet format of gr-digital's OFDM transmitter and receiver (``digital.ofdm_tx``, ``digital.ofdm_rx``).

A packet is the preamble, one OFDM symbol of header in BPSK (12 bits of length, 12 of number, CRC-8, zeros)
and bytes with a CRC-32 in BPSK, QPSK or 8PSK, uncoded; bits go lowest first. It exists to talk to GNU Radio's
own blocks, and to be checked by them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from m4sc.phy.burst_kernels import nearest_bytes
from m4sc.phy.frame import add_prefix
from m4sc.phy.header.fields import HeaderError
from m4sc.phy.waveform import WaveformConfig

CRC_BYTES = 4
MAX_PAYLOAD_BYTES = 4095 - CRC_BYTES
FIELDS = _LENGTH_BITS, _NUMBER_BITS, _CRC8_BITS = 12, 12, 8
_HEADER_BITS = sum(FIELDS)
MAX_WRONG_ZEROS = 2  # of the header's unused bits
_LFSR_MASK, _LFSR_LENGTH = 0x8A, 8
_HEADER_SEED, _PAYLOAD_SEED = 0x6F, 0x7F
# Points by the value of their bits, as digital.constellation_* numbers and scales them.
_DIAGONAL = np.exp(1j * np.pi / 8 * np.array([1, 7, -1, -7, 3, 5, -3, -5]))
_POINTS = {
    1: np.array([-1.0, 1.0], complex),
    2: np.sqrt(2.0) * np.array([-1 - 1j, 1 - 1j, -1 + 1j, 1 + 1j]),
    3: _DIAGONAL,
}


_POINTS_32 = {width: points.astype(np.complex64) for width, points in _POINTS.items()}


@dataclass(frozen=True)
class PacketFormat:
    """Parameters that ``digital.ofdm_tx`` and ``digital.ofdm_rx`` share.

    Attributes:
        bits_per_symbol: ``bps_payload``, 1 (BPSK), 2 (QPSK) or 3 (8PSK). GNU Radio 3.10 has no more.
        scramble: ``scramble_bits``, of header and payload.
    """

    bits_per_symbol: int = 1
    scramble: bool = False

    def __post_init__(self) -> None:
        if self.bits_per_symbol not in _POINTS:
            raise ValueError(
                f"bits_per_symbol is {self.bits_per_symbol}; gr-digital's packets have 1, 2 or 3"
            )

    @property
    def points(self) -> np.ndarray:
        """Constellation, complex128 (2^bits,); that of QPSK has a mean energy of 4, the others of 1."""
        return _POINTS[self.bits_per_symbol]

    @property
    def points_32(self) -> np.ndarray:
        """The same, complex64."""
        return _POINTS_32[self.bits_per_symbol]

    def payload_symbols(self, n_bytes: int) -> int:
        """Data symbols of `n_bytes`, CRC included."""
        return -(-8 * n_bytes // self.bits_per_symbol)


@dataclass(frozen=True)
class PacketHeader:
    """n_bytes: of payload and CRC-32, 12 bits; number: of the packet, modulo 4096."""

    n_bytes: int
    number: int


@lru_cache(maxsize=8)
def lfsr_bits(seed: int, count: int) -> np.ndarray:
    """Output of gr-digital's Fibonacci shift register with mask 0x8A, uint8 (count,), read-only."""
    state, found = seed, np.zeros(count, np.uint8)
    for i in range(count):
        found[i] = state & 1
        fresh = (state & _LFSR_MASK).bit_count() & 1
        state = state >> 1 | fresh << (_LFSR_LENGTH - 1)
    found.setflags(write=False)
    return found


def _bits(value: int, count: int) -> list[int]:
    return [value >> i & 1 for i in range(count)]


def _crc8_of_byte(state: int) -> int:
    for _ in range(8):
        state = (state << 1 ^ (0x07 if state & 0x80 else 0)) & 0xFF
    return state


_CRC8_TABLE = tuple(_crc8_of_byte(byte) for byte in range(256))


def _crc8(n_bytes: int, number: int) -> int:
    """CRC-8 of polynomial 0x07, started with 0xFF, over length and number as two bytes each, lowest first."""
    state = 0xFF
    for byte in (n_bytes & 0xFF, n_bytes >> 8, number & 0xFF, number >> 8):
        state = _CRC8_TABLE[state ^ byte]
    return state


def header_bits(header: PacketHeader, count: int, packet_format: PacketFormat) -> np.ndarray:
    """Bits of a header of `count` BPSK symbols, uint8 (count,).

    Raises:
        ValueError: `count` is too small.
    """
    if count < _HEADER_BITS:
        raise ValueError(f"a packet header takes {_HEADER_BITS} carriers; the waveform has {count}")
    number = header.number % (1 << _NUMBER_BITS)
    used = _bits(header.n_bytes, _LENGTH_BITS) + _bits(number, _NUMBER_BITS)
    used += _bits(_crc8(header.n_bytes, number), _CRC8_BITS)
    bits = np.array(used + [0] * (count - len(used)), np.uint8)
    return bits ^ header_scrambler(count, packet_format)


def header_scrambler(count: int, packet_format: PacketFormat) -> np.ndarray:
    """Bits to be added to a header of `count` symbols, uint8 (count,)."""
    return lfsr_bits(_HEADER_SEED, count) & np.uint8(packet_format.scramble)


def parse_header(bits: np.ndarray, packet_format: PacketFormat) -> PacketHeader:
    """Inverse of :func:`header_bits`.

    Raises:
        HeaderError: wrong CRC-8, or ones where zeros are sent.
    """
    plain = bits ^ header_scrambler(len(bits), packet_format)
    left = int.from_bytes(np.packbits(plain, bitorder="little").tobytes(), "little")
    fields = []
    for width in FIELDS:
        fields.append(left & (1 << width) - 1)
        left >>= width
    n_bytes, number, crc = fields
    if crc != _crc8(n_bytes, number):
        raise HeaderError("the packet header's CRC is wrong")
    if left.bit_count() > MAX_WRONG_ZEROS:
        raise HeaderError("the packet header has ones where zeros are sent")
    return PacketHeader(n_bytes, number)


@lru_cache(maxsize=1)
def _whole_scrambler() -> np.ndarray:
    """Of the longest payload, uint8."""
    return np.packbits(lfsr_bits(_PAYLOAD_SEED, 8 * (MAX_PAYLOAD_BYTES + CRC_BYTES)), bitorder="little")


def _scrambler_bytes(count: int) -> np.ndarray:
    """Bytes to be added to `count` bytes of a payload, uint8 (count,)."""
    return _whole_scrambler()[:count]


def payload_points(payload: bytes, packet_format: PacketFormat) -> np.ndarray:
    """Symbols of payload and CRC-32, complex128 (symbols,)."""
    whole = np.frombuffer(payload + zlib.crc32(payload).to_bytes(CRC_BYTES, "little"), np.uint8)
    if packet_format.scramble:
        whole = whole ^ _scrambler_bytes(len(whole))
    width = packet_format.bits_per_symbol
    bits = np.unpackbits(whole, bitorder="little")
    bits = np.pad(bits, (0, -len(bits) % width)).reshape(-1, width)
    return packet_format.points[bits @ (1 << np.arange(width))]


def decide_payload(symbols: np.ndarray, n_bytes: int, packet_format: PacketFormat) -> tuple[bytes, bool]:
    """Nearest points to bytes; the second value says whether the CRC-32 is right.

    Args:
        symbols: complex (symbols,), unbiased, in the scale of ``packet_format.points``.
        n_bytes: payload and CRC.
        packet_format: of the transmitter.
    """
    width = packet_format.bits_per_symbol
    points = packet_format.points_32
    whole = nearest_bytes(np.asarray(symbols, np.complex64), points, width, n_bytes)
    return check_payload(whole, packet_format)


def check_payload(whole: np.ndarray, packet_format: PacketFormat) -> tuple[bytes, bool]:
    """Received bytes, uint8 (n,), to the payload, and whether the CRC-32 behind it is right."""
    if packet_format.scramble:
        whole = whole ^ _scrambler_bytes(len(whole))
    received = whole.tobytes()
    payload, crc = received[:-CRC_BYTES], received[-CRC_BYTES:]
    return payload, zlib.crc32(payload) == int.from_bytes(crc, "little")


def modulate_packet(
    payload: bytes, number: int, waveform: WaveformConfig, packet_format: PacketFormat
) -> np.ndarray:
    """Samples of a packet, complex64: those of ``digital.ofdm_tx`` over the square root of `fft_len`.

    Raises:
        ValueError: payload empty or above `MAX_PAYLOAD_BYTES`, or too few carriers for the header.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise ValueError(f"a packet carries 1 to {MAX_PAYLOAD_BYTES} bytes; got {len(payload)}")
    per_symbol = waveform.n_data_carriers
    head = header_bits(PacketHeader(len(payload) + CRC_BYTES, number), per_symbol, packet_format)
    body = payload_points(payload, packet_format)
    rows = -(-len(body) // per_symbol)
    data = np.zeros((1 + rows, per_symbol), np.complex64)
    data[0] = 2.0 * head - 1.0
    data.ravel()[per_symbol : per_symbol + len(body)] = body
    n_preamble = waveform.preamble_symbols
    bins = np.zeros((n_preamble + len(data), waveform.fft_len), np.complex64)
    bins[:n_preamble] = waveform.preamble_bins
    bins[n_preamble:, waveform.data_bins] = data
    bins[n_preamble:, waveform.pilot_bins] = waveform.pilots(len(data))
    return add_prefix(bins, waveform)
