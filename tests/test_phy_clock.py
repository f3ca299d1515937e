"""Sampling clocks that are far off: followed, told, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy import frame_reader
from m4sc.phy.channel.impairments import add_noise, resample, shift_carrier
from m4sc.phy.equalizer.clock import MOST_PPM, far_clock, on_senders_clock
from m4sc.phy.equalizer.estimator import slope_unit
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig
from m4sc_app.bench.trials.equalizer_loss import EqualizerTrial, equalizer_loss

PLAIN = WaveformConfig()


def sent(ppm: float, n_symbols: int, rng: np.random.Generator) -> np.ndarray:
    """Samples of one frame, taken by a clock that is slow."""
    x = rng.standard_normal((n_symbols, 2)) @ [1, 1j] / np.sqrt(2)
    burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, n_symbols), x, PLAIN)
    samples = shift_carrier(resample(np.pad(burst, 500), ppm), 0.4 / PLAIN.fft_len)
    return add_noise(samples, noise_voltage(20.0, PLAIN), rng)


@pytest.mark.parametrize(
    ("ppm", "n_symbols"), [(60.0, 4000), (200.0, 4000), (-200.0, 4000), (500.0, 4000), (-200.0, 20_000)]
)
def test_a_long_frame_of_a_bad_clock_loses_little_and_is_told_its_noise(ppm: float, n_symbols: int) -> None:
    found = equalizer_loss(EqualizerTrial(15.0, 0.3, ppm, n_symbols=n_symbols), 5, PLAIN, seed=4)
    assert found.lost == 0 and found.loss_db < 0.5 and abs(found.noise_var_db) < 0.5


def test_what_is_said_of_the_clock_is_the_offset() -> None:
    for ppm in (-300.0, 80.0):
        receiver = BurstReceiver(PLAIN)
        samples = sent(ppm, 4000, np.random.default_rng(1))
        (frame,) = receiver.push(samples) + receiver.flush()
        assert frame.sfo_ppm == pytest.approx(ppm, abs=5.0)
        assert frame.start_sample == pytest.approx(500, abs=4)


@pytest.mark.parametrize("n_symbols", [200, 4000])
def test_a_clock_beyond_what_is_followed_is_refused_with_a_reason_and_the_next_frame_comes(
    n_symbols: int,
) -> None:
    rng, receiver = np.random.default_rng(3), BurstReceiver(PLAIN)
    bad, good = sent(1.5 * MOST_PPM, n_symbols, rng), sent(0.0, 300, rng)
    frames = receiver.push(np.concatenate([bad, good])) + receiver.flush()
    assert [len(frame.symbols) for frame in frames] == [300]
    assert receiver.counters["clock_off"] == 1
    (fault,) = [fault for fault in receiver.take_faults() if fault.kind == "clock_off"]
    assert fault.strong and "up to 1000 are followed" in fault.reason


def test_no_clock_brings_symbols_that_are_worse_than_is_told() -> None:
    """Whatever is delivered is told its noise; the rest is counted."""
    rng = np.random.default_rng(7)
    for ppm in np.geomspace(300.0, 20_000.0, 16):
        for n_symbols in (150, 1500):
            sign = rng.choice([-1, 1])
            x_rng, receiver = np.random.default_rng(int(ppm)), BurstReceiver(PLAIN)
            samples = sent(sign * ppm, n_symbols, x_rng)
            x = np.random.default_rng(int(ppm)).standard_normal((n_symbols, 2)) @ [1, 1j] / np.sqrt(2)
            for frame in receiver.push(samples) + receiver.flush():
                ratio = np.mean(np.abs(frame.symbols - x) ** 2 / frame.noise_var)
                assert 10 * np.log10(ratio) < 3.0, (ppm, n_symbols)


@pytest.mark.parametrize("n_symbols", [400, 4000])
def test_a_good_clock_is_not_looked_for(n_symbols: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object) -> None:
        raise AssertionError("looked")

    monkeypatch.setattr(frame_reader, "far_clock", never)
    receiver = BurstReceiver(PLAIN)
    for seed in range(4):
        samples = sent(15.0, n_symbols, np.random.default_rng(seed))
        assert len(receiver.push(samples) + receiver.flush()) == 1


def test_frames_of_a_bad_clock_are_the_same_in_chunks_of_any_size() -> None:
    samples = np.concatenate([sent(180.0, 900, np.random.default_rng(seed)) for seed in range(3)])
    whole = BurstReceiver(PLAIN)
    wanted, found, parts = whole.push(samples) + whole.flush(), [], BurstReceiver(PLAIN)
    for start in range(0, len(samples), 997):
        found += parts.push(samples[start : start + 997])
    found += parts.flush()
    assert len(wanted) == len(found) == 3
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(one.symbols, other.symbols)
        np.testing.assert_array_equal(one.noise_var, other.noise_var)


@settings(max_examples=20, deadline=None)
@given(frequency=st.floats(-0.4, 0.4), ppm=st.floats(-1000.0, 1000.0))
def test_the_senders_clock_is_the_inverse_of_a_slow_one(frequency: float, ppm: float) -> None:
    tone = np.exp(2j * np.pi * frequency * np.arange(3000))
    found = on_senders_clock(resample(tone, ppm).astype(np.complex64), ppm)
    assert len(found) == 3000
    np.testing.assert_allclose(found[60:2900], tone[60:2900], atol=4e-3)


def spectra_of(ppm: float, rows: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Pilots alone on a flat channel, as a clock turns them."""
    steps = np.outer(np.arange(rows), PLAIN.signed_carriers)
    turned = np.zeros((rows, PLAIN.fft_len), complex)
    turned[:, PLAIN.pilot_bins] = PLAIN.pilots(rows)
    white = rng.standard_normal((rows, PLAIN.fft_len, 2)) @ [1, 1j] * np.sqrt(noise / 2)
    return (turned * np.exp(1j * slope_unit(PLAIN) * ppm * steps) + white).astype(np.complex64)


@settings(max_examples=30, deadline=None)
@given(ppm=st.floats(-2000.0, 2000.0), rows=st.integers(40, 300), seed=st.integers(0, 2**31))
def test_pilots_show_the_clock(ppm: float, rows: int, seed: int) -> None:
    bins = spectra_of(ppm, rows, 0.02, np.random.default_rng(seed))
    found = far_clock(bins, np.ones(64, np.complex64), PLAIN.pilots(rows), PLAIN)
    assert found.ppm == pytest.approx(ppm, abs=40.0)
    assert found.sure or abs(ppm) < 80.0


def test_noise_and_few_symbols_say_nothing_of_the_clock() -> None:
    h, rng = np.ones(64, np.complex64), np.random.default_rng(3)
    for rows in (0, 1, 7, 8, 20, 90):
        for _ in range(40):
            bins = (rng.standard_normal((rows, 64, 2)) @ [3, 3j]).astype(np.complex64)
            assert not far_clock(bins, h, PLAIN.pilots(rows), PLAIN).sure
    zeros = np.zeros((90, 64), np.complex64)
    assert not far_clock(zeros, h, PLAIN.pilots(90), PLAIN).sure
