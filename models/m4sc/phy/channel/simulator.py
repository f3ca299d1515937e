"""A channel's stages put together, for a whole recording or a stream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from m4sc.phy.channel.amplifier import rapp
from m4sc.phy.channel.config import TDL_FADINGS, ChannelConfig
from m4sc.phy.channel.delay_line import DelayLine
from m4sc.phy.channel.fading import PathGains, rician_powers
from m4sc.phy.channel.impairments import HALF_WIDTH, add_noise, shift_carrier
from m4sc.phy.channel.interruptions import DropOuts, InterferenceBursts, Interruptions
from m4sc.phy.channel.iq_imbalance import iq_imbalance
from m4sc.phy.channel.phase_noise import PhaseNoise
from m4sc.phy.channel.resampler import ClockOffset
from m4sc.phy.channel.tdl import get_profile, path_gains
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig


class Stage(Protocol):
    """One thing that happens to samples; keeps its own state between chunks."""

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Complex samples in and out."""
        ...


def mean_sample_power(waveform: WaveformConfig) -> float:
    """Mean power of a payload's samples: data symbols of unit energy and pilots over fft_len carriers."""
    pilots = float(np.mean(np.sum(np.abs(np.array(waveform.pilot_symbols)) ** 2, axis=1)))
    return (waveform.n_data_carriers + pilots) / waveform.fft_len


@dataclass
class Amplifier:
    """Rapp's amplifier as a stage."""

    backoff_db: float
    smoothness: float
    mean_power: float

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Amplified samples."""
        return rapp(samples, self.backoff_db, self.smoothness, self.mean_power)


class FixedTaps:
    """Convolution with taps of unit energy, in chunks."""

    def __init__(self, taps: tuple[complex, ...]) -> None:
        array = np.array(taps, complex)
        self._taps = array / np.linalg.norm(array)
        self._tail = np.zeros(len(array) - 1, complex)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """As many samples as came."""
        line = np.concatenate([self._tail, samples])
        self._tail = line[len(samples) :]
        return np.convolve(line, self._taps, "valid") if len(samples) else np.zeros(0, complex)


@dataclass
class CarrierOffset:
    """A constant carrier offset as a stage; `hz` may change while running."""

    hz: float
    samp_rate: float
    phase: float = 0.0

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Turned samples."""
        cycles = self.hz / self.samp_rate
        out = shift_carrier(samples, cycles, self.phase)
        self.phase = (self.phase + 2 * np.pi * cycles * len(samples)) % (2 * np.pi)
        return out


@dataclass
class Noise:
    """White noise as a stage."""

    voltage: float
    rng: np.random.Generator

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Noisy samples."""
        return add_noise(samples, self.voltage, self.rng)


@dataclass
class IqImbalance:
    """A receiver's imbalance as a stage."""

    gain_db: float
    phase_deg: float

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Imbalanced samples."""
        return iq_imbalance(samples, self.gain_db, self.phase_deg)


def fading_stage(config: ChannelConfig, samp_rate: float, rng: np.random.Generator) -> Stage | None:
    """Multipath and fading of `config`, None for a flat and steady channel."""
    if config.fading == "none":
        return None
    if config.fading == "taps":
        return FixedTaps(config.taps)
    doppler = config.doppler_hz
    if config.fading in TDL_FADINGS:
        letter = config.fading[-1].upper()
        delays = np.array(get_profile(letter).delays) * config.delay_spread_s * samp_rate
        return DelayLine(delays, path_gains(letter, doppler, rng), doppler, samp_rate)
    if config.fading == "paths":
        power = 10.0 ** (np.array(config.powers_db) / 10.0)
        gains = PathGains(power / power.sum(), doppler, rng)
        return DelayLine(np.array(config.delays_samples), gains, doppler, samp_rate)
    los, scattered = rician_powers(config.rician_k_db) if config.fading == "rician" else (0.0, 1.0)
    return DelayLine(np.zeros(1), PathGains(np.array([scattered]), doppler, rng, los), doppler, samp_rate)


def interference_stage(config: ChannelConfig, samp_rate: float, rng: np.random.Generator) -> Stage | None:
    """Interference bursts of `config`, None for none."""
    if config.interference_rate_hz == 0:
        return None
    intervals = Interruptions(config.interference_rate_hz, config.interference_s, samp_rate, rng)
    return InterferenceBursts(intervals, 10.0 ** (config.interference_db / 10.0), rng)


def child_rng(rng: np.random.Generator) -> np.random.Generator:
    """A generator of its own for one stage; ``Generator.spawn`` is not in Debian's NumPy 1.24."""
    return np.random.default_rng(rng.integers(2**63, size=4))


class ChannelSimulator:
    """Stages of a channel in the order of :class:`ChannelConfig`; their state goes on from chunk to chunk.

    Args:
        config: the channel.
        waveform: its sample rate, and what SNR and back-off refer to.
        rng: of everything random, split so that a stage's draws do not depend on another's.
    """

    def __init__(self, config: ChannelConfig, waveform: WaveformConfig, rng: np.random.Generator) -> None:
        rate = waveform.samp_rate
        fading_rng, burst_rng, phase_rng, noise_rng, drop_rng = (child_rng(rng) for _ in range(5))
        clock = ClockOffset(config.sfo_ppm) if config.sfo_ppm else None
        self.drop_outs: DropOuts | None = None
        if config.dropout_rate_hz:
            self.drop_outs = DropOuts(Interruptions(config.dropout_rate_hz, config.dropout_s, rate, drop_rng))
        stages: list[Stage | None] = [
            Amplifier(config.amplifier_backoff_db, config.amplifier_smoothness, mean_sample_power(waveform))
            if config.amplifier_backoff_db < math.inf
            else None,
            fading_stage(config, rate, fading_rng),
            interference_stage(config, rate, burst_rng),
            clock,
            PhaseNoise(config.phase_noise_linewidth_hz, rate, phase_rng)
            if config.phase_noise_linewidth_hz
            else None,
            CarrierOffset(config.cfo_hz, rate) if config.cfo_hz else None,
            Noise(noise_voltage(config.snr_db, waveform), noise_rng) if config.snr_db < math.inf else None,
            IqImbalance(config.iq_gain_db, config.iq_phase_deg)
            if config.iq_gain_db or config.iq_phase_deg
            else None,
            self.drop_outs,
        ]
        self.stages: list[Stage] = [stage for stage in stages if stage is not None]

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Samples behind the channel, complex128: as many as came unless the clock is off."""
        out = np.asarray(samples, complex)
        for stage in self.stages:
            out = stage.process(out)
        return out


def apply_channel(
    samples: np.ndarray, config: ChannelConfig, waveform: WaveformConfig, rng: np.random.Generator
) -> np.ndarray:
    """A recording behind the channel, complex128 (n,).

    A clock offset takes away, or adds, what it does to a recording of this length; the last samples are
    interpolated with silence behind them.

    Args:
        samples: complex (n,); data symbols of unit energy at an orthonormal FFT's output.
        config, waveform, rng: as of :class:`ChannelSimulator`.
    """
    if not config.sfo_ppm:
        return ChannelSimulator(config, waveform, rng).process(samples)
    margin = np.zeros(2 * HALF_WIDTH + int(len(samples) * abs(config.sfo_ppm) * 1e-6) + 2, complex)
    return ChannelSimulator(config, waveform, rng).process(np.concatenate([samples, margin]))[: len(samples)]
