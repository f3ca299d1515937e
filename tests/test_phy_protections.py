"""Frames of every protection: preambles sent several times, headers of several lengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from m4sc.phy.air_time import air_time_s, frame_samples, header_ofdm_symbols, message_ofdm_symbols
from m4sc.phy.channel.impairments import add_noise, resample, shift_carrier
from m4sc.phy.frame import modulate_frame
from m4sc.phy.gr_digital.demodulator import packet_receiver
from m4sc.phy.gr_digital.packet import PacketFormat, modulate_packet
from m4sc.phy.header.fields import MESSAGE_BYTES, FrameHeader, PayloadKind
from m4sc.phy.header.protection import NORMAL, PROTECTIONS, Protection, get_protection, protection_for
from m4sc.phy.receiver import BurstReceiver, ReceivedFrame
from m4sc.phy.snr import noise_voltage
from m4sc.phy.sync.detector import BurstSearch, Search, match_threshold
from m4sc.phy.sync.preamble_bank import preamble
from m4sc.phy.waveform import WaveformConfig

PLAIN = WaveformConfig()
REPEATED = replace(PLAIN, preamble_repeats=3)
LIGHT, _, STRONG, STRONGEST = PROTECTIONS


def stream(
    protections: list[Protection], snr_db: float, cfo: float, gap: int = 700, sfo_ppm: float = 0.0
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Samples of frames in noise, and their symbols; every second frame follows back to back."""
    rng = np.random.default_rng(8)
    sent = [rng.standard_normal((96, 2)) @ np.array([1, 1j]) / np.sqrt(2) for _ in protections]
    parts = [np.zeros(gap)]
    for number, (symbols, protection) in enumerate(zip(sent, protections, strict=True)):
        header = FrameHeader(PayloadKind.ANALOG, 96, number)
        parts.append(modulate_frame(header, symbols, PLAIN, protection))
        parts.append(np.zeros(number % 2 * int(rng.integers(gap))))
    samples = np.concatenate([*parts, np.zeros(gap)])
    samples = resample(samples, sfo_ppm) if sfo_ppm else samples
    samples = shift_carrier(samples, cfo / PLAIN.fft_len, 1.0)
    return add_noise(samples, noise_voltage(snr_db, PLAIN), rng).astype(np.complex64), sent


def receive(samples: np.ndarray, chunk: int) -> tuple[list[ReceivedFrame], BurstReceiver]:
    receiver, frames = BurstReceiver(PLAIN), []
    for start in range(0, len(samples), chunk):
        frames += receiver.push(samples[start : start + chunk])
    return frames + receiver.flush(), receiver


@pytest.mark.parametrize("cfo", [-1.4, 0.37, 2.5])
def test_frames_arrive_at_minus_8_db_and_with_the_normal_protection_few_at_minus_9(cfo: float) -> None:
    samples, _ = stream([STRONGEST] * 30, -8.0, cfo)
    frames, _ = receive(samples, len(samples))
    assert [f.header.message_id for f in frames] == list(range(30))
    samples, _ = stream([NORMAL] * 30, -9.0, cfo)
    assert len(receive(samples, len(samples))[0]) < 15


def test_a_clock_that_is_off_loses_no_frame_at_minus_8_db() -> None:
    samples, _ = stream([STRONGEST] * 20, -8.0, 0.3, sfo_ppm=20.0)
    assert len(receive(samples, len(samples))[0]) == 20


@pytest.mark.parametrize("snr_db", [25.0, 5.0])
def test_a_receiver_sees_each_frames_protection(snr_db: float) -> None:
    order = [PROTECTIONS[int(i)] for i in np.random.default_rng(1).integers(0, 4, 40)]
    samples, sent = stream(order, snr_db, 1.23)
    frames, receiver = receive(samples, 5000)
    assert [(f.header.message_id, f.protection) for f in frames] == list(enumerate(order))
    assert not any(fault.strong for fault in receiver.take_faults())  # noise alone may look like a preamble
    errors = [np.mean(np.abs(f.symbols - s) ** 2 / f.noise_var) for f, s in zip(frames, sent, strict=True)]
    assert abs(10 * np.log10(np.mean(errors))) < 1.0
    assert np.mean([f.cfo_hz for f in frames]) == pytest.approx(1.23e6 / 64, abs=30 if snr_db > 20 else 250)
    assert [frames[0].start_sample, frames[1].start_sample] == pytest.approx(
        [700, 700 + frame_samples(96, PLAIN, order[0])], abs=1
    )


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_each_protection_holds_where_it_says_so(protection: Protection) -> None:
    samples, _ = stream([protection] * 40, protection.snr_db + 0.5, -0.8)
    assert len(receive(samples, len(samples))[0]) >= 39
    samples, _ = stream([protection] * 20, protection.snr_db - 8.0, -0.8)
    assert len(receive(samples, len(samples))[0]) < 10


@pytest.mark.parametrize("count", [2, 3])
def test_the_offset_of_repeated_preambles_is_that_of_the_strongest_path(count: int) -> None:
    known = preamble(replace(PLAIN, preamble_repeats=count))
    for early in (6, 9, 12):  # the window moves towards the weak path, where next to nothing correlates
        samples = np.zeros(3000, complex)
        samples[300 : 300 + len(known)] += 0.25 * known
        samples[300 + early : 300 + early + len(known)] += known
        samples = shift_carrier(samples, 0.4 / PLAIN.fft_len, 1.0).astype(np.complex64)
        burst, _ = BurstSearch(PLAIN, (2, 3)).find(samples, Search(0))
        assert burst is not None and burst.repeats == count and 300 <= burst.start <= 300 + early
        assert burst.cfo * PLAIN.fft_len == pytest.approx(0.4, abs=0.03)


def test_at_middle_snr_no_frame_of_two_preambles_is_lost() -> None:
    for snr_db in (10.0, 5.0):  # where noise on the preamble's side lobes now and then looks like a path
        samples, _ = stream([STRONG] * 150, snr_db, 0.37)
        assert len(receive(samples, len(samples))[0]) == 150


def test_a_sender_takes_the_shortest_protection_that_holds() -> None:
    assert [protection_for(snr).index for snr in (30.0, 3.0, 2.9, -6.4, -9.4, -30.0)] == [0, 0, 1, 2, 3, 3]
    assert protection_for(4.0, margin_db=2.0) is NORMAL and get_protection(2) is STRONG
    times = [air_time_s(128, PLAIN, p) for p in PROTECTIONS]
    assert (
        times == sorted(times) and [times[0] <= 0.8e-3, times[2] <= 1.8e-3, times[3] <= 3.2e-3] == [True] * 3
    )
    with pytest.raises(ValueError, match="no protection 4"):
        get_protection(4)


@pytest.mark.parametrize("snr_db", [20.0, -8.0])
@pytest.mark.parametrize("chunk", [61, 4096])
def test_result_is_the_same_to_the_bit_in_any_chunks(snr_db: float, chunk: int) -> None:
    samples, _ = stream([STRONGEST, STRONG] * 4, snr_db, 0.4)
    one, whole = receive(samples, len(samples))
    many, parts = receive(samples, chunk)
    assert len(one) == 8 if snr_db > 0 else len(one) >= 4
    assert whole.counters == parts.counters
    for a, b in zip(one, many, strict=True):
        assert (a.header, a.start_sample, a.cfo_hz) == (b.header, b.start_sample, b.cfo_hz)
        assert np.array_equal(a.symbols, b.symbols) and np.array_equal(a.noise_var, b.noise_var)


def test_a_frame_cut_off_costs_one_fault_and_not_the_next_frame() -> None:
    samples, _ = stream([STRONGEST], 20.0, 0.2)
    cut = np.concatenate([samples[: 700 + 2000], samples[600:]])
    frames, receiver = receive(cut, 1000)
    assert len(frames) == 1
    assert sum(fault.strong for fault in receiver.take_faults()) == 1


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_message_fields_come_with_the_frame_that_announces_them(protection: Protection) -> None:
    rng, fields = np.random.default_rng(4), bytes(range(MESSAGE_BYTES))
    header = FrameHeader(PayloadKind.ANALOG, 70, announced=True)
    burst = modulate_frame(header, np.ones(70), PLAIN, protection, fields)
    assert len(burst) == frame_samples(70, PLAIN, protection, announced=True)
    assert len(burst) - frame_samples(70, PLAIN, protection) == 80 * message_ofdm_symbols(PLAIN, protection)
    samples = np.concatenate([np.zeros(500), burst, np.zeros(900)])
    (frame,), _ = receive(add_noise(samples, noise_voltage(10.0, PLAIN), rng), 4096)
    assert frame.message == fields and len(frame.symbols) == len(frame.noise_var) == 70
    assert np.mean(np.abs(frame.symbols - 1.0) ** 2) < 0.2
    with pytest.raises(ValueError, match="announces"):
        modulate_frame(header, np.ones(70), PLAIN, protection)


@pytest.mark.parametrize("data", [42, 200])
def test_other_plans_of_carriers_have_headers_of_other_lengths(data: int) -> None:
    carriers = tuple(c for c in range(-data // 2 - 1, data // 2 + 2) if c)[:data]
    fft_len = 64 if data < 60 else 256
    signs = np.random.default_rng(6).choice([-1.0, 1.0], (2, fft_len))
    used = np.isin(np.arange(fft_len) - fft_len // 2, carriers)
    even = used & (np.arange(fft_len) % 2 == 0)
    plan = WaveformConfig(
        fft_len=fft_len, cp_len=fft_len // 4, occupied_carriers=carriers, pilot_carriers=(),
        pilot_symbols=((),), sync_word1=tuple(signs[0] * even * 2**0.5), sync_word2=tuple(signs[1] * used),
    )  # fmt: skip
    assert header_ofdm_symbols(plan, LIGHT) == -(-LIGHT.coded_bits // (2 * data))
    for protection in PROTECTIONS:
        burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, 300, 9), np.ones(300), plan, protection)
        samples = np.concatenate([np.zeros(900), burst, np.zeros(6000)])
        receiver = BurstReceiver(plan)
        samples = add_noise(samples, noise_voltage(20.0, plan), np.random.default_rng(1))
        frames = receiver.push(samples.astype(np.complex64)) + receiver.flush()
        assert [(f.header.message_id, f.protection) for f in frames] == [(9, protection)]


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
    assert [header_ofdm_symbols(PLAIN, p) for p in PROTECTIONS] == [3, 12, 15, 31]
    assert frame_samples(128, PLAIN, STRONGEST) - frame_samples(128, PLAIN) == (4 + 19) * PLAIN.symbol_len
    assert WaveformConfig.from_json(REPEATED.to_json()) == REPEATED
    for wrong in (0, 6):
        with pytest.raises(ValueError, match="preamble_repeats"):
            replace(PLAIN, preamble_repeats=wrong)
