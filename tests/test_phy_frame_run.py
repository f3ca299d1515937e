"""Frames in one compiled loop: what it finds is what the calls one by one find."""

from __future__ import annotations

import numpy as np
import pytest
from m4sc.phy.channel.impairments import add_noise, shift_carrier
from m4sc.phy.demodulator import FrameDemodulator
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import MESSAGE_BYTES, FrameHeader, PayloadKind
from m4sc.phy.header.protection import PROTECTIONS
from m4sc.phy.modulation.digital import encode_transport, n_symbols
from m4sc.phy.preamble_demodulator import Run
from m4sc.phy.receiver import BurstReceiver, ReceivedFrame
from m4sc.phy.snr import noise_voltage
from m4sc.phy.sync.detector import BurstSearch, Search
from m4sc.phy.waveform import WaveformConfig

PLAIN = WaveformConfig()
Received = tuple[list[ReceivedFrame], dict[str, int]]


class OneByOne(FrameDemodulator):
    """Without the loop."""

    def run(self, samples: np.ndarray, search: Search, finder: BurstSearch, origin: int) -> Run | None:
        return None


class Counting(FrameDemodulator):
    """Counts the loop's frames."""

    looped = 0

    def run(self, samples: np.ndarray, search: Search, finder: BurstSearch, origin: int) -> Run | None:
        found = super().run(samples, search, finder, origin)
        self.looped += len(found.frames) if found is not None else 0
        return found


def stream(count: int, snr_db: float) -> np.ndarray:
    """Frames of all protections, kinds and many lengths; some with message fields, one cut off."""
    rng, parts = np.random.default_rng(3), [np.zeros(700)]
    for number in range(count):
        protection, kind = PROTECTIONS[number % 7 // 3], number % 3
        length, fields = int(rng.integers(1, 900)), number % 4 == 1
        if kind == 2:
            length = n_symbols(40, 3)
            symbols = encode_transport(rng.bytes(40), 3)
            header = FrameHeader(
                PayloadKind.DIGITAL, length, number, mcs=3, payload_bytes=40, announced=fields
            )
        else:
            symbols = rng.standard_normal((length, 2)) @ np.array([1, 1j]) / np.sqrt(2)
            header = FrameHeader(PayloadKind(kind), length, number, mcs=6, announced=fields)
        message = bytes(range(MESSAGE_BYTES)) if fields else b""
        burst = modulate_frame(header, symbols, PLAIN, protection, message)
        parts.append(burst[: len(burst) // 2] if number == 9 else burst)
        parts.append(np.zeros(number % 2 * int(rng.integers(600))))
    samples = shift_carrier(np.concatenate([*parts, np.zeros(900)]), 0.37 / PLAIN.fft_len, 1.0)
    return add_noise(samples, noise_voltage(snr_db, PLAIN), rng).astype(np.complex64)


def receive(
    demodulator: FrameDemodulator, samples: np.ndarray, chunk: int
) -> tuple[list[ReceivedFrame], dict]:
    receiver = BurstReceiver(PLAIN, demodulator)
    frames = [f for i in range(0, len(samples), chunk) for f in receiver.push(samples[i : i + chunk])]
    return frames + receiver.flush(), dict(receiver.counters)


@pytest.mark.parametrize("snr_db", [25.0, 9.0])
@pytest.mark.parametrize("chunk", [311, 8192, 1 << 20])
def test_the_loop_finds_what_calls_one_by_one_find(snr_db: float, chunk: int) -> None:
    samples, counting = stream(60, snr_db), Counting(PLAIN)
    expected, counters = receive(OneByOne(PLAIN), samples, len(samples))
    found, own = receive(counting, samples, chunk)
    assert own == counters and counters["frames"] == len(expected) == 59
    assert counting.looped > (20 if chunk > 1000 and snr_db > 20 else 0)
    for a, b in zip(found, expected, strict=True):
        assert a.header == b.header and a.message == b.message and a.protection is b.protection
        assert (a.start_sample, a.cfo_hz, a.snr_db, a.sfo_ppm, a.tail) == (
            b.start_sample, b.cfo_hz, b.snr_db, b.sfo_ppm, b.tail,
        )  # fmt: skip
        assert np.array_equal(a.symbols, b.symbols) and np.array_equal(a.noise_var, b.noise_var)
        assert np.array_equal(a.h_hat, b.h_hat)


def test_the_way_of_all_waveforms_finds_the_same_frames() -> None:
    samples, general = stream(30, 25.0), OneByOne(PLAIN)
    general._tables = None  # as of a waveform that the loop cannot receive
    found, expected = receive(general, samples, 8192), receive(FrameDemodulator(PLAIN), samples, 8192)
    assert found[1] == expected[1]
    for a, b in zip(found[0], expected[0], strict=True):
        assert a.header == b.header and np.allclose(a.symbols, b.symbols, atol=1e-4)


def test_a_frame_of_the_loop_holds_no_more_memory_than_its_own() -> None:
    found, _ = receive(FrameDemodulator(PLAIN), stream(20, 25.0), 1 << 20)
    for frame in found:
        for values in (frame.symbols, frame.noise_var, frame.h_hat):
            assert not isinstance(values.base, np.ndarray) or values.base.nbytes < 16_000


def test_a_waveform_without_pilots_goes_its_own_way() -> None:
    plan = WaveformConfig(pilot_carriers=(), pilot_symbols=((),))
    samples = np.zeros(4000, np.complex64)
    assert FrameDemodulator(plan).run(samples, Search(0), BurstSearch(plan, (2, 3)), 0) is None
