"""Headers of versions 1 and 2, recognised so that their frames are refused by name.

Both have 31 bytes, the first of them the version, the last four a CRC-32, sent as BPSK behind the same two
sync words. Version 1 repeats each bit eight times; version 2 has the LDPC code of rate 1/6.
"""

from __future__ import annotations

import zlib
from functools import cached_property
from math import gcd

import numpy as np

from m4sc.phy.equalizer.estimator import follow
from m4sc.phy.fec.ldpc import ldpc_code
from m4sc.phy.header.fields import HeaderError
from m4sc.phy.header.gold import gold_sequence
from m4sc.phy.preamble_demodulator import MoreSamplesError, PreambleDemodulator
from m4sc.phy.sync.detector import Burst
from m4sc.phy.waveform import WaveformConfig

_BYTES, _CRC_BYTES = 31, 4
_COPIES, _CODED_BITS = 8, 6 * 8 * _BYTES
_SEED, _ITERATIONS = 38211, 12


class OldFrameError(HeaderError):
    """The header is one of an earlier version of the format."""


class OldHeaders:
    """Reads a burst as versions 1 and 2 had it; tables are made when one is looked for.

    Args:
        waveform: of both ends.
    """

    def __init__(self, waveform: WaveformConfig) -> None:
        self._waveform = waveform

    def look(self, samples: np.ndarray, burst: Burst) -> None:
        """Do nothing with a burst that has no such header.

        Raises:
            OldFrameError: it has one.
            MoreSamplesError: samples are missing to tell.
        """
        for reader, decide in ((self._second, self._second_bytes), (self._first, self._first_bytes)):
            if burst.start + reader.opening_samples > len(samples):
                raise MoreSamplesError(reader.opening_samples)
            _, head, h, _, _ = reader.read_opening(samples, burst)
            straight, _ = follow(head[reader.waveform.preamble_symbols :], h, reader.waveform)
            soft = np.real(straight[:, reader.data_bins] * np.conj(h[reader.data_bins])).ravel()
            data = decide(soft)
            check = int.from_bytes(data[-_CRC_BYTES:], "big")
            if zlib.crc32(data[:-_CRC_BYTES]) == check and data[0] in (1, 2):
                raise OldFrameError(f"frame of version {data[0]}, which this receiver does not read")

    @cached_property
    def _first(self) -> PreambleDemodulator:
        return PreambleDemodulator(self._waveform, self._rows(8 * _BYTES * _COPIES))

    @cached_property
    def _second(self) -> PreambleDemodulator:
        return PreambleDemodulator(self._waveform, self._rows(_CODED_BITS))

    def _rows(self, bits: int) -> int:
        return -(-bits // self._waveform.n_data_carriers)

    def _first_bytes(self, soft: np.ndarray) -> bytes:
        """Copies of a bit were a header apart, each rotated by 17 places more."""
        copies = [np.roll(np.arange(8 * _BYTES), 17 * copy) for copy in range(_COPIES)]
        order = np.resize(np.concatenate(copies), len(soft))
        signs = np.random.default_rng(_SEED).integers(0, 2, len(soft)) * 2.0 - 1.0
        sums = np.bincount(order, soft * signs, 8 * _BYTES)
        return np.packbits(sums < 0).tobytes()

    def _second_bytes(self, soft: np.ndarray) -> bytes:
        room = len(soft)
        stride = round(0.618 * room)
        while gcd(stride, room) > 1:
            stride += 1
        received = np.empty(room)
        received[np.arange(room) * stride % room] = soft * (1.0 - 2.0 * gold_sequence(_SEED, room))
        scale = 8.0 / (np.mean(np.abs(soft)) + 1e-30)
        return np.packbits(ldpc_code(8 * _BYTES, room, 1, 2).decode(scale * received, _ITERATIONS)).tobytes()
