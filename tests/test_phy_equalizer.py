"""The equaliser where pilots are in a fade, or where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.burst_kernels import equalize
from m4sc.phy.channel.impairments import add_noise, multipath, resample, shift_carrier
from m4sc.phy.equalizer.kernels import fitted_line, smooth_phase, turn_back, turn_clock_back
from m4sc.phy.equalizer.sparse import equal_taps, tap_tables
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.header.protection import PROTECTIONS
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

WAVEFORM = WaveformConfig()
NOTCH = np.exp(2j * np.pi * 21 / 64)  # of the channel 1 - e^{j2 pi 21/64} z^-1: on the last pilot


@pytest.mark.parametrize("ppm", [0.0, 15.0])
def test_a_faded_outer_pilot_leaves_a_long_frame_straight(ppm: float) -> None:
    rng, snr_db, rows, loss = np.random.default_rng(4), 30.0, 200, []
    taps = np.array([1.0, -NOTCH]) / np.sqrt(2.0)
    gain = np.abs(np.fft.fft(taps, 64)[WAVEFORM.data_bins]) ** 2
    for _ in range(6):
        x = rng.standard_normal((2, rows * WAVEFORM.n_data_carriers)) / np.sqrt(2)
        x = x[0] + 1j * x[1]
        burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, len(x)), x, WAVEFORM)
        samples = resample(multipath(np.pad(burst, 300), taps), ppm)
        receiver = BurstReceiver(WAVEFORM)
        samples = add_noise(samples, noise_voltage(snr_db, WAVEFORM), rng)
        (frame,) = receiver.push(samples) + receiver.flush()
        assert frame.sfo_ppm == pytest.approx(ppm, abs=1.0)
        error = np.abs(frame.symbols - x).reshape(rows, -1) ** 2 * gain * 10 ** (snr_db / 10)
        loss.append([error[: rows // 4].mean(), error[-rows // 4 :].mean()])
    begin_db, end_db = 10 * np.log10(np.mean(loss, axis=0))
    assert begin_db < 0.6 and end_db < 0.8


@pytest.mark.parametrize("n_symbols", [100, 5000])
def test_a_waveform_without_pilots_is_received(n_symbols: int) -> None:
    carriers = tuple(sorted((*WAVEFORM.occupied_carriers, *WAVEFORM.pilot_carriers)))
    waveform = replace(WAVEFORM, occupied_carriers=carriers, pilot_carriers=(), pilot_symbols=((),))
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, n_symbols)) / np.sqrt(2)
    x = x[0] + 1j * x[1]
    # without pilots the offset is known from preamble and header alone: a long frame needs a long header
    protection = PROTECTIONS[-1] if n_symbols > 1000 else PROTECTIONS[1]
    burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, n_symbols), x, waveform, protection)
    samples = shift_carrier(np.pad(burst, 300), 0.7 / waveform.fft_len)
    receiver = BurstReceiver(waveform)
    samples = add_noise(samples, noise_voltage(25.0, waveform), rng)
    (frame,) = receiver.push(samples) + receiver.flush()
    assert 10 * np.log10(np.mean(np.abs(frame.symbols - x) ** 2) * 10**2.5) < 1.0


@pytest.mark.parametrize(("rows", "snr_db", "cfo", "ppm"), [(4, 30.0, 1.5, 20.0), (200, 10.0, 0.3, 0.0)])
def test_the_estimates_cost_little(rows: int, snr_db: float, cfo: float, ppm: float) -> None:
    rng, noise, found = np.random.default_rng(6), noise_voltage(snr_db, WAVEFORM), []
    for _ in range(40 if rows < 10 else 8):
        x = rng.standard_normal((2, rows * WAVEFORM.n_data_carriers)) / np.sqrt(2)
        x = x[0] + 1j * x[1]
        burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, len(x)), x, WAVEFORM)
        samples = shift_carrier(resample(np.pad(burst, 300), ppm), cfo / WAVEFORM.fft_len)
        receiver = BurstReceiver(WAVEFORM)
        (frame,) = receiver.push(add_noise(samples, noise, rng)) + receiver.flush()
        found.append([np.mean(np.abs(frame.symbols - x) ** 2), np.mean(frame.noise_var)])
    error, told = 10 * np.log10(np.mean(found, axis=0)) + snr_db
    assert error < 0.25  # 0.5 and 0.3 dB with a fixed window on a coarse line
    assert told == pytest.approx(error, abs=0.25)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(8, 300), turn=st.floats(-3.0, 3.0), start=st.floats(-3.0, 3.0), off=st.floats(-0.5, 0.5)
)
def test_a_line_is_found_between_the_grid_s_frequencies(
    rows: int, turn: float, start: float, off: float
) -> None:
    common = np.exp(1j * (start + turn * np.arange(rows)))
    found, middle = fitted_line(common, turn + off / rows)
    assert found == pytest.approx(turn, abs=0.01 / rows)
    assert middle == pytest.approx((rows - 1) / 2)


@pytest.mark.parametrize(("wander", "narrow"), [(0.0, False), (0.1, True)])
def test_the_window_is_as_wide_as_the_oscillator_is_steady(wander: float, narrow: bool) -> None:
    rng, rows, errors, told = np.random.default_rng(7), 200, [], []
    for _ in range(20):
        phase = 0.3 + 0.01 * np.arange(rows) + wander * np.cumsum(rng.standard_normal(rows))
        noise = rng.standard_normal((2, rows)) * np.sqrt(0.1 * 4 / 2)
        common = 4.0 * np.exp(1j * phase) + noise[0] + 1j * noise[1]
        found, unsure = smooth_phase(common, np.full(rows, 4.0), 0.01, 0, 11)
        errors.append(np.mean(np.angle(np.exp(1j * (found - phase))) ** 2))
        told.append(np.mean(unsure))
    whole = 0.5 / (4 * rows)
    assert (np.median(told) > 4 * whole) == narrow
    assert np.mean(errors) < (0.03 if narrow else 5 * 0.1 * whole)


def test_a_carrier_estimated_near_zero_does_not_blow_up() -> None:
    h = np.full(64, 1.0, np.complex64)
    h[3] = 1e-6
    rows = np.full((2, 64), 0.3, np.complex64)
    turn = np.array([1.0, 1.0j], np.complex64)
    symbols, gain, _ = equalize(rows, 0, np.array([2, 3]), h, 0.01, turn)
    assert np.abs(symbols).max() < 0.4 and gain[1] == pytest.approx(0.01, rel=1e-3)
    assert symbols[2] == pytest.approx(1j * symbols[0])


def test_taps_of_equal_power_are_those_of_the_normal_equations() -> None:
    rng, taps, ratio = np.random.default_rng(8), 20, 37.0
    basis = np.exp(-2j * np.pi * np.outer(np.arange(52), np.arange(taps)) / 64).astype(np.complex64)
    gram = basis.conj().T.astype(complex) @ basis
    matched = rng.standard_normal((taps, 2)) @ np.array([1, 1j])
    mean, known = np.zeros(taps, complex), np.zeros(taps)
    *_, eigenvalues, vectors = tap_tables(np.arange(52), basis, gram)
    equal_taps(eigenvalues, vectors, matched, ratio, mean, known)
    whole = np.linalg.inv(np.eye(taps) + ratio * gram)
    assert np.allclose(mean, ratio * whole @ matched)
    assert np.allclose(known, 1.0 - np.diag(whole).real)


def test_a_growing_slope_is_undone_around_the_pilots() -> None:
    rng, slope = np.random.default_rng(9), 3e-3
    straight = (rng.standard_normal((70, 64, 2)) @ np.array([1, 1j])).astype(np.complex64)
    h, pilots = np.ones(64, np.complex64), WAVEFORM.pilots(70)
    h[WAVEFORM.pilot_bins[0]] = 2.0
    weights = np.array([4.0, 1.0, 1.0, 1.0])
    centre = weights @ WAVEFORM.signed_carriers[WAVEFORM.pilot_bins] / weights.sum()
    slopes = slope * np.arange(70)
    found = turn_clock_back(straight, slope, h, WAVEFORM.pilot_bins, WAVEFORM.signed_carriers, pilots)
    assert np.allclose(found, turn_back(straight, -centre * slopes, slopes), atol=1e-5)
