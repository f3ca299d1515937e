"""One burst in gr-digital's packet format: header, then payload bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from m4sc.phy.airtime import payload_ofdm_symbols
from m4sc.phy.burst_kernels import finish_packet, hard_bits
from m4sc.phy.demodulator import FrameTooLongError
from m4sc.phy.equalizer import follow
from m4sc.phy.packet import CRC_BYTES, PacketFormat, PacketHeader, decide_payload, parse_header
from m4sc.phy.preamble_demodulator import TAIL_SYMBOLS, PreambleDemodulator
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.sync import Burst
from m4sc.phy.waveform import WaveformConfig

_HEADER_SYMBOLS = 1


@dataclass(frozen=True)
class ReceivedPacket:
    """One packet.

    Attributes:
        payload: bytes without the CRC-32.
        valid: whether the CRC-32 was right.
        number: of the packet, modulo 4096.
        snr_db, cfo_hz, sfo_ppm, h_hat, start_sample, tail: as in ``ReceivedFrame``.
    """

    payload: bytes
    valid: bool
    number: int
    snr_db: float
    cfo_hz: float
    sfo_ppm: float
    h_hat: np.ndarray
    start_sample: int
    tail: float


@dataclass(frozen=True)
class PacketOpening:
    """What preamble and header say of a packet under way; as ``Opening``."""

    burst: Burst
    header: PacketHeader
    bins: np.ndarray
    h: np.ndarray
    noise_var: float


class PacketDemodulator(PreambleDemodulator):
    """Arithmetic of one burst of ``digital.ofdm_tx``."""

    def __init__(self, waveform: WaveformConfig, packet_format: PacketFormat) -> None:
        super().__init__(waveform, _HEADER_SYMBOLS)
        self.packet_format = packet_format

    def open(self, samples: np.ndarray, burst: Burst) -> PacketOpening:
        """Read the header of a burst whose `opening_samples` are there.

        Raises:
            HeaderError: no valid header.
            FrameTooLongError: it promises no payload. Its 12 bits of length cannot promise too much.
        """
        burst, head, h, noise_var = self.read_opening(samples, burst)
        bins = head[self.waveform.preamble_symbols :]
        straight, _ = follow(bins, h, self.waveform)
        header = parse_header(hard_bits(straight[0], self.data_bins, h), self.packet_format)
        if header.n_bytes <= CRC_BYTES:
            raise FrameTooLongError(f"a packet header promises {header.n_bytes} bytes, no more than a CRC")
        return PacketOpening(burst, header, bins, h, noise_var)

    def samples_of(self, opening: PacketOpening) -> int:
        """Samples of the whole packet, from its preamble on."""
        return self.opening_samples + self._body_rows(opening) * self.waveform.symbol_len

    def _body_rows(self, opening: PacketOpening) -> int:
        n_symbols = self.packet_format.payload_symbols(opening.header.n_bytes)
        return payload_ofdm_symbols(n_symbols, self.waveform)

    def close(
        self, samples: np.ndarray, opening: PacketOpening, origin: int = 0, skipped: int = 0
    ) -> ReceivedPacket:
        """Track pilots, equalise, decide and check; origin, skipped: as of ``BurstDemodulator``."""
        w, header, h = self.waveform, opening.header, opening.h
        bins = self.with_body(opening.bins, samples, opening.burst, self._body_rows(opening), skipped)
        straight, ppm = follow(bins, h, w)
        symbols, power, more, tail = finish_packet(
            straight,
            h,
            w.pilots(len(bins)),
            opening.noise_var,
            (self.data_bins, self.pilot_bins, self.used_bins),
            self.clock,
            (_HEADER_SYMBOLS, TAIL_SYMBOLS),
        )
        n_symbols = self.packet_format.payload_symbols(header.n_bytes)
        payload, valid = decide_payload(symbols[:n_symbols], header.n_bytes, self.packet_format)
        return ReceivedPacket(
            payload=payload,
            valid=valid,
            number=header.number,
            snr_db=10 * math.log10(max(power, 1e-30) / max(opening.noise_var, 1e-30)),
            cfo_hz=opening.burst.cfo * w.samp_rate,
            sfo_ppm=ppm + more,
            h_hat=h[self.data_bins],
            start_sample=origin + opening.burst.start,
            tail=tail,
        )


def packet_receiver(waveform: WaveformConfig, packet_format: PacketFormat) -> BurstReceiver:
    """A receiver of packets, in a stream: its frames are of type `ReceivedPacket`."""
    return BurstReceiver(waveform, PacketDemodulator(waveform, packet_format))
