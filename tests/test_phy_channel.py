"""Simulated channels: each impairment's statistics against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.channel.amplifier import rapp
from m4sc.phy.channel.config import FADINGS, ChannelConfig
from m4sc.phy.channel.delay_line import DelayLine, tap_shapes
from m4sc.phy.channel.fading import PathGains
from m4sc.phy.channel.impairments import resample
from m4sc.phy.channel.interruptions import Interruptions
from m4sc.phy.channel.iq_imbalance import image_ratio_db, iq_imbalance
from m4sc.phy.channel.phase_noise import PhaseNoise
from m4sc.phy.channel.resampler import ClockOffset
from m4sc.phy.channel.simulator import ChannelSimulator, apply_channel, mean_sample_power
from m4sc.phy.channel.tdl import PROFILES, mean_powers
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.waveform import WaveformConfig
from scipy.special import j0

WAVEFORM = WaveformConfig()
QUIET = {"snr_db": math.inf}


def gaussian(n: int, seed: int = 0) -> np.ndarray:
    pairs = np.random.default_rng(seed).standard_normal((2, n))
    return (pairs[0] + 1j * pairs[1]) / np.sqrt(2)


@given(
    fading=st.sampled_from(FADINGS),
    number=st.floats(0, 1e4),
    taps=st.lists(st.complex_numbers(max_magnitude=9, min_magnitude=0.1), min_size=1, max_size=4),
    snr=st.one_of(st.just(math.inf), st.floats(-30, 60)),
)
def test_configuration_survives_json(fading: str, number: float, taps: list[complex], snr: float) -> None:
    config = ChannelConfig(fading=fading, doppler_hz=number, taps=tuple(taps), snr_db=snr, cfo_hz=-number)
    assert ChannelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"fading": "fog"}, "tdl-a"),
        ({"doppler_hz": -1.0}, "doppler_hz"),
        ({"taps": (0.0,)}, "no energy"),
        ({"delays_samples": (0.0,)}, "one power a path"),
        ({"snr_db": math.nan}, "snr_db"),
        ({"dropout_s": 0.0}, "dropout_s"),
    ],
)
def test_a_wrong_configuration_is_refused(values: dict, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ChannelConfig(**values)
    with pytest.raises(ValueError, match="unknown keys"):
        ChannelConfig.from_json('{"snr": 3}')


def test_scattered_paths_are_gaussian_with_the_autocorrelation_of_clarke() -> None:
    doppler_hz, lags_s = 50.0, np.array([0.0, 2e-3, 5e-3, 9e-3])
    rng = np.random.default_rng(1)
    gains = np.concatenate(
        [PathGains(np.full(20, 0.7), doppler_hz, rng)(lags_s) for _ in range(300)]
    )  # (6000, lags)
    correlation = np.mean(gains * np.conj(gains[:, :1]), axis=0)
    np.testing.assert_allclose(correlation, 0.7 * j0(2 * np.pi * doppler_hz * lags_s), atol=0.04)
    power = np.abs(gains[:, 0]) ** 2
    assert np.mean(power**2) / np.mean(power) ** 2 == pytest.approx(2.0, abs=0.12)  # of an exponential


def test_a_line_of_sight_has_its_power_and_doppler() -> None:
    rng = np.random.default_rng(2)
    times = np.arange(4096) / 1024
    gains = PathGains(np.array([1e-9]), 100.0, rng, los_power=0.8)(times)[0]
    assert np.mean(np.abs(gains) ** 2) == pytest.approx(0.8, rel=1e-3)
    assert np.argmax(np.abs(np.fft.fft(gains))) / 4 == pytest.approx(70.0, abs=0.3)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_power_delay_profile_of_a_tdl_is_the_tables(profile: str) -> None:
    rng = np.random.default_rng(3)
    spread, draws = 2.0, 1500
    delays = np.array(PROFILES[profile].delays) * spread
    powers, los = mean_powers(PROFILES[profile])
    seen = np.zeros(len(tap_shapes(delays)))
    for _ in range(draws):
        line = DelayLine(delays, PathGains(powers, 0.0, rng, los), 0.0, 1e6)
        seen += np.abs(line.taps(np.zeros(1))[:, 0]) ** 2 / draws
    whole = powers + los * (np.arange(len(powers)) == 0)
    wanted = (tap_shapes(delays) ** 2) @ whole
    if los:  # the two paths at delay 0 are independent: their powers add
        assert whole[0] / whole[1] == pytest.approx(10 ** (13.3 / 10 if profile == "D" else 2.2), rel=0.03)
    np.testing.assert_allclose(seen, wanted, atol=0.09 * wanted.max())
    assert seen.sum() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("fading", ["taps", "rayleigh", "rician", "paths", "tdl-c", "tdl-d"])
def test_chunks_of_any_size_give_the_fading_of_one(fading: str) -> None:
    config = ChannelConfig(
        fading=fading, doppler_hz=800.0, cfo_hz=3e3, sfo_ppm=50.0, taps=(1, 0.2j, 0.1), **QUIET
    )
    x = gaussian(20_000)
    whole = ChannelSimulator(config, WAVEFORM, np.random.default_rng(4)).process(x)
    parts = ChannelSimulator(config, WAVEFORM, np.random.default_rng(4))
    cuts = np.sort(np.random.default_rng(5).integers(0, len(x), 30))
    pieces = np.concatenate([parts.process(part) for part in np.split(x, cuts)])
    np.testing.assert_allclose(pieces, whole, atol=1e-9)


def test_fading_moves_as_fast_as_its_doppler() -> None:
    """Gain of a constant input, 100,000 samples long: its zero-lag and later correlations are Clarke's."""
    config = ChannelConfig(fading="rayleigh", doppler_hz=2000.0, **QUIET)
    rng = np.random.default_rng(6)
    seen = [apply_channel(np.ones(20_000), config, WAVEFORM, rng) for _ in range(40)]
    for lag in (0, 50, 150):
        found = np.mean([np.mean(y[lag:] * np.conj(y[: len(y) - lag])) for y in seen])
        assert found == pytest.approx(j0(2 * np.pi * 2000.0 * lag * 1e-6), abs=0.1)


@pytest.mark.parametrize("snr_db", [0.0, 12.0])
def test_snr_on_the_data_carriers_is_the_one_asked_for(snr_db: float) -> None:
    symbols = gaussian(9600)
    clean = modulate_frame(FrameHeader(PayloadKind.ANALOG, len(symbols)), symbols, WAVEFORM)
    noisy = apply_channel(clean, ChannelConfig(snr_db=snr_db), WAVEFORM, np.random.default_rng(7))
    rows = [x.reshape(-1, WAVEFORM.symbol_len)[-200:, WAVEFORM.cp_len :] for x in (clean, noisy - clean)]
    signal, noise = (np.fft.fft(x, axis=1, norm="ortho")[:, WAVEFORM.data_bins] for x in rows)
    measured = 10 * np.log10(np.mean(np.abs(signal) ** 2) / np.mean(np.abs(noise) ** 2))
    assert measured == pytest.approx(snr_db, abs=0.1)
    body = clean[-200 * WAVEFORM.symbol_len :]
    assert np.mean(np.abs(body) ** 2) == pytest.approx(mean_sample_power(WAVEFORM), rel=0.03)


def test_phase_noise_grows_with_the_linewidth() -> None:
    linewidth, rng = 200.0, np.random.default_rng(8)
    ends = [np.angle(PhaseNoise(linewidth, 1e6, rng).process(np.ones(200)))[-1] for _ in range(2000)]
    assert np.var(ends) == pytest.approx(2 * np.pi * linewidth / 1e6 * 200, rel=0.15)


@pytest.mark.parametrize(("gain_db", "phase_deg"), [(1.0, 0.0), (0.0, 5.0), (-0.5, 2.0)])
def test_image_of_an_imbalance(gain_db: float, phase_deg: float) -> None:
    tone = np.exp(2j * np.pi * 5 * np.arange(64) / 64)
    spectrum = np.abs(np.fft.fft(iq_imbalance(tone, gain_db, phase_deg)))
    measured = 20 * np.log10(spectrum[-5] / spectrum[5])
    assert measured == pytest.approx(image_ratio_db(gain_db, phase_deg), abs=1e-6)
    assert measured < -20


@given(backoff_db=st.floats(-6, 20), p=st.floats(0.5, 10))
def test_the_amplifier_saturates_keeps_phase_and_small_signals(backoff_db: float, p: float) -> None:
    x = gaussian(200) * np.logspace(-3, 2, 200)
    y = rapp(x, backoff_db, p, 1.0)
    limit = 10 ** (backoff_db / 20)
    assert np.all(np.abs(y) <= limit * (1 + 1e-9)) and np.all(np.abs(y) <= np.abs(x) * (1 + 1e-9))
    np.testing.assert_allclose(y / np.abs(y), x / np.abs(x), atol=1e-9)
    assert np.abs(y[-1]) > 0.8 * limit  # deep in saturation
    assert abs(rapp(np.array([1e-4 * limit]), backoff_db, p, 1.0)[0]) == pytest.approx(1e-4 * limit, rel=1e-3)


def test_interruptions_have_their_rate_and_duration_in_any_chunks() -> None:
    seconds, rate, mean_s = 20.0, 50.0, 2e-3
    whole = Interruptions(rate, mean_s, 1e5, np.random.default_rng(9))
    mask = whole.mask(int(seconds * 1e5))
    assert whole.begun == pytest.approx(rate * seconds, abs=4 * math.sqrt(rate * seconds))
    assert mask.mean() == pytest.approx(1 - math.exp(-rate * mean_s), rel=0.15)  # union of Poisson intervals
    parts = Interruptions(rate, mean_s, 1e5, np.random.default_rng(9))
    np.testing.assert_array_equal(np.concatenate([parts.mask(777) for _ in range(2600)])[: len(mask)],
                                  np.pad(mask, (0, max(0, 777 * 2600 - len(mask))))[: len(mask)])  # fmt: skip


def test_drop_outs_and_bursts_are_where_the_simulator_says() -> None:
    config = ChannelConfig(dropout_rate_hz=400.0, dropout_s=5e-4, **QUIET)
    simulator = ChannelSimulator(config, WAVEFORM, np.random.default_rng(10))
    out = simulator.process(np.ones(100_000))
    holes = int(np.sum(np.diff(np.concatenate([[1], np.abs(out)])) < -0.5))
    assert simulator.drop_outs is not None
    assert 0 < holes <= simulator.drop_outs.intervals.begun < 80  # some run into one another
    burst = ChannelConfig(interference_rate_hz=300.0, interference_db=10.0, **QUIET)
    added = apply_channel(np.zeros(400_000), burst, WAVEFORM, np.random.default_rng(11))
    assert np.mean(np.abs(added[added != 0]) ** 2) == pytest.approx(10.0, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(ppm=st.floats(-100, 100), size=st.integers(1, 5000))
def test_the_streaming_clock_agrees_with_the_recordings(ppm: float, size: int) -> None:
    x, clock = gaussian(6000), ClockOffset(ppm)
    out = np.concatenate([*(clock.process(x[i : i + size]) for i in range(0, 6000, size)), clock.flush()])
    n = min(len(out), 5900)
    assert len(out) >= 5990
    assert np.mean(np.abs(out[:n] - resample(x, ppm)[:n]) ** 2) < 1e-6


def test_the_clock_keeps_the_outer_quarter_of_the_band() -> None:
    tone = np.exp(2j * np.pi * 0.42 * np.arange(30_000))
    out = ClockOffset(20.0).process(tone)
    ideal = np.exp(2j * np.pi * 0.42 * np.arange(len(out)) * (1 + 20e-6))
    assert np.mean(np.abs(out - ideal)[100:] ** 2) < 1e-4
