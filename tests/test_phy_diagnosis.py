"""A receiver says what is wrong with its samples, once, and nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.phy.diagnosis import (
    clipped_share,
    is_uneven,
    smallest,
    standing_carrier,
    symbol_lag,
    timing_step,
)
from m4sc.phy.diagnosis_watch import CAUSES, bursts_of
from m4sc.phy.receiver import BurstReceiver, Fault
from m4sc.phy.waveform import WaveformConfig
from m4sc_app.bench.trials.diagnosis_trial import FAULTS, Conditions, StagedFault, clean_stream, named

OWN, USUAL = WaveformConfig(), Conditions(16.0, "")


def told(samples: np.ndarray) -> list[Fault]:
    receiver = BurstReceiver(OWN)
    receiver.push(samples)
    receiver.flush()
    return receiver.take_faults()


def white(count: int, rng: np.random.Generator) -> np.ndarray:
    return (rng.standard_normal((count, 2)) @ [1, 1j]).astype(np.complex64)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.cause)
def test_a_fault_alone_is_named(fault: StagedFault) -> None:
    for seed in (501, 502):
        causes, _ = named(fault.make(USUAL, OWN, np.random.default_rng(seed)), OWN)
        assert causes == [fault.cause]


@pytest.mark.parametrize("profile", ["", "B"])
def test_nothing_is_named_where_nothing_is_wrong(profile: str) -> None:
    for seed in range(4):
        samples = clean_stream(Conditions(12.0, profile), OWN, np.random.default_rng(seed))
        assert named(samples, OWN) == ([], 8)


def test_noise_alone_is_no_fault_and_no_header_error() -> None:
    receiver = BurstReceiver(OWN)
    receiver.push(white(400_000, np.random.default_rng(5)))
    receiver.flush()
    assert receiver.counters["false_alarms"] > 5 and receiver.counters["header_errors"] == 0
    assert not [fault for fault in receiver.take_faults() if fault.strong]


def test_a_cause_is_told_once_with_its_figure_and_a_minute_later_again() -> None:
    rng = np.random.default_rng(3)
    receiver, waveform = BurstReceiver(WaveformConfig(samp_rate=20_000.0)), OWN
    samples = clean_stream(USUAL, waveform, rng) + 0.5
    for _ in range(25):
        receiver.push(samples)
    found = [fault for fault in receiver.take_faults() if fault.kind == "dc"]
    assert found[0].unit == "dB" and -10.0 < (found[0].figure or 0.0) < 3.0
    seconds = 25 * len(samples) / 20_000.0
    assert len(found) == 1 or (seconds > 60.0 and len(found) <= 1 + seconds / 60.0)


def test_each_collision_is_counted() -> None:
    collision = next(fault for fault in FAULTS if fault.cause == "collisions")
    receiver = BurstReceiver(OWN)
    receiver.push(collision.make(USUAL, OWN, np.random.default_rng(8)))
    receiver.flush()
    assert receiver.counters["collisions"] == 4 and receiver.counters["frames"] >= 4


def test_a_gap_says_how_many_samples() -> None:
    rng = np.random.default_rng(4)
    samples = clean_stream(USUAL, OWN, rng, frames=1, lengths=(1500, 1501))
    loud = np.flatnonzero(np.convolve(np.abs(samples) ** 2, np.ones(80), "same") > 40)
    (fault,) = [
        f for f in told(np.delete(samples, slice(loud[0] + 1500, loud[0] + 1537))) if f.kind == "gaps"
    ]
    assert fault.figure == pytest.approx(37, abs=4) and abs(fault.sample - loud[0] - 1500) < 700


def test_all_samples_alike_are_no_signal_but_silence_before_a_burst_is() -> None:
    assert [fault.kind for fault in told(np.zeros(30_000, np.complex64))] == ["no_signal"]
    burst = clean_stream(USUAL, OWN, np.random.default_rng(1), frames=1, noise=False)
    assert not told(np.concatenate([np.zeros(30_000), burst, np.zeros(3000)]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), level=st.floats(0.5, 1.8), bits=st.integers(6, 14))
def test_values_at_a_converters_end_are_seen(seed: int, level: float, bits: int) -> None:
    samples, steps = white(8000, np.random.default_rng(seed)), 2.0 ** (bits - 1)
    clipped = [
        np.round(np.clip(part / level, -1, 1) * steps) / steps for part in (samples.real, samples.imag)
    ]
    share = clipped_share(np.array([1, 1j]) @ clipped)
    assert share == pytest.approx(np.mean(np.abs(clipped) == 1.0), rel=0.05)
    assert clipped_share(samples) == 0.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), bits=st.integers(1, 12))
def test_a_converter_in_range_does_not_clip(seed: int, bits: int) -> None:
    samples, steps = white(8000, np.random.default_rng(seed)), 2.0 ** (bits - 1)
    quantised = np.round(samples / 6.0 * steps) / steps
    assert clipped_share(quantised.astype(np.complex64)) == 0.0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), frequency=st.floats(-0.5, 0.49), level_db=st.floats(-12, 10))
def test_a_carrier_is_found_where_it_stands(seed: int, frequency: float, level_db: float) -> None:
    samples = white(16_384, np.random.default_rng(seed)) / np.sqrt(2)
    assert standing_carrier(samples) is None
    turn = np.exp(2j * np.pi * frequency * np.arange(len(samples)))
    found = standing_carrier(samples + 10 ** (level_db / 20) * turn)
    assert found is not None
    assert abs((found.frequency - frequency + 0.5) % 1.0 - 0.5) < 2e-3
    share = 10 ** (level_db / 10) / (1 + 10 ** (level_db / 10))
    assert found.level_db == pytest.approx(10 * np.log10(share), abs=1.5)


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros(20_000), np.ones(3), np.full(20_000, 1e-30)])
def test_measurements_of_hardly_anything_say_nothing(values: np.ndarray) -> None:
    samples = values.astype(np.complex64)
    assert clipped_share(samples) == 0.0 and symbol_lag([samples], 256) == 0.0
    assert timing_step(samples, OWN) is None and not bursts_of(samples)
    assert standing_carrier(samples) is None or values.size > 3
    assert not is_uneven(np.ones(3, np.float32), 48)


def test_a_prefix_shows_the_fft_length() -> None:
    samples = clean_stream(USUAL, OWN, np.random.default_rng(2))
    assert symbol_lag(bursts_of(samples.astype(np.complex64)), 256) == pytest.approx(64.0, abs=0.1)
    noise = white(20_000, np.random.default_rng(2))
    assert symbol_lag([noise], 256) == 0.0 and timing_step(noise, OWN) is None


def test_causes_have_names_of_their_own() -> None:
    assert len(set(CAUSES)) == len(CAUSES)
    assert {fault.cause for fault in FAULTS} <= {*CAUSES, "clock_off", "strangers"} and len(FAULTS) == 12


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (16, 5), (36, 19), (7, 7)])
def test_the_smallest_of_each_column_come_in_order(rows: int, count: int) -> None:
    values = np.random.default_rng(rows).random((rows, 100), np.float32)
    assert np.array_equal(smallest(values, count), np.sort(values, axis=0)[:count])
