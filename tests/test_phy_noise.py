"""The receiver's noise variances: of one level where noise is, of each carrier and symbol elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy import frame_reader
from m4sc.phy.channel.impairments import add_noise
from m4sc.phy.channel.interference import Spoil, carrier, chirps, hit_symbols, pulses
from m4sc.phy.close_look import _shrunk_gains, grid_levels
from m4sc.phy.equalizer.kernels import grid_posterior
from m4sc.phy.equalizer.noise_field import Cells, noise_field
from m4sc.phy.equalizer.strange import decisions_differ
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.loud_carriers import loud_bins
from m4sc.phy.loud_symbols import symbol_weights
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.modulation.qam import map_bits
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.warm_up import warm_up_interference
from m4sc.phy.waveform import WaveformConfig
from m4sc_app.bench.trials.noise_trial import NoiseTrial, clean, doppler, phase_noise, told_noise

PLAIN = WaveformConfig()


@pytest.mark.parametrize(
    ("spoil", "bound", "decile"),
    [(clean, 0.3, 1.5), (carrier(0.0), 0.6, 2.0), (carrier(-10.0), 0.6, 2.0), (pulses(10.0), 1.0, 3.0)],
)
def test_errors_are_what_was_told_of_them(spoil: object, bound: float, decile: float) -> None:
    told = told_noise(NoiseTrial("", spoil, 15.0, 3), 16, PLAIN, 4)  # type: ignore[arg-type]
    assert told.lost <= 4 and told.decoded >= told.frames - told.lost - 1
    assert abs(told.ratio_db) < bound and max(abs(d) for d in told.deciles_db) < decile


@pytest.mark.parametrize(("spoil", "snr_db"), [(doppler(100.0), 20.0), (phase_noise(100.0), 25.0)])
def test_errors_are_what_was_told_of_them_where_phase_and_gain_wander(spoil: Spoil, snr_db: float) -> None:
    told = told_noise(NoiseTrial("", spoil, snr_db), 200, PLAIN, 1)
    assert told.lost == 0 and told.decoded >= 185
    assert abs(told.ratio_db) < 0.5 and max(abs(d) for d in told.deciles_db) < 1.3


@pytest.mark.parametrize("level_db", [0.0, -10.0])
def test_payloads_under_a_sweep_are_decoded(level_db: float) -> None:
    told = told_noise(NoiseTrial("", chirps(level_db), 15.0), 60, PLAIN, 5)
    assert told.decoded >= 58 and told.lost == 0
    assert abs(told.ratio_db) < 0.4 and max(abs(d) for d in told.deciles_db) < 1.3


def samples_of(symbols: np.ndarray, header: FrameHeader, seed: int = 1) -> np.ndarray:
    burst = modulate_frame(header, symbols, PLAIN)
    return np.concatenate([np.zeros(500), burst, np.zeros(500)])


def test_one_burst_of_interference_leaves_the_other_symbols_as_they_are() -> None:
    rng = np.random.default_rng(3)
    symbols = map_bits(rng.integers(2, size=960).astype(np.uint8), 2)  # ten OFDM symbols
    header = FrameHeader(PayloadKind.QAM, len(symbols), mcs=2)
    samples = add_noise(samples_of(symbols, header), noise_voltage(20.0, PLAIN), rng)
    (alone,) = BurstReceiver(PLAIN).push(samples)
    end = 500 + len(samples) - 1000
    samples[end - 5 * 80 : end - 4 * 80] += 3 * rng.standard_normal((80, 2)) @ [1, 1j]
    (hit,) = BurstReceiver(PLAIN).push(samples)
    before, after = (f.noise_var.reshape(10, 48) for f in (alone, hit))
    assert after[5].mean() > 100 * before[5].mean()
    others = np.delete(np.arange(10), 5)
    assert np.all(np.abs(10 * np.log10(after[others].mean(1) / before[others].mean(1))) < 1.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_header_is_read_although_some_of_its_symbols_are_hit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    symbols = map_bits(rng.integers(2, size=192).astype(np.uint8), 2)
    samples = samples_of(symbols, FrameHeader(PayloadKind.QAM, len(symbols), 77, mcs=2))
    for row in rng.choice(np.arange(2, 14), 4, replace=False):  # of twelve symbols
        place = slice(500 + 80 * row, 580 + 80 * row)
        samples[place] = samples[place] + 5 * rng.standard_normal((80, 2)) @ [1, 1j]
    (frame,) = BurstReceiver(PLAIN).push(add_noise(samples, noise_voltage(15.0, PLAIN), rng))
    assert frame.header.message_id == 77


def test_symbols_that_are_hit_weigh_as_their_noise_has_it() -> None:
    rng = np.random.default_rng(2)
    h, used = np.ones(64, np.complex64), np.arange(1, 53)
    bins = np.exp(0.5j * np.pi * rng.integers(4, size=(6, 64)))
    noise = np.sqrt(0.05) * rng.standard_normal((2, 6, 64))
    assert symbol_weights(bins + noise[0] + 1j * noise[1], used, h, 0.1) is None
    noise[:, 3] *= 10
    weights = symbol_weights(bins + noise[0] + 1j * noise[1], used, h, 0.1)
    assert weights is not None and np.all(np.delete(weights, 3) == 1)
    assert weights[3] == pytest.approx(0.1 / 10.0, rel=0.5)


def test_payloads_are_decoded_although_symbols_behind_the_preamble_are_hit() -> None:
    told = told_noise(NoiseTrial("", hit_symbols(15.0, spared=2)), 20, PLAIN, 6)
    assert told.decoded >= 19


def test_peaks_of_analog_symbols_are_not_taken_for_noise() -> None:
    rng = np.random.default_rng(8)
    symbols = rng.standard_normal((2, 480)).T @ [1, 1j] * rng.exponential(size=480) ** 2
    symbols[100:103] = 25.0  # as a picture's may be
    symbols = symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))
    samples = samples_of(symbols, FrameHeader(PayloadKind.ANALOG, len(symbols)))
    (frame,) = BurstReceiver(PLAIN).push(add_noise(samples, noise_voltage(20.0, PLAIN), rng))
    level = np.median(frame.noise_var)
    assert np.max(frame.noise_var) < 3 * level and np.min(frame.noise_var) > level / 3


def cells_of(variance: np.ndarray, rng: np.random.Generator) -> Cells:
    """QPSK on a flat channel in noise of these variances, the first three rows known."""
    shape = variance.shape
    sent = map_bits(rng.integers(2, size=2 * variance.size).astype(np.uint8), 2).reshape(shape)
    noise = (rng.standard_normal((*shape, 2)) @ [1, 1j]) * np.sqrt(variance / 2)
    kind = np.full(shape, Cells.GRID, np.uint8)
    kind[:6] = Cells.KNOWN
    known = np.where(kind == Cells.KNOWN, sent, 0)
    return Cells(sent + noise, np.ones(shape[1], complex), known, kind, grid_levels(2))


def test_a_carrier_a_row_and_both_are_found() -> None:
    rng, variance = np.random.default_rng(2), np.full((30, 50), 0.02)
    variance[:, 17] += 5.0
    variance[12] += 1.0
    levels = noise_field(cells_of(variance, rng), 0.02, np.ones(50, bool))
    field, of_carrier, of_row = levels.field, levels.of_carrier, levels.of_row
    assert np.argmax(of_carrier) == 17 and of_carrier[17] == pytest.approx(5.0, rel=0.8)
    assert np.argmax(of_row) == 12 and of_row[12] == pytest.approx(1.0, rel=0.4)
    rest = np.delete(np.delete(field, 12, 0), 17, 1)
    assert np.median(rest) == pytest.approx(0.02, rel=0.15)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), level=st.floats(1e-4, 0.1))
def test_noise_of_one_level_stays_one_level(seed: int, level: float) -> None:
    variance = np.full((24, 52), level)
    field = noise_field(cells_of(variance, np.random.default_rng(seed)), level, np.ones(52, bool)).field
    assert np.mean(field) == pytest.approx(level, rel=0.2)
    assert np.quantile(field, 0.9) < 1.6 * level and np.all(field > 0)


def test_a_frame_without_anything_but_zeros_has_finite_variances() -> None:
    cells = Cells(
        np.zeros((8, 20), complex),
        np.zeros(20, complex),
        np.zeros((8, 20), complex),
        np.full((8, 20), Cells.GRID, np.uint8),
        grid_levels(4),
    )
    field = noise_field(cells, 1e-6, np.ones(20, bool)).field
    assert np.isfinite(field).all() and (field >= 0).all()


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(1e-4, 10), st.sampled_from([2, 4, 8, 16]))
def test_the_expected_error_lies_between_the_nearest_point_and_all(
    re: float, im: float, variance: float, side: int
) -> None:
    y, levels = np.array([re + 1j * im]), grid_levels(side)
    found = grid_posterior(y, np.array([variance]), levels)[0][0]
    squares = [(part - levels) ** 2 for part in (re, im)]
    assert sum(s.min() for s in squares) - 1e-9 <= found <= sum(s.mean() for s in squares) + 1e-9


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 8, 16]))
def test_the_expected_error_is_the_mean_over_the_grid(seed: int, side: int) -> None:
    """By the sum over all points of the square at once."""
    rng, levels = np.random.default_rng(seed), grid_levels(side)
    y, variance = rng.standard_normal((20, 2)) @ [1, 1j], 10.0 ** rng.uniform(-6, 1, 20)
    points = (levels[:, None] + 1j * levels).ravel()
    squares = np.abs(y[:, None] - points) ** 2
    odds = np.exp(-(squares - squares.min(1, keepdims=True)) / variance[:, None])
    np.testing.assert_allclose(
        grid_posterior(y, variance, levels)[0], (odds * squares).sum(1) / odds.sum(1), rtol=1e-9
    )


@pytest.mark.parametrize("mcs", [2, 5, 7, 10])
def test_decisions_say_whether_what_was_told_is_right(mcs: int) -> None:
    rng, bits = np.random.default_rng(mcs), MCS_TABLE[mcs].bits_per_symbol
    sent = map_bits(rng.integers(2, size=600 * bits).astype(np.uint8), bits)
    level = 0.02 / 2**bits
    y = (sent + np.sqrt(level / 2) * rng.standard_normal((600, 2)) @ [1, 1j]).astype(np.complex64)
    told = np.full(600, level, np.float32)
    side = 1 << bits // 2
    assert not decisions_differ(y, told, 0, side)
    assert decisions_differ(y, told / 2, 0, side) and decisions_differ(y, told * 2, 0, side)
    assert not decisions_differ(y, told / 2, 0, 0)  # on no grid, there are no decisions
    assert not decisions_differ(y, told * 0 + 9.0, 0, side)  # none is sure


def test_headers_beside_a_strong_carrier_are_read() -> None:
    told = told_noise(NoiseTrial("", carrier(3.0), 15.0, 3), 14, PLAIN, 3)
    assert told.lost <= 1 and told.decoded == told.frames - told.lost


def test_bins_are_loud_only_where_few_stand_out() -> None:
    rng, used = np.random.default_rng(1), np.arange(2, 50)
    words = (rng.standard_normal((2, 64, 2)) @ [1, 1j] + 4).astype(np.complex64)
    assert not loud_bins(words, used).size
    words[:, 20] *= 20
    assert loud_bins(words, used).tolist() == [20]
    words[:, 2:26] *= 20
    assert not loud_bins(words, used).size  # half a band is no carrier


def test_the_warm_up_goes_every_way_that_interference_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = []
    for name in ("look_closely", "read_without"):
        real = getattr(frame_reader, name)
        monkeypatch.setattr(
            frame_reader, name, lambda *a, real=real, name=name: (ways.append(name), real(*a))[1]
        )
    assert warm_up_interference(BurstReceiver(PLAIN)) >= 8
    assert set(ways) == {"look_closely", "read_without"}


def test_gains_are_believed_as_far_as_they_differ_beyond_noise() -> None:
    rng = np.random.default_rng(3)
    known = np.full(400, 200.0)
    chance = (rng.standard_normal((400, 2)) @ [1, 1j]) * np.sqrt(0.5 / 200)
    gain, unsure = _shrunk_gains(known * (1 + chance), known)
    assert np.std(gain) < 0.3 * np.std(chance) and np.all(unsure < 0.2 / 200)
    wander = 0.1 * rng.standard_normal(400) * 1j
    gain, unsure = _shrunk_gains(known * (1 + wander + chance), known)
    error = gain - 1 - wander
    assert np.mean(np.abs(error) ** 2) == pytest.approx(np.mean(unsure), rel=0.3)
    assert np.std(gain.imag) == pytest.approx(0.1 * np.sqrt(0.8), rel=0.1)  # less a fifth of its power


def test_symbols_of_a_grid_are_expected_by_all_of_its_points() -> None:
    rng = np.random.default_rng(5)
    cells = cells_of(np.full((20, 30), 0.2), rng)
    sent, power = cells.expected(np.full((20, 30), 0.2))
    y, levels = cells.seen[8, 3], grid_levels(2)
    points = (levels[:, None] + 1j * levels).ravel()
    odds = np.exp(-(np.abs(y - points) ** 2) / 0.2)
    assert sent[8, 3] == pytest.approx((odds @ points) / odds.sum())
    assert power[8, 3] == pytest.approx((odds @ np.abs(points) ** 2) / odds.sum())
    assert np.array_equal(sent[:6], cells.sent[:6])
