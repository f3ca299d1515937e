"""Faults that are staged one at a time, and whether the receiver names them and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from m4sc.phy.channel.impairments import add_noise, multipath, resample, shift_carrier
from m4sc.phy.channel.tdl import draw_taps
from m4sc.phy.diagnosis_watch import CAUSES
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.header.protection import PROTECTIONS, Protection
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

NAMED = (*CAUSES, "clock_off", "strangers", "non_finite")
_FRAMES = 8  # of a stream
_CHUNK = 8192

Make = Callable[["Conditions", WaveformConfig, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Conditions:
    """What is drawn for a stream: SNR of a data carrier, dB; profile of its paths, "" for one."""

    snr_db: float
    profile: str


@dataclass(frozen=True)
class StagedFault:
    """cause: by which it should be named; make: samples that have it and nothing else."""

    cause: str
    make: Make


def clean_stream(
    conditions: Conditions,
    waveform: WaveformConfig,
    rng: np.random.Generator,
    frames: int = _FRAMES,
    lengths: tuple[int, int] = (48, 1000),
    protection: Protection = PROTECTIONS[1],
    overlap: bool = False,
    noise: bool = True,
) -> np.ndarray:
    """Frames of any length with silence between them, of one sender, in noise; complex128 (n,).

    overlap: every other frame begins inside the one before.
    """
    parts, end = list[tuple[int, np.ndarray]](), int(rng.integers(300, 3000))
    cfo, taps = rng.uniform(-1, 1) / waveform.fft_len, np.ones(1)
    if conditions.profile:
        taps = draw_taps(conditions.profile, 1.0, rng)
        taps = taps / np.sqrt(np.sum(np.abs(taps) ** 2))  # a fade of all paths is another fault: too weak
    for number in range(frames):
        count = int(rng.integers(*lengths))
        symbols = rng.standard_normal((count, 2)) @ [1, 1j] / np.sqrt(2)
        header = FrameHeader(PayloadKind.ANALOG, count, number)
        burst = multipath(modulate_frame(header, symbols, waveform, protection), taps)
        start = end
        if overlap and number % 2:
            begun, before = parts[-1]
            start = begun + int(len(before) * rng.uniform(0.3, 0.8))
        parts.append((start, burst * np.exp(2j * np.pi * rng.random())))
        end = max(end, start + len(burst)) + int(rng.integers(300, 3000))
    samples = np.zeros(end, complex)
    for start, burst in parts:
        stop = min(start + len(burst), end)
        samples[start:stop] += burst[: stop - start]
    samples = shift_carrier(samples, cfo, 6.0 * rng.random())
    return add_noise(samples, noise_voltage(conditions.snr_db, waveform), rng) if noise else samples


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.abs(samples) ** 2)))


def inverted(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """I and Q swapped."""
    return np.conj(clean_stream(c, w, rng))


def other_rate(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """1 to 6 % between the sample rates."""
    off = rng.choice([-1, 1]) * rng.uniform(1e4, 6e4)
    samples = resample(clean_stream(c, w, rng, noise=False), float(off))
    return add_noise(samples, noise_voltage(c.snr_db, w), rng)


def slow_clock(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """100 to 800 ppm, which is followed."""
    ppm = rng.choice([-1, 1]) * rng.uniform(100, 800)
    samples = resample(clean_stream(c, w, rng, noise=False, lengths=(2000, 4000)), float(ppm))
    return add_noise(samples, noise_voltage(c.snr_db, w), rng)


def far_clock(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """1200 to 1500 ppm, which is not."""
    ppm = rng.choice([-1, 1]) * rng.uniform(1200, 1500)
    stream = clean_stream(c, w, rng, noise=False, lengths=(1000, 3000), protection=PROTECTIONS[0])
    return add_noise(resample(stream, float(ppm)), noise_voltage(c.snr_db, w), rng)


def clipping(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """A converter whose range ends 2 to 6 dB above the mean power of a burst's I and Q, in 8 or 12 bits."""
    samples = clean_stream(c, w, rng)
    power = np.quantile(np.abs(samples) ** 2, 0.9) / 2.3
    most = np.sqrt(power / 2 * 10 ** (rng.uniform(2, 6) / 10))
    levels = 2.0 ** (rng.choice([8, 12]) - 1)
    return np.array([1, 1j]) @ [
        np.round(np.clip(part / most, -1, 1) * levels) / levels for part in (samples.real, samples.imag)
    ]


def dc_offset(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """-10 to 3 dB of the samples' power."""
    samples = clean_stream(c, w, rng)
    return samples + _rms(samples) * 10 ** (rng.uniform(-10, 3) / 20) * np.exp(6j * rng.random())


def carrier(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """The same inside the band."""
    samples = clean_stream(c, w, rng)
    number = rng.choice(w.occupied_carriers) + rng.uniform(-0.4, 0.4)
    turn = np.exp(2j * np.pi * (number / w.fft_len * np.arange(len(samples)) + rng.random()))
    return samples + _rms(samples) * 10 ** (rng.uniform(-10, 3) / 20) * turn


def other_waveform(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """One of twice the FFT length, or half of it."""
    fft_len = int(rng.choice([w.fft_len // 2, 2 * w.fft_len]))
    return clean_stream(c, waveform_of(fft_len, w, rng), rng)


def collision(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """Each second burst begins inside the one before."""
    return clean_stream(c, w, rng, lengths=(600, 1500), overlap=True)


def gap(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """Samples are missing in the middle of each frame, 11 to 69, as where a buffer ran over."""
    parts = []
    for _ in range(_FRAMES):
        samples = clean_stream(c, w, rng, frames=1, lengths=(1000, 2000))
        loud = np.convolve(np.abs(samples) ** 2, np.ones(80), "same")
        burst = np.flatnonzero(loud > 0.5 * np.quantile(loud, 0.9))
        place = int(rng.uniform(0.4, 0.7) * (burst[-1] - burst[0]) + burst[0])
        parts.append(np.delete(samples, slice(place, place + int(rng.integers(11, 70)))))
    return np.concatenate(parts)


def weak(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """Frames whose light headers come in at -4 to -2 dB."""
    conditions = replace(c, snr_db=float(rng.uniform(-4, -2)))
    return clean_stream(conditions, w, rng, protection=PROTECTIONS[0])


def nothing(c: Conditions, w: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """One value all the time."""
    return np.full(40_000, rng.choice([0.0, 0.3 + 0.1j]))


FAULTS = (
    StagedFault("inverted", inverted),
    StagedFault("rate_off", other_rate),
    StagedFault("slow_clock", slow_clock),
    StagedFault("clock_off", far_clock),
    StagedFault("clipping", clipping),
    StagedFault("dc", dc_offset),
    StagedFault("carrier", carrier),
    StagedFault("strangers", other_waveform),
    StagedFault("collisions", collision),
    StagedFault("gaps", gap),
    StagedFault("weak", weak),
    StagedFault("no_signal", nothing),
)


def waveform_of(fft_len: int, like: WaveformConfig, rng: np.random.Generator) -> WaveformConfig:
    """A waveform of another FFT length with the same share of carriers and prefix."""
    used = [n for n in range(-int(0.4 * fft_len), int(0.4 * fft_len) + 1) if n]
    pilots, numbers = used[::8], np.arange(-fft_len // 2, fft_len // 2)
    on = np.isin(numbers, used)
    first = np.where(on & (numbers % 2 == 0), rng.choice([-1.0, 1.0], fft_len) * 2**0.5, 0.0)
    second = np.where(on, rng.choice([-1.0, 1.0], fft_len), 0.0)
    return WaveformConfig(
        fft_len=fft_len,
        cp_len=fft_len * like.cp_len // like.fft_len,
        occupied_carriers=tuple(n for n in used if n not in pilots),
        pilot_carriers=tuple(pilots),
        pilot_symbols=tuple(tuple(map(float, row)) for row in rng.choice([-1, 1], (127, len(pilots)))),
        sync_word1=tuple(map(float, first)),
        sync_word2=tuple(map(float, second)),
    )


def named(samples: np.ndarray, waveform: WaveformConfig) -> tuple[list[str], int]:
    """Causes that the receiver names for a stream, each once, and how many frames it reads."""
    receiver, frames = BurstReceiver(waveform), 0
    for start in range(0, len(samples), _CHUNK):
        frames += len(receiver.push(samples[start : start + _CHUNK]))
    frames += len(receiver.flush())
    kinds = {fault.kind for fault in receiver.take_faults()}
    return [kind for kind in NAMED if kind in kinds], frames


def diagnose(
    fault: StagedFault, conditions: Sequence[Conditions], waveform: WaveformConfig, seed: int
) -> Counter[str]:
    """How often each cause was named in streams that have one fault, one stream a condition."""
    found: Counter[str] = Counter()
    for number, condition in enumerate(conditions):
        rng = np.random.default_rng([seed, number, FAULTS.index(fault)])
        causes, _ = named(fault.make(condition, waveform, rng), waveform)
        found.update(causes)
        found["right"] += fault.cause in causes
        found["alone"] += causes == [fault.cause]
    return found
