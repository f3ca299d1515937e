"""Channels, impairments and the measurements of `m4sc bench phy`, on little work."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.channel.impairments import multipath, pulse, resample, shift_carrier
from m4sc.phy.channel.tdl import PROFILES, draw_taps
from m4sc.phy.waveform import WaveformConfig
from m4sc_app.bench.trials.equalizer_loss import EqualizerTrial, equalizer_loss
from m4sc_app.bench.trials.link_trial import SOURCES, false_headers, noise_voltage_error_db, run_link
from m4sc_app.cli import app
from typer.testing import CliRunner

WAVEFORM = WaveformConfig()


@settings(max_examples=25, deadline=None)
@given(frequency=st.floats(-0.35, 0.35), ppm=st.floats(-200.0, 200.0))
def test_resampling_a_tone_gives_the_tone_at_the_other_clock(frequency: float, ppm: float) -> None:
    n = np.arange(3000)
    found = resample(np.exp(2j * np.pi * frequency * n), ppm)[100:-100]
    wanted = np.exp(2j * np.pi * frequency * n * (1 + ppm * 1e-6))[100:-100]
    assert np.max(np.abs(found - wanted)) < 2e-3


def test_pulse_is_one_at_zero_and_zero_at_other_samples() -> None:
    assert np.allclose(pulse(np.arange(-20.0, 21.0)), np.arange(-20, 21) == 0, atol=1e-12)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("spread", [0.0, 1.3])
def test_tdl_taps_have_unit_mean_power_and_a_fading_that_fits(profile: str, spread: float) -> None:
    rng = np.random.default_rng(4)
    power = np.array([np.sum(np.abs(draw_taps(profile, spread, rng)) ** 2) for _ in range(1500)])
    # paths nearer than a sample overlap: their powers add in the mean
    assert np.mean(power) == pytest.approx(1.0, abs=0.12)
    if PROFILES[profile].line_of_sight:
        assert np.std(power) < 0.5
    else:  # one Rayleigh path has a deviation of 1; several that resolve, less
        assert np.std(power) == pytest.approx(1.0, abs=0.15) if spread == 0 else 0.4 < np.std(power) < 0.8


def test_bad_tdl_parameters_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="none of A, B"):
        draw_taps("F", 1.0, rng)
    with pytest.raises(ValueError, match="negative"):
        draw_taps("A", -1.0, rng)


def test_carrier_shift_and_multipath_are_what_they_say() -> None:
    x = np.ones(8, complex)
    assert np.allclose(shift_carrier(x, 0.25), 1j ** np.arange(8))
    assert np.allclose(multipath(x, np.array([1.0, 0.0, 2j])), np.convolve(x, [1.0, 0.0, 2j]))


@pytest.mark.parametrize(
    ("trial", "most_db"),
    [
        (EqualizerTrial(10.0, 1.5, 20.0), 0.5),
        (EqualizerTrial(25.0, -0.7, -20.0), 0.5),
        (EqualizerTrial(20.0, 0.3, 0.0, "C", 1.0), 1.0),
        (EqualizerTrial(20.0, 0.0, 15.0, n_symbols=6000), 0.7),
    ],
)
def test_equaliser_is_near_a_genie_and_knows_its_noise(trial: EqualizerTrial, most_db: float) -> None:
    found = equalizer_loss(trial, 12, WAVEFORM, seed=3)
    assert found.lost == 0 and -0.5 < found.loss_db < most_db and abs(found.noise_var_db) < 0.5


def test_a_receiver_blind_to_the_channel_would_show() -> None:
    """The measure itself: symbols that were never equalised are far from a genie's."""
    rng = np.random.default_rng(1)
    taps = draw_taps("A", 1.0, rng)
    gain = np.fft.fft(taps, 64)[WAVEFORM.data_bins]
    symbols = (rng.standard_normal(48) + 1j * rng.standard_normal(48)) / np.sqrt(2)
    error = np.abs(symbols * gain - symbols) ** 2
    assert 10 * np.log10(np.mean(error * np.abs(gain) ** 2) / 10 ** (-20 / 10)) > 6


def test_link_trial_counts_losses() -> None:
    good = run_link(10.0, 40, WAVEFORM, 5)
    assert (good.lost, good.duplicated, good.misplaced) == (0, 0, 0)
    assert run_link(-12.0, 20, WAVEFORM, 5).lost == 20


@pytest.mark.parametrize("source", SOURCES)
def test_no_frame_in_what_holds_none(source: str) -> None:
    found, _ = false_headers(source, 600_000, WAVEFORM, 7)
    assert found == 0


def test_noise_voltage_error_is_small() -> None:
    assert abs(noise_voltage_error_db(WAVEFORM, 3.0)) < 0.1


def test_bench_phy_prints_figures_and_refuses_unknown_groups() -> None:
    runner = CliRunner()
    result = runner.invoke(app, ["bench", "phy", "--quick", "--only", "voltage", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["figures"]
    assert figures[0]["name"] == "noise_voltage_error_db" and abs(figures[0]["value"]) < 0.1
    assert runner.invoke(app, ["bench", "phy", "--only", "speed"]).exit_code == 2


def test_stock_chain_and_ours_receive_their_own_packets() -> None:
    pytest.importorskip("gnuradio")
    from m4sc_app.bench import stock

    theirs, samples = stock.stock_transmitter(10, 96)
    assert theirs.msps > 0
    assert stock.stock_receiver(stock.spread_packets(samples, 10, 30.0), 10, 96).received >= 8
    for receive in (stock.our_packet_receiver, stock.our_packet_loop):
        assert receive(stock.spread_packets(samples, 10, 30.0), 10, 96).received == 10
    ours, samples = stock.our_transmitter(10, 384)
    assert ours.msps > 0 and stock.our_receiver(stock.spread_packets(samples, 10, 30.0), 10).received == 10
