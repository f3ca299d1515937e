"""One burst in gr-digital's packet format: header, then payload bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from m4sc.phy.air_time import payload_ofdm_symbols
from m4sc.phy.burst_kernels import close_packet, finish_packet, hard_bits, with_body
from m4sc.phy.demodulator import FrameTooLongError
from m4sc.phy.equalizer.estimator import SFO_SYMBOLS, follow, is_short, phase_tables
from m4sc.phy.gr_digital.packet import (
    CRC_BYTES,
    PacketFormat,
    PacketHeader,
    check_payload,
    decide_payload,
    header_scrambler,
    parse_header,
)
from m4sc.phy.gr_digital.run import FOUND, MOST, OPENED, SEARCHING, SHORT, run_packets
from m4sc.phy.preamble_demodulator import TAIL_LOST, TAIL_SYMBOLS, PreambleDemodulator, Run
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.sync.detector import Burst, BurstSearch, Search
from m4sc.phy.waveform import WaveformConfig

_HEADER_SYMBOLS = 1


class ReceivedPacket(NamedTuple):
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
        self.repeats: tuple[int, ...] = ()
        self.packet_format = packet_format

    def open(self, samples: np.ndarray, burst: Burst) -> PacketOpening:
        """Read the header of a burst whose `opening_samples` are there.

        Raises:
            HeaderError: no valid header.
            FrameTooLongError: it promises no payload. Its 12 bits of length cannot promise too much.
        """
        burst, head, h, noise_var, _ = self.read_opening(samples, burst)
        bins, pilots = head[self.waveform.preamble_symbols :], self.waveform.pilots(_HEADER_SYMBOLS)
        bits = hard_bits(bins, self.pilot_bins, self.data_bins, h, pilots, phase_tables(_HEADER_SYMBOLS))
        header = parse_header(bits, self.packet_format)
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
        rows = self._body_rows(opening)
        body, count, ppm = self.body_of(samples, opening.burst, rows, skipped), _HEADER_SYMBOLS + rows, 0.0
        bins = self.data_bins, self.pilot_bins, self.used_bins
        known = w.pilots(count), opening.noise_var, bins, self.clock, (_HEADER_SYMBOLS, TAIL_SYMBOLS)
        if is_short(count):
            found = close_packet(opening.bins, *body, phase_tables(count), h, *known)
        else:
            straight, ppm = follow(with_body(opening.bins, *body[0], *body[1], *body[2]), h, w)
            found = finish_packet(straight, h, *known)
        symbols, power, more, tail = found
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

    def run(self, samples: np.ndarray, search: Search, finder: BurstSearch, origin: int) -> Run | None:
        """As :class:`m4sc.phy.receiver.BurstDemodulator` has it."""
        if self.waveform.preamble_repeats > 1 or not self.pilot_bins.size:
            return None  # the compiled loop knows neither repetitions nor how to do without pilots
        how, place, block, (start, cfo, match), wanted, opened, found = run_packets(
            samples, *search, finder.tables, *self._run_tables
        )
        w, packets, begin = self.waveform, [], 0
        numbers, data, channels = found
        for row, channel in zip(numbers.tolist(), channels, strict=True):
            begun, fine, power, noise, ppm, tail, number, used = row
            end = int(used)
            payload, valid = check_payload(data[begin:end], self.packet_format)
            packets.append(
                ReceivedPacket(
                    payload=payload,
                    valid=valid,
                    number=int(number),
                    snr_db=10 * math.log10(max(power, 1e-30) / max(noise, 1e-30)),
                    cfo_hz=fine * w.samp_rate,
                    sfo_ppm=ppm,
                    h_hat=channel,
                    start_sample=origin + int(begun),
                    tail=tail,
                )
            )
            begin = end
        burst, opening = (Burst(start, cfo, match) if how in (FOUND, OPENED) else None), None
        if burst is not None and how == OPENED:
            bins, h, noise, n_bytes, number = opened
            opening, burst = PacketOpening(burst, PacketHeader(n_bytes, number), bins, h, noise), None
        if how == SEARCHING and len(packets) < MOST:
            wanted = len(samples) + 1  # all is searched: the same samples need no second call
        return Run(packets, Search(place, block), burst, opening, wanted)

    @cached_property
    def _run_tables(self) -> tuple[Any, ...]:
        """What :func:`m4sc.phy.gr_digital.run.run_packets` takes behind the search."""
        w, form, count = self.waveform, self.packet_format, len(self.data_bins)
        body = (self.data_bins, self.pilot_bins, self.used_bins), self.clock
        return (
            self.opening_tables,
            (w.pilots(_HEADER_SYMBOLS), phase_tables(_HEADER_SYMBOLS), header_scrambler(count, form)),
            (*body, w.pilots(SFO_SYMBOLS), phase_tables(SHORT), phase_tables(SFO_SYMBOLS)),
            (form.points_32, form.bits_per_symbol),
            (CRC_BYTES, SFO_SYMBOLS, self.backoff, TAIL_LOST, TAIL_SYMBOLS),
        )


def packet_receiver(waveform: WaveformConfig, packet_format: PacketFormat) -> BurstReceiver:
    """A receiver of packets, in a stream: its frames are of type `ReceivedPacket`."""
    return BurstReceiver(waveform, PacketDemodulator(waveform, packet_format))
