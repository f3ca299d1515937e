"""Frames of versions 1 and 2, built as those versions built them, are refused by name."""

from __future__ import annotations

import zlib
from math import gcd

import numpy as np
import pytest
from m4sc.phy.channel.impairments import add_noise, shift_carrier
from m4sc.phy.fec.ldpc import ldpc_code
from m4sc.phy.frame import add_prefix, modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.header.gold import gold_sequence
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

WAVEFORM = WaveformConfig()
PAYLOAD_ROWS = 4


def old_frame(version: int) -> np.ndarray:
    """Samples of a frame as an earlier version sent it."""
    body = bytes([version]) + bytes(range(26))
    bits = np.unpackbits(np.frombuffer(body + zlib.crc32(body).to_bytes(4, "big"), np.uint8))
    n = WAVEFORM.n_data_carriers
    if version == 1:
        room = 42 * n
        order = np.resize(np.concatenate([np.roll(np.arange(248), 17 * copy) for copy in range(8)]), room)
        coded = bits[order]
        signs = np.random.default_rng(38211).integers(0, 2, room) * 2.0 - 1.0
    else:
        room = 31 * n
        stride = round(0.618 * room)
        while gcd(stride, room) > 1:
            stride += 1
        coded = ldpc_code(248, room, 1, 2).encode(bits)[np.arange(room) * stride % room]
        signs = 1.0 - 2.0 * gold_sequence(38211, room)
    data = np.concatenate([signs * (1.0 - 2.0 * coded), np.ones(PAYLOAD_ROWS * n)]).reshape(-1, n)
    bins = np.zeros((2 + len(data), WAVEFORM.fft_len), complex)
    bins[:2] = WAVEFORM.preamble_bins
    bins[2:, WAVEFORM.data_bins] = data
    bins[2:, WAVEFORM.pilot_bins] = WAVEFORM.pilots(len(data))
    return add_prefix(bins, WAVEFORM)


def on_air(parts: list[np.ndarray], snr_db: float) -> np.ndarray:
    samples = shift_carrier(np.concatenate(parts), 0.7 / WAVEFORM.fft_len, 1.0)
    return add_noise(samples, noise_voltage(snr_db, WAVEFORM), np.random.default_rng(2))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("chunk", [500, 100_000])
def test_old_frames_are_named_and_the_next_frame_is_received(version: int, chunk: int) -> None:
    new = modulate_frame(FrameHeader(PayloadKind.ANALOG, 100, 7), np.ones(100), WAVEFORM)
    samples = on_air([np.zeros(500), old_frame(version), np.zeros(600), new, np.zeros(4000)], 12.0)
    receiver, frames = BurstReceiver(WAVEFORM), []
    for start in range(0, len(samples), chunk):
        frames += receiver.push(samples[start : start + chunk])
    frames += receiver.flush()
    assert [f.header.message_id for f in frames] == [7]
    assert receiver.counters["old_version"] == 1
    (fault,) = [f for f in receiver.take_faults() if f.strong]
    assert fault.kind == "old_version" and f"frame of version {version}" in fault.reason
    assert abs(fault.sample - 500) < 5
