"""Preamble and header sent several times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from m4sc.phy.air_time import frame_samples, header_ofdm_symbols
from m4sc.phy.channel.impairments import add_noise, resample, shift_carrier
from m4sc.phy.frame import modulate_frame
from m4sc.phy.gr_digital.demodulator import packet_receiver
from m4sc.phy.gr_digital.packet import PacketFormat, modulate_packet
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.receiver import BurstReceiver, ReceivedFrame
from m4sc.phy.snr import noise_voltage
from m4sc.phy.sync.detector import match_threshold
from m4sc.phy.sync.preamble_bank import preamble
from m4sc.phy.waveform import WaveformConfig

PLAIN = WaveformConfig()
REPEATED = replace(PLAIN, preamble_repeats=3, header_repeats=3)


def stream(
    waveform: WaveformConfig, count: int, snr_db: float, cfo: float, gap: int = 700, sfo_ppm: float = 0.0
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Samples of frames in noise, and their symbols; every second frame follows back to back."""
    rng = np.random.default_rng(8)
    sent = [rng.standard_normal((96, 2)) @ np.array([1, 1j]) / np.sqrt(2) for _ in range(count)]
    parts = [np.zeros(gap)]
    for number, symbols in enumerate(sent):
        parts.append(modulate_frame(FrameHeader(PayloadKind.ANALOG, 96, number), symbols, waveform))
        parts.append(np.zeros(number % 2 * int(rng.integers(gap))))
    samples = np.concatenate([*parts, np.zeros(gap)])
    samples = resample(samples, sfo_ppm) if sfo_ppm else samples
    samples = shift_carrier(samples, cfo / waveform.fft_len, 1.0)
    return add_noise(samples, noise_voltage(snr_db, waveform), rng).astype(np.complex64), sent


def receive(
    samples: np.ndarray, chunk: int, waveform: WaveformConfig
) -> tuple[list[ReceivedFrame], BurstReceiver]:
    receiver, frames = BurstReceiver(waveform), []
    for start in range(0, len(samples), chunk):
        frames += receiver.push(samples[start : start + chunk])
    return frames + receiver.flush(), receiver


@pytest.mark.parametrize("cfo", [-1.4, 0.37, 2.5])
def test_frames_arrive_at_minus_8_db_where_the_plain_waveform_loses_most(cfo: float) -> None:
    samples, _ = stream(REPEATED, 30, -8.0, cfo)
    frames, _ = receive(samples, len(samples), REPEATED)
    assert [f.header.sequence for f in frames] == list(range(30))
    samples, _ = stream(PLAIN, 30, -8.0, cfo)
    assert len(receive(samples, len(samples), PLAIN)[0]) < 15


def test_a_clock_that_is_off_loses_no_frame_at_minus_8_db() -> None:
    samples, _ = stream(REPEATED, 20, -8.0, 0.3, sfo_ppm=20.0)
    assert len(receive(samples, len(samples), REPEATED)[0]) == 20


@pytest.mark.parametrize("repeats", [2, 3, 4, 5, 7])
def test_symbols_offset_and_noise_are_right_with_any_number_of_repetitions(repeats: int) -> None:
    waveform = replace(PLAIN, preamble_repeats=repeats)
    samples, sent = stream(waveform, 8, 25.0, 1.23)
    frames, receiver = receive(samples, 5000, waveform)
    assert [f.header.sequence for f in frames] == list(range(8))
    assert not any(fault.strong for fault in receiver.take_faults())  # noise alone may look like a preamble
    errors = [np.mean(np.abs(f.symbols - s) ** 2 / f.noise_var) for f, s in zip(frames, sent, strict=True)]
    assert abs(10 * np.log10(np.mean(errors))) < 1.0
    assert np.mean([f.cfo_hz for f in frames]) == pytest.approx(1.23e6 / 64, abs=30)
    assert [frames[0].start_sample, frames[1].start_sample] == pytest.approx(
        [700, 700 + frame_samples(96, waveform)], abs=1
    )


@pytest.mark.parametrize("snr_db", [20.0, -8.0])
@pytest.mark.parametrize("chunk", [61, 4096])
def test_result_is_the_same_to_the_bit_in_any_chunks(snr_db: float, chunk: int) -> None:
    samples, _ = stream(REPEATED, 8, snr_db, 0.4)
    one, whole = receive(samples, len(samples), REPEATED)
    many, parts = receive(samples, chunk, REPEATED)
    assert len(one) == 8 and whole.counters == parts.counters
    for a, b in zip(one, many, strict=True):
        assert (a.header, a.start_sample, a.cfo_hz) == (b.header, b.start_sample, b.cfo_hz)
        assert np.array_equal(a.symbols, b.symbols) and np.array_equal(a.noise_var, b.noise_var)


@pytest.mark.parametrize(("ours", "theirs"), [(PLAIN, REPEATED), (REPEATED, PLAIN)])
def test_unequal_repetitions_lose_the_frames_and_say_so(ours: WaveformConfig, theirs: WaveformConfig) -> None:
    samples, _ = stream(ours, 6, 20.0, 0.2)
    frames, receiver = receive(samples, 5000, theirs)
    assert not frames and receiver.counters["header_errors"] > 0


def test_a_frame_cut_off_costs_one_fault_and_not_the_next_frame() -> None:
    samples, _ = stream(REPEATED, 1, 20.0, 0.2)
    cut = np.concatenate([samples[: 700 + 3000], samples])
    frames, receiver = receive(cut, 1000, REPEATED)
    assert len(frames) == 1
    assert sum(fault.strong for fault in receiver.take_faults()) == 1


def test_a_preamble_a_repetition_off_is_the_weaker_one() -> None:
    known = preamble(REPEATED)
    part = len(known) // 3
    for count in (1, 2):
        product = abs(np.vdot(known[: -count * part], known[count * part :]))
        assert product <= 0.34 * np.vdot(known, known).real


def test_threshold_keeps_the_rate_of_false_alarms() -> None:
    # exp(-threshold * length) passes at each of `repeats` times as many offsets.
    rates = [
        w.preamble_repeats * np.exp(-match_threshold(w) * w.preamble_symbols * w.symbol_len)
        for w in (PLAIN, REPEATED)
    ]
    assert match_threshold(PLAIN) == 0.08 and rates[1] == pytest.approx(rates[0])


def test_packets_take_repeated_preambles_too() -> None:
    waveform, how = replace(PLAIN, preamble_repeats=2), PacketFormat(1, True)
    samples = np.concatenate(
        [np.zeros(300), modulate_packet(b"sixteen bytes!!!", 5, waveform, how), np.zeros(900)]
    )
    samples = add_noise(samples, noise_voltage(20.0, waveform), np.random.default_rng(1))
    receiver = packet_receiver(waveform, how)
    packets = receiver.push(samples.astype(np.complex64)) + receiver.flush()
    assert [(p.payload, p.valid) for p in packets] == [(b"sixteen bytes!!!", True)]


def test_lengths_json_and_bad_values() -> None:
    assert header_ofdm_symbols(PLAIN) == 31 and header_ofdm_symbols(REPEATED) == 93
    assert frame_samples(128, REPEATED) - frame_samples(128, PLAIN) == 66 * PLAIN.symbol_len
    assert WaveformConfig.from_json(REPEATED.to_json()) == REPEATED
    for wrong in (
        {"preamble_repeats": 0},
        {"preamble_repeats": 6},
        {"header_repeats": 0},
        {"header_repeats": 9},
    ):
        with pytest.raises(ValueError, match="repeats"):
            replace(PLAIN, **wrong)
