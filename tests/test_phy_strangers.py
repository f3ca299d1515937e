"""A sender of another waveform is told after its first bursts; nobody else is."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.sync.strangers import StrangerWatch, burst_lengths, repetition
from m4sc.phy.waveform import WaveformConfig

OWN = WaveformConfig()


def waveform_of(fft_len: int) -> WaveformConfig:
    """A waveform shaped like the default one, of another length."""
    if fft_len == OWN.fft_len:
        return OWN
    rng, half = np.random.default_rng(3), fft_len // 2
    used = [carrier for carrier in range(-int(0.4 * fft_len), int(0.4 * fft_len) + 1) if carrier]
    pilots = used[::8]
    on = np.isin(np.arange(-half, half), used)
    first = np.where(on & (np.arange(fft_len) % 2 == 0), rng.choice([-1, 1], fft_len) * 2**0.5, 0.0)
    second = np.where(on, rng.choice([-1.0, 1.0], fft_len), 0.0)
    return WaveformConfig(
        fft_len=fft_len,
        cp_len=fft_len // 4,
        occupied_carriers=tuple(carrier for carrier in used if carrier not in pilots),
        pilot_carriers=tuple(pilots),
        pilot_symbols=((1.0,) * len(pilots),),
        sync_word1=tuple(map(float, first)),
        sync_word2=tuple(map(float, second)),
    )


def stream(waveform: WaveformConfig, frames: int, snr_db: float, seed: int = 0) -> np.ndarray:
    """Frames with silence between them, off in frequency, in noise."""
    rng, parts = np.random.default_rng(seed), [np.zeros(3000, np.complex64)]
    for number in range(frames):
        symbols = np.exp(2j * np.pi * rng.random(128)).astype(np.complex64)
        parts += [modulate_frame(FrameHeader(PayloadKind.ANALOG, 128, number), symbols, waveform)]
        parts += [np.zeros(2500 + 17 * number, np.complex64)]
    clean = np.concatenate(parts)
    power = np.mean(np.abs(parts[1]) ** 2) if frames else 1.0
    noise = rng.standard_normal((len(clean), 2)) @ [1, 1j] * np.sqrt(power / 2 * 10 ** (-snr_db / 10))
    return (clean * np.exp(0.02j * np.arange(len(clean))) + noise).astype(np.complex64)


def strangers(samples: np.ndarray, chunk: int = 4096) -> tuple[BurstReceiver, list[str]]:
    """A receiver that was given samples, and what it told of strangers before the end of the stream."""
    receiver, told = BurstReceiver(OWN), list[str]()
    for start in range(0, len(samples), chunk):
        receiver.push(samples[start : start + chunk])
        told += [fault.reason for fault in receiver.take_faults() if fault.kind == "strangers"]
    return receiver, told


@pytest.mark.parametrize("fft_len", [32, 128, 256])
@pytest.mark.parametrize("snr_db", [8.0, 100.0])
def test_another_waveform_is_told_after_its_first_bursts(fft_len: int, snr_db: float) -> None:
    receiver, told = strangers(stream(waveform_of(fft_len), 3, snr_db))
    assert len(told) == 1 and f"after {fft_len // 2} samples, not 32" in told[0]
    assert receiver.counters["strangers"] == 1 and receiver.counters["frames"] == 0


def test_another_sample_rate_is_told() -> None:
    samples = np.repeat(stream(OWN, 3, 100.0), 2)  # the sender sends half as fast
    _, told = strangers(samples)
    assert len(told) == 1 and "after 64 samples, not 32" in told[0]


def test_one_burst_is_told_at_the_end_of_a_recording() -> None:
    receiver, told = strangers(stream(waveform_of(128), 1, 20.0))
    assert not told
    receiver.flush()
    assert [fault.kind for fault in receiver.take_faults() if fault.strong].count("strangers") == 1


@pytest.mark.parametrize("snr_db", [3.0, 100.0])
def test_its_own_waveform_is_none(snr_db: float) -> None:
    receiver, told = strangers(stream(OWN, 4, snr_db))
    receiver.flush()
    assert not told and receiver.counters["strangers"] == 0 and receiver.counters["frames"] == 4


def test_noise_is_none() -> None:
    receiver, told = strangers(stream(OWN, 0, 0.0, seed=5))
    rng = np.random.default_rng(1)
    receiver.push((rng.standard_normal((200_000, 2)) @ [1, 1j]).astype(np.complex64))
    receiver.flush()
    assert not told and receiver.counters["strangers"] == 0


def test_bursts_of_anything_are_told_when_many_came() -> None:
    rng, parts = np.random.default_rng(2), []
    for _ in range(25):
        parts += [np.zeros(1000), rng.standard_normal((700, 2)) @ [1, 1j]]
    _, told = strangers(np.concatenate(parts).astype(np.complex64))
    assert len(told) == 1 and re.match(r"2[0-3] bursts .* same waveform", told[0])


def test_what_is_told_does_not_depend_on_the_chunks() -> None:
    samples = stream(waveform_of(128), 3, 15.0)
    assert strangers(samples, 777)[1] == strangers(samples, 50_000)[1]


def test_a_louder_floor_is_no_burst_for_ever() -> None:
    watch, rng = StrangerWatch(OWN), np.random.default_rng(4)
    noise = (rng.standard_normal((700_000, 2)) @ [1, 1j]).astype(np.complex64)
    assert watch.push(np.concatenate([0.01 * noise[:5000], noise])) == ""
    frames = 30 * stream(waveform_of(128), 3, 100.0) / 1.0
    frames += noise[: len(frames)] * 0.05
    assert "after 64 samples" in watch.push(frames.astype(np.complex64))


def test_the_lag_of_a_repetition() -> None:
    rng = np.random.default_rng(6)
    half = rng.standard_normal((48, 2)) @ [1, 1j]
    rest = rng.standard_normal((600, 2)) @ [1, 1j]
    assert repetition(np.concatenate([half, half, rest]).astype(np.complex64)) == [48]
    assert repetition(rest.astype(np.complex64)) == []


def test_nobody_looks_for_strangers_in_samples_that_hold_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: StrangerWatch, samples: np.ndarray) -> str:
        raise AssertionError("it costs more than the frame")

    monkeypatch.setattr(StrangerWatch, "push", fail)
    receiver = BurstReceiver(OWN)
    assert len(receiver.push(stream(OWN, 3, 20.0))) == 3
    with pytest.raises(AssertionError):  # without a frame it is looked for them
        BurstReceiver(OWN).push(np.zeros(5000, np.complex64))


@given(st.lists(st.sampled_from([0.01, 0.02, 0.5, 1.0, 3.0]), min_size=1, max_size=60), st.integers(1, 59))
def test_lengths_of_bursts_go_on_where_they_ended(powers: list[float], cut: int) -> None:
    samples = np.sqrt(np.repeat(powers, 64)).astype(np.complex64)
    whole, floor = burst_lengths(samples, np.inf, 0)
    first, low = burst_lengths(samples[: 64 * cut], np.inf, 0)
    second, low = burst_lengths(samples[64 * cut :], low, int(first[-1]))
    assert np.array_equal(np.concatenate([first, second]), whole) and low == floor
    for number, power in enumerate(powers):  # a burst is what is over four times the quietest before it
        quietest = min((p for p, n in zip(powers[:number], whole, strict=False) if n == 0), default=np.inf)
        assert (whole[number] > 0) == (power > 4 * quietest * (1 + 1e-6))
