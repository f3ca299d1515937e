"""Channel block: what it does to samples that pass it, measured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pmt
import pytest
from gnuradio import blocks, gr, m4sc
from m4sc.phy.channel.iq_imbalance import image_ratio_db
from m4sc.phy.waveform import WaveformConfig
from scipy.special import j0

pytestmark = pytest.mark.timeout(60)
RATE = WaveformConfig().samp_rate
QUIET = {"snr_db": math.inf}
LEAD = 3  # samples that gr-channels' channel_model swallows at the start of a stream


def run(samples: np.ndarray, tags: list[Any] | None = None, **options: Any) -> tuple[np.ndarray, Any, Any]:
    """Samples behind the block, its sink and the block itself."""
    tb = gr.top_block("channel", catch_exceptions=True)
    source = blocks.vector_source_c(np.asarray(samples, np.complex64).tolist(), False, 1, tags or [])
    radio, sink = m4sc.channel(**options), blocks.vector_sink_c()
    tb.connect(source, radio, sink)
    tb.start()
    tb.wait()
    return np.asarray(sink.data()), sink, radio


def gaussian(n: int) -> np.ndarray:
    pairs = np.random.default_rng(0).standard_normal((2, n))
    return (pairs[0] + 1j * pairs[1]) / np.sqrt(2)


@pytest.mark.parametrize("snr_db", [0.0, 17.0])
def test_noise_has_the_snr_asked_for(snr_db: float) -> None:
    x = gaussian(200_000)
    y, _, _ = run(x, snr_db=snr_db)
    assert len(y) > 199_900
    measured = -10 * np.log10(np.mean(np.abs(y - x[LEAD:][: len(y)]) ** 2))
    assert measured == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize(
    ("fading", "doppler_hz"), [("rayleigh", 4000.0), ("paths", 4000.0), ("rayleigh", 0.5), ("tdl-b", 4000.0)]
)
def test_fading_has_unit_mean_power(fading: str, doppler_hz: float) -> None:
    powers = []
    for seed in range(1, 31):
        y, _, _ = run(np.ones(4000), fading=fading, doppler_hz=doppler_hz, seed=97 * seed, **QUIET)
        powers.append(np.mean(np.abs(y[100:]) ** 2))
    assert np.mean(powers) == pytest.approx(1.0, abs=0.45)  # 30 draws of an exponential: 0.18 each way
    assert np.std(powers) > 0.05


@pytest.mark.parametrize("fading", ["rayleigh", "paths"])
def test_fading_moves_with_its_doppler(fading: str) -> None:
    options = {"fading": fading, "doppler_hz": 2000.0, "delays_samples": (0.0,), "powers_db": (0.0,), **QUIET}
    seen = [run(np.ones(20_000), seed=131 * seed, **options)[0] for seed in range(1, 13)]
    power = np.mean([np.mean(np.abs(y) ** 2) for y in seen])
    for lag in (50, 150):
        found = np.mean([np.mean(y[lag:] * np.conj(y[:-lag])) for y in seen]) / power
        assert found.real == pytest.approx(j0(2 * np.pi * 2000.0 * lag / RATE), abs=0.15)


def test_a_line_of_sight_makes_the_envelope_steady() -> None:
    def variation(k_db: float) -> float:
        options = {"fading": "rician", "rician_k_db": k_db, "doppler_hz": 3000.0, **QUIET}
        return float(
            np.mean([np.var(np.abs(run(np.ones(5000), seed=7 * s, **options)[0])) for s in range(6)])
        )

    assert variation(20.0) < 0.03 < variation(-10.0)


def test_power_delay_profile_of_an_impulse_train() -> None:
    train = np.zeros(64 * 400)
    train[::64] = 1.0
    options = {
        "delays_samples": (0.0, 2.0, 5.0),
        "powers_db": (0.0, -3.0, -9.0),
        "doppler_hz": 5000.0,
        **QUIET,
    }
    profile = np.zeros(64)
    for seed in range(1, 13):
        y, _, _ = run(train, seed=211 * seed, **options)
        rows = y[64 - LEAD :][: 64 * 390].reshape(-1, 64)
        profile += np.mean(np.abs(rows) ** 2, axis=0) / 12
    power = 10 ** (np.array([0.0, -3.0, -9.0]) / 10)
    np.testing.assert_allclose(profile[[0, 2, 5]], power / power.sum(), rtol=0.3)
    assert profile[[1, 3, 4, *range(6, 64)]].max() < 1e-3


def test_image_ratio_of_the_imbalance_is_its_formulas() -> None:
    tone = np.exp(2j * np.pi * 5 * np.arange(6400) / 64)
    y, _, _ = run(tone, iq_gain_db=0.8, iq_phase_deg=3.0, **QUIET)
    spectrum = np.abs(np.fft.fft(y[-640:][:640]))
    assert 20 * np.log10(spectrum[-50] / spectrum[50]) == pytest.approx(image_ratio_db(0.8, 3.0), abs=0.1)


def test_phase_noise_has_its_linewidth() -> None:
    y, _, _ = run(np.ones(200_000), phase_noise_linewidth_hz=500.0, **QUIET)
    steps = np.angle(y[100::100] * np.conj(y[:-100:100][: len(y[100::100])]))
    assert np.var(steps) == pytest.approx(2 * np.pi * 500.0 / RATE * 100, rel=0.15)


def test_the_amplifier_saturates() -> None:
    y, _, _ = run(gaussian(20_000) * 3, amplifier_backoff_db=0.0, **QUIET)
    used = WaveformConfig()
    power = (used.n_data_carriers + 4) / used.fft_len
    assert np.max(np.abs(y)) == pytest.approx(np.sqrt(power), rel=0.02)


def test_drop_outs_and_bursts_are_counted() -> None:
    y, _, radio = run(np.ones(200_000), dropout_rate_hz=200.0, dropout_s=2e-4, **QUIET)
    holes = int(np.sum(np.diff(np.concatenate([[1.0], np.abs(y)])) < -0.5))
    assert 0 < holes <= radio.counters["dropouts"] < 90
    y, _, radio = run(np.zeros(200_000), interference_rate_hz=200.0, interference_db=6.0, **QUIET)
    assert radio.counters["interference_bursts"] > 10
    assert np.mean(np.abs(y[y != 0]) ** 2) == pytest.approx(10**0.6, rel=0.1)


def test_a_clock_offset_keeps_the_outer_band_and_moves_tags_with_their_samples() -> None:
    n, ppm = 120_000, 100.0
    tag = gr.tag_utils.python_to_tag((100_000, pmt.intern("here"), pmt.from_long(1), pmt.PMT_F))
    done = gr.tag_utils.python_to_tag((n - 200, pmt.intern("m4sc_done"), pmt.from_long(1), pmt.PMT_F))
    tone = np.exp(2j * np.pi * 0.4 * np.arange(n))
    y, sink, _ = run(tone, [tag, done], sfo_ppm=ppm, **QUIET)
    ideal = np.exp(2j * np.pi * 0.4 * (np.arange(len(y)) + LEAD) * (1 + ppm * 1e-6))
    assert np.mean(np.abs(y - ideal)[50:-400] ** 2) < 1e-6
    places = {pmt.symbol_to_string(t.key): t.offset for t in sink.tags()}
    assert places["here"] == pytest.approx(100_000 / (1 + ppm * 1e-6), abs=1)
    assert places["m4sc_done"] == pytest.approx((n - 200) / (1 + ppm * 1e-6), abs=2)


def test_what_cannot_be_is_refused() -> None:
    for options, word in (
        ({"fading": "fog"}, "tdl-a"),
        ({"fading": "taps"}, "give taps"),
        ({"sfo_ppm": 1e5}, "sfo_ppm"),
        ({"dropout_rate_hz": -1.0}, "dropout_rate_hz"),
    ):
        with pytest.raises(ValueError, match=word):
            m4sc.channel(**options)
