from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.air_time import air_time_s, frame_samples, header_ofdm_symbols
from m4sc.phy.frame import add_prefix, modulate_frame
from m4sc.phy.header.code import header_code
from m4sc.phy.header.fields import HEADER_BYTES, FrameHeader, HeaderError, PayloadKind
from m4sc.phy.header.gold import gold_sequence
from m4sc.phy.header.protection import NORMAL
from m4sc.phy.modulation.digital import n_symbols
from m4sc.phy.modulation.mapping import latents_to_symbols, round_to_grid, symbols_to_latents
from m4sc.phy.receiver import BurstReceiver, ReceivedFrame
from m4sc.phy.sample_buffer import SampleBuffer
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

WAVEFORM = WaveformConfig()


def gaussian(n: int, rng: np.random.Generator) -> np.ndarray:
    return (rng.standard_normal(n) + 1j * rng.standard_normal(n)) / np.sqrt(2)


def stream(
    rng: np.random.Generator, frames: int, snr_db: float, cfo: float = 0.0, taps: tuple[complex, ...] = (1,)
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Frames with random sizes and gaps (some none); cfo in subcarriers."""
    parts, sent = [], []
    for number in range(frames):
        sent.append(gaussian(int(rng.integers(1, 700)), rng))
        header = FrameHeader(PayloadKind.ANALOG, len(sent[-1]), number)
        gap = int(rng.integers(0, 400)) * int(rng.integers(2))
        parts += [np.zeros(gap), modulate_frame(header, sent[-1], WAVEFORM)]
    samples = np.convolve(np.concatenate([*parts, np.zeros(100)]), taps)
    samples = samples * np.exp(2j * np.pi * cfo / WAVEFORM.fft_len * np.arange(len(samples)) + 0.7j)
    return samples + noise_voltage(snr_db, WAVEFORM) * gaussian(len(samples), rng), sent


def receive(samples: np.ndarray, chunk: int) -> tuple[list[ReceivedFrame], BurstReceiver]:
    receiver = BurstReceiver(WAVEFORM)
    frames = [f for i in range(0, len(samples), chunk) for f in receiver.push(samples[i : i + chunk])]
    return frames + receiver.flush(), receiver


@settings(max_examples=50)
@given(
    n=st.integers(1, 2**15 - 1),
    kind=st.sampled_from((PayloadKind.ANALOG, PayloadKind.QAM)),
    message=st.integers(0, 65535),
    small=st.integers(0, 255),
    mcs=st.integers(0, 15),
    flag=st.booleans(),
)
def test_header_round_trip(n: int, kind: PayloadKind, message: int, small: int, mcs: int, flag: bool) -> None:
    header = FrameHeader(kind, n, message, small, small, 256, mcs, 0, flag, not flag, True)
    assert len(header.pack()) == HEADER_BYTES
    assert FrameHeader.unpack(header.pack()) == header
    alone = FrameHeader(kind, n, message, small, mcs=mcs, interleaved=flag, tag=message << 5 | small >> 3)
    assert FrameHeader.unpack(alone.pack()) == alone


@given(n_bytes=st.integers(1, 18_000), mcs=st.integers(0, 11))
def test_a_digital_header_says_bytes_and_so_symbols(n_bytes: int, mcs: int) -> None:
    header = FrameHeader(PayloadKind.DIGITAL, n_symbols(n_bytes, mcs), mcs=mcs, payload_bytes=n_bytes)
    assert FrameHeader.unpack(header.pack()) == header
    with pytest.raises(ValueError, match="do not take"):
        header._replace(n_symbols=header.n_symbols + 1).pack()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(HEADER_BYTES), "version 0 is not 3"),
        (bytes(3), "9 bytes"),
        (bytes.fromhex("71e002000000000000"), "scheme 15"),
        (bytes.fromhex("60100120000000e0c0"), "segment 7 of 7"),
    ],
)
def test_headers_that_contradict_themselves_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(HeaderError, match=reason):
        FrameHeader.unpack(data)


@pytest.mark.parametrize(
    "field", [{"message_id": 1 << 16}, {"source_id": 256}, {"n_segments": 257}, {"mcs": 16}, {"segment": 1}]
)
def test_header_field_too_wide_is_refused(field: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"does not fit|is none of"):
        FrameHeader(PayloadKind.ANALOG, 1)._replace(**field).pack()


@pytest.mark.parametrize("chunk", [97, 5000, 10**6])
@pytest.mark.parametrize(("cfo", "taps"), [(0.3, (1,)), (-1.5, (0.8, 0, 0.5j, 0, 0, 0.3))])
def test_every_frame_once_in_order_with_true_noise_variance(
    chunk: int, cfo: float, taps: tuple[complex, ...]
) -> None:
    samples, sent = stream(np.random.default_rng(5), 15, 15.0, cfo, taps)
    frames, receiver = receive(37.0 * samples, chunk)
    assert [f.header.message_id for f in frames] == list(range(15))
    assert receiver.counters["header_errors"] == 0
    errors = [np.mean(np.abs(f.symbols - s) ** 2 / f.noise_var) for f, s in zip(frames, sent, strict=True)]
    assert abs(10 * np.log10(np.mean(errors))) < 1.0
    assert np.mean([f.cfo_hz for f in frames]) == pytest.approx(cfo * 1e6 / 64, abs=200)


@pytest.mark.parametrize("snr_db", [12.0, 0.0, -4.0])
@pytest.mark.parametrize("chunk", [61, 777, 4096, 30_011])
def test_result_is_the_same_to_the_bit_in_any_chunks(snr_db: float, chunk: int) -> None:
    samples, _ = stream(np.random.default_rng(6), 25, snr_db, 0.4)
    one, whole = receive(samples, len(samples))
    many, parts = receive(samples, chunk)
    assert len(one) == 25 if snr_db >= 0 else len(one) > 12
    assert whole.counters == parts.counters and whole.take_faults() == parts.take_faults()
    assert [(f.header, f.start_sample) for f in one] == [(f.header, f.start_sample) for f in many]
    for a, b in zip(one, many, strict=True):
        assert np.array_equal(a.symbols, b.symbols) and np.array_equal(a.noise_var, b.noise_var)
        assert (a.cfo_hz, a.sfo_ppm, a.snr_db) == (b.cfo_hz, b.sfo_ppm, b.snr_db)


@pytest.mark.parametrize(("cut", "gap"), [(2000, 0), (2000, 333), (3000, 0), (3000, 333), (4500, 0)])
def test_a_cut_frame_is_counted_and_the_next_received(cut: int, gap: int) -> None:
    rng = np.random.default_rng(17)
    payloads = [gaussian(2600, rng), gaussian(300, rng)]
    first, second = (
        modulate_frame(FrameHeader(PayloadKind.ANALOG, len(p), i), p, WAVEFORM)
        for i, p in enumerate(payloads)
    )
    samples = np.concatenate([first[:cut], np.zeros(gap), second, np.zeros(6000)])
    frames, receiver = receive(samples + noise_voltage(12.0, WAVEFORM) * gaussian(len(samples), rng), 1000)
    assert [f.header.message_id for f in frames] == [1]
    assert sum(f.kind in ("truncated", "header_errors") for f in receiver.take_faults() if f.strong) == 1


@pytest.mark.parametrize("frequency", [0.0, 0.013, 3 / 64])
def test_a_carrier_gives_no_frame(frequency: float) -> None:
    samples = np.exp(2j * np.pi * frequency * np.arange(200_000))
    frames, receiver = receive(samples, 30_000)
    assert not frames and receiver.counters["header_errors"] == 0


def test_gold_sequence_is_that_of_its_two_registers() -> None:
    x1, x2, found = 1, 38211, []
    for n in range(1600 + 500):
        if n >= 1600:
            found.append((x1 ^ x2) & 1)
        x1 = (x1 >> 1) | (((x1 >> 3) ^ x1) & 1) << 30
        x2 = (x2 >> 1) | (((x2 >> 3) ^ (x2 >> 2) ^ (x2 >> 1) ^ x2) & 1) << 30
    assert gold_sequence(38211, 500).tolist() == found


def test_200_frames_at_10_db_lose_none() -> None:
    samples, _ = stream(np.random.default_rng(7), 200, 10.0, 0.7)
    frames, _ = receive(samples, 20_000)
    assert [f.header.message_id for f in frames] == list(range(200))


@pytest.mark.parametrize("level", [1e-4, 1.0, 1e4])
def test_noise_alone_gives_no_frame(level: float) -> None:
    frames, receiver = receive(level * gaussian(300_000, np.random.default_rng(8)), 50_000)
    assert not frames and receiver.counters["frames"] == 0


def test_cut_stream_is_counted_and_broken_samples_do_not_stop_it() -> None:
    samples, _ = stream(np.random.default_rng(9), 3, 30.0)
    samples[200] = np.nan
    frames, receiver = receive(np.concatenate([samples, samples[:0]]), 4000)
    assert receiver.counters["non_finite"] == 1 and len(frames) >= 2
    whole = modulate_frame(FrameHeader(PayloadKind.ANALOG, 1500), np.ones(1500), WAVEFORM)
    frames, receiver = receive(whole[:3000], 1000)
    assert not frames and receiver.counters["truncated"] == 1


def test_a_length_above_the_limit_is_refused_at_both_ends() -> None:
    with pytest.raises(ValueError, match="segments"):
        modulate_frame(FrameHeader(PayloadKind.ANALOG, 30_000), np.ones(30_000), WAVEFORM)
    loose = WaveformConfig(max_payload_symbols=50_000)
    samples = modulate_frame(FrameHeader(PayloadKind.ANALOG, 30_000), np.ones(30_000), loose)
    frames, receiver = receive(samples, 10_000)
    assert not frames and receiver.counters["too_long"] == 1


def noisy(parts: list[np.ndarray], snr_db: float = 25.0, seed: int = 21) -> np.ndarray:
    samples = np.concatenate(parts)
    return samples + noise_voltage(snr_db, WAVEFORM) * gaussian(len(samples), np.random.default_rng(seed))


def frame_of(n: int, sequence: int, waveform: WaveformConfig = WAVEFORM) -> np.ndarray:
    return modulate_frame(FrameHeader(PayloadKind.ANALOG, n, sequence), np.ones(n), waveform)


def with_length(samples: np.ndarray, n_symbols: int) -> np.ndarray:
    """The frame with a valid header that promises another length."""
    head = header_code(WAVEFORM, NORMAL).encode(FrameHeader(PayloadKind.ANALOG, n_symbols).pack())
    rows = header_ofdm_symbols(WAVEFORM)
    bins = np.zeros((rows, WAVEFORM.fft_len), np.complex64)
    bins[:, WAVEFORM.data_bins] = head.reshape(rows, -1)
    bins[:, WAVEFORM.pilot_bins] = WAVEFORM.pilots(rows)
    changed = samples.copy()
    changed[2 * WAVEFORM.symbol_len :][: rows * WAVEFORM.symbol_len] = add_prefix(bins, WAVEFORM)
    return changed


@pytest.mark.parametrize("n_symbols", [0, 20_001, 2**15 - 1])
def test_a_length_of_zero_or_above_the_limit_costs_that_frame_alone(n_symbols: int) -> None:
    wrong = with_length(frame_of(100, 0), n_symbols)
    frames, receiver = receive(noisy([wrong, np.zeros(50), frame_of(40, 1), np.zeros(3000)]), 1000)
    assert [f.header.message_id for f in frames] == [1] and receiver.counters["too_long"] == 1
    (fault,) = [f for f in receiver.take_faults() if f.kind == "too_long"]
    assert fault.strong and fault.sample < 20 and f"promises {n_symbols} symbols" in fault.reason


@pytest.mark.parametrize("follows", ["nothing", "a frame"])
def test_a_header_that_promises_more_than_follows(follows: str) -> None:
    wrong = with_length(frame_of(100, 0), 5000)
    rest = [frame_of(300, 1)] if follows == "a frame" else []
    frames, receiver = receive(noisy([wrong, np.zeros(200), *rest, np.zeros(12_000 * len(rest))]), 4096)
    assert [f.header.message_id for f in frames] == ([1] if rest else [])
    assert receiver.counters["truncated"] == 1
    assert [f.kind for f in receiver.take_faults() if f.strong] == ["truncated"]


@pytest.mark.parametrize("missing", [100, 320, 1000])
def test_a_stream_that_ends_inside_a_frame_gives_no_frame(missing: int) -> None:
    frames, receiver = receive(noisy([frame_of(800, 0)])[:-missing], 1000)
    assert not frames and receiver.counters["truncated"] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, complex(0, -np.inf)])
@pytest.mark.parametrize("where", ["gap", "preamble", "header", "payload"])
def test_broken_samples_cost_no_more_than_their_frame(bad: complex, where: str) -> None:
    first = noisy([np.zeros(500), frame_of(200, 0), np.zeros(700)])
    place = {"gap": 10, "preamble": 560, "header": 800, "payload": 500 + 14 * 80 + 90}[where]
    first[place : place + 10] = bad
    samples = np.concatenate([first, noisy([frame_of(50, 1), np.zeros(3000)])])
    frames, receiver = receive(samples, 2000)
    assert [f.header.message_id for f in frames][-1] == 1 and receiver.counters["non_finite"] == 10
    assert all(np.isfinite(f.symbols).all() and np.isfinite(f.noise_var).all() for f in frames)
    assert sum(f.kind == "non_finite" for f in receiver.take_faults()) == 1


def test_a_transmitter_of_another_waveform_is_named_and_ours_still_received() -> None:
    other = replace(WAVEFORM, occupied_carriers=WAVEFORM.occupied_carriers[::-1])
    samples = noisy([frame_of(100, 0, other), np.zeros(400), frame_of(100, 1), np.zeros(3000)])
    frames, receiver = receive(samples, 5000)
    assert [f.header.message_id for f in frames] == [1] and receiver.counters["header_errors"] >= 1
    assert any(f.strong and "same waveform" in f.reason for f in receiver.take_faults())


def test_samples_of_more_than_one_dimension_are_refused_and_faults_do_not_pile_up() -> None:
    receiver = BurstReceiver(WAVEFORM)
    with pytest.raises(ValueError, match="one dimension"):
        receiver.push(np.zeros((2, 5)))
    for _ in range(1500):
        receiver.push(np.array([np.nan]))
        receiver.push(np.zeros(1))
    assert len(receiver.take_faults()) == 1000 and receiver.counters["non_finite"] == 1500


@given(sizes=st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 40_000)), max_size=30))
def test_sample_buffer_is_a_queue(sizes: list[tuple[int, int]]) -> None:
    buffer, model, count = SampleBuffer(), np.zeros(0, np.complex64), 0
    for more, less in sizes:
        new = np.arange(count, count + more).astype(np.complex64)
        buffer.append(new)
        model, count = np.concatenate([model, new]), count + more
        assert len(buffer) == len(model) and np.array_equal(buffer.samples, model)
        buffer.drop(less)
        model = model[less:]


def test_noise_voltage_gives_the_snr_a_subcarrier_has() -> None:
    rng = np.random.default_rng(10)
    noise = noise_voltage(7.0, WAVEFORM) * gaussian(64 * 5000, rng)
    spectrum = np.fft.fft(noise.reshape(-1, 64), axis=1, norm="ortho")
    assert -10 * np.log10(np.mean(np.abs(spectrum) ** 2)) == pytest.approx(7.0, abs=0.05)


@given(n=st.integers(1, 2000))
def test_air_time_is_what_the_modulator_makes(n: int) -> None:
    samples = modulate_frame(FrameHeader(PayloadKind.ANALOG, n), np.ones(n), WAVEFORM)
    assert len(samples) == frame_samples(n, WAVEFORM)
    assert air_time_s(n, WAVEFORM) == pytest.approx(len(samples) / 1e6)


def test_waveform_json_and_bad_parameters() -> None:
    assert WaveformConfig.from_json(WAVEFORM.to_json()) == WAVEFORM
    with pytest.raises(ValueError, match="cp_len"):
        WaveformConfig(cp_len=0)
    with pytest.raises(ValueError, match="unknown keys"):
        WaveformConfig.from_json('{"speed": 1}')


def test_sync_words_are_gr_digitals() -> None:
    txrx = pytest.importorskip("gnuradio.digital.ofdm_txrx")
    used = (txrx._def_occupied_carriers, txrx._def_pilot_carriers)
    assert np.allclose(WAVEFORM.sync_word1, txrx._make_sync_word1(64, *used))
    assert np.allclose(WAVEFORM.sync_word2, txrx._make_sync_word2(64, *used))
    assert np.allclose(WAVEFORM.pilot_symbols, txrx._def_pilot_symbols)


@pytest.mark.parametrize("order", [4, 16, 64, 256, 1024, 4096])
def test_grid_has_unit_energy_and_is_its_own_rounding(order: int) -> None:
    side = round(order**0.5)
    axis = (2 * np.arange(side) - side + 1) / np.sqrt(2 * (order - 1) / 3)
    points = (axis[:, None] + 1j * axis).ravel()
    assert np.mean(np.abs(points) ** 2) == pytest.approx(1.0)
    assert np.allclose(round_to_grid(points * (1 + 1e-6), order), points, atol=1e-5)


def test_latents_come_back_and_bad_kinds_are_named() -> None:
    latents = np.random.default_rng(1).standard_normal((30, 2)).astype(np.float32)
    assert np.array_equal(symbols_to_latents(latents_to_symbols(latents)), latents)
    with pytest.raises(ValueError, match="digital"):
        latents_to_symbols(latents, "digital")
    with pytest.raises(ValueError, match="not supported"):
        latents_to_symbols(latents, "qam", 32)
