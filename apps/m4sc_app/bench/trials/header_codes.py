"""Two codes for a frame's header, over as many coded bits: the polar code that it has, and 5G NR's LDPC code.

Both carry the same bytes with a CRC that tells a header from noise, over the same QPSK or BPSK symbols in
complex AWGN, with exact LLRs. Detection, channel estimate and phase are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from m4sc.phy.air_time import header_ofdm_symbols
from m4sc.phy.fec.crc import CRC16, CRC24C, Crc
from m4sc.phy.fec.ldpc import ldpc_code
from m4sc.phy.header.code import header_code
from m4sc.phy.header.fields import HEADER_BYTES, HeaderError
from m4sc.phy.header.protection import Protection
from m4sc.phy.modulation.qam import map_bits, soft_demap
from m4sc.phy.waveform import WaveformConfig

_ITERATIONS = 50


class HeaderCodec(Protocol):
    """A way to send a header's bytes."""

    def encode(self, data: bytes) -> np.ndarray:
        """Symbols, complex64 (n,), of unit mean energy."""

    def decode(self, symbols: np.ndarray, noise_var: np.ndarray) -> bytes | None:
        """Bytes, or None where the CRC is wrong. Args: complex64 (n,), float32 (n,)."""


class PolarHeader:
    """The header's own code, list decoder included."""

    def __init__(self, protection: Protection, waveform: WaveformConfig) -> None:
        self._code = header_code(waveform, protection)

    def encode(self, data: bytes) -> np.ndarray:
        """As :class:`HeaderCodec` has it."""
        return self._code.encode(data)

    def decode(self, symbols: np.ndarray, noise_var: np.ndarray) -> bytes | None:
        """As :class:`HeaderCodec` has it."""
        try:
            return self._code.decode_symbols(symbols, noise_var)
        except HeaderError:
            return None


class LdpcHeader:
    """Base graph 2 over as many bits; repetition fills what is longer than its circular buffer.

    Args:
        protection: of which the number of bits is.
        waveform: the waveform.
        check: CRC behind the bytes.
    """

    def __init__(self, protection: Protection, waveform: WaveformConfig, check: Crc) -> None:
        self._check, self._step = check, protection.bits_per_symbol
        room = header_ofdm_symbols(waveform, protection) * waveform.n_data_carriers * self._step
        self._code = ldpc_code(8 * HEADER_BYTES + check.bits, room, self._step, 2)

    def encode(self, data: bytes) -> np.ndarray:
        """As :class:`HeaderCodec` has it."""
        bits = self._check.attach(np.unpackbits(np.frombuffer(data, np.uint8)))
        return map_bits(self._code.encode(bits), self._step)

    def decode(self, symbols: np.ndarray, noise_var: np.ndarray) -> bytes | None:
        """As :class:`HeaderCodec` has it; min-sum, up to `_ITERATIONS` iterations."""
        bits = self._code.decode(soft_demap(symbols, noise_var, self._step), _ITERATIONS)
        return np.packbits(bits[: 8 * HEADER_BYTES]).tobytes() if self._check.passes(bits) else None


def header_codecs(protection: Protection, waveform: WaveformConfig) -> dict[str, HeaderCodec]:
    """What is compared, by name."""
    return {
        "polar": PolarHeader(protection, waveform),
        "ldpc": LdpcHeader(protection, waveform, CRC24C),
        "ldpc_crc16": LdpcHeader(protection, waveform, CRC16),
    }


@dataclass(frozen=True)
class Losses:
    """lost: headers not read or read wrongly, of `sent`; silent: read wrongly with a right CRC."""

    snr_db: float
    lost: int
    silent: int
    sent: int

    @property
    def rate(self) -> float:
        """Share lost."""
        return self.lost / self.sent


def count_losses(codec: HeaderCodec, snr_db: float, errors: int, most: int, seed: int) -> Losses:
    """Headers lost at Es/N0 `snr_db`: until `errors` are, or `most` are sent."""
    rng = np.random.default_rng([seed, round(100 * snr_db) + 10_000])
    variance, lost, silent, sent = 10.0 ** (-snr_db / 10), 0, 0, 0
    while lost < errors and sent < most:
        data = rng.bytes(HEADER_BYTES)
        symbols = codec.encode(data)
        noise = rng.standard_normal((symbols.size, 2), np.float32).view(np.complex64)[:, 0]
        received = symbols + np.float32(np.sqrt(variance / 2)) * noise
        found = codec.decode(received, np.full(symbols.size, variance, np.float32))
        lost, silent, sent = lost + (found != data), silent + (found not in (None, data)), sent + 1
    return Losses(snr_db, lost, silent, sent)


def falling_curve(
    codec: HeaderCodec, first_db: float, step_db: float, least: float, errors: int, most: int, seed: int
) -> list[Losses]:
    """Losses from `first_db` upwards until at most a share of `least` is lost."""
    curve = [count_losses(codec, first_db, errors, most, seed)]
    while curve[-1].rate > least:
        curve.append(count_losses(codec, curve[-1].snr_db + step_db, errors, most, seed))
    return curve


def snr_at(curve: list[Losses], rate: float) -> float:
    """Es/N0 at which `rate` is lost, dB: between two points the logarithm of the rate is linear.

    NaN where the curve does not cross it.
    """
    for high, low in pairwise(curve):
        if high.rate >= rate >= low.rate:
            upper, lower = np.log(high.rate), np.log(max(low.rate, 0.5 / low.sent))
            share = (upper - np.log(rate)) / max(upper - lower, 1e-12)
            return high.snr_db + min(float(share), 1.0) * (low.snr_db - high.snr_db)
    return float("nan")
