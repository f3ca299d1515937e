"""Whether the noise variances that the receiver tells are those of its symbols, and what they decode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from m4sc.phy.channel.amplifier import rapp
from m4sc.phy.channel.impairments import add_noise, multipath, resample, shift_carrier
from m4sc.phy.channel.interference import Spoil, burst_power, carrier, chirps, hit_symbols, pulses
from m4sc.phy.channel.phase_noise import PhaseNoise
from m4sc.phy.channel.tdl import draw_taps, path_gains
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.modulation.digital import decode_transport, encode_transport
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

_GAP = 600
_BYTES = 96
_DECILES = 10
_PREAMBLE = 2  # OFDM symbols


def clean(samples: np.ndarray, waveform: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
    """White noise alone."""
    return samples


def fading(profile: str, spread: float) -> Spoil:
    """A channel of many paths, other ones each frame."""

    def spoil(samples: np.ndarray, waveform: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
        return multipath(samples, draw_taps(profile, spread, rng))

    return spoil


def doppler(hz: float) -> Spoil:
    """A flat channel that changes inside the frame."""

    def spoil(samples: np.ndarray, waveform: WaveformConfig, rng: np.random.Generator) -> np.ndarray:
        gains = path_gains("A", hz, rng)(np.arange(len(samples)) / waveform.samp_rate)
        return samples * gains.sum(axis=0)

    return spoil


def clock(ppm: float) -> Spoil:
    """A receiver whose sampling clock is off."""
    return lambda samples, waveform, rng: resample(samples, ppm)


def phase_noise(linewidth_hz: float) -> Spoil:
    """An oscillator that wanders."""
    return lambda samples, waveform, rng: PhaseNoise(linewidth_hz, waveform.samp_rate, rng).process(samples)


def clipping(backoff_db: float) -> Spoil:
    """A transmitter's amplifier near its limit."""
    return lambda samples, waveform, rng: rapp(samples, backoff_db, 3.0, burst_power(samples))


@dataclass(frozen=True)
class NoiseTrial:
    """One condition.

    Attributes:
        name: of it.
        spoil: what is done to the samples before noise comes on top.
        snr_db: Es/N0 a data carrier, without what spoils it.
        mcs: scheme of the payload.
    """

    name: str
    spoil: Spoil
    snr_db: float = 15.0
    mcs: int = 5


@dataclass(frozen=True)
class ToldNoise:
    """ratio_db: error power over what was told, of all symbols; deciles_db: by decile of what was told;
    decoded and lost: payloads that came through, frames not received."""

    ratio_db: float
    deciles_db: tuple[float, ...]
    decoded: int
    lost: int
    frames: int

    @property
    def worst_db(self) -> float:
        """The largest of them, with its sign."""
        return max((self.ratio_db, *self.deciles_db), key=abs)


def told_noise(trial: NoiseTrial, frames: int, waveform: WaveformConfig, seed: int) -> ToldNoise:
    """Send frames with a digital payload one by one; compare their symbols' errors with what was told."""
    rng, receiver = np.random.default_rng(seed), BurstReceiver(waveform)
    errors, told, decoded, lost = [], [], 0, 0
    for _ in range(frames):
        data = rng.bytes(_BYTES)
        symbols = encode_transport(data, trial.mcs)
        header = FrameHeader(PayloadKind.DIGITAL, len(symbols), mcs=trial.mcs, payload_bytes=_BYTES)
        burst = modulate_frame(header, symbols, waveform)
        samples = np.concatenate([np.zeros(_GAP + int(rng.integers(80))), burst, np.zeros(_GAP)])
        samples = shift_carrier(
            trial.spoil(samples, waveform, rng), rng.uniform(-1, 1) / waveform.fft_len, 6 * rng.random()
        )
        samples = add_noise(samples, noise_voltage(trial.snr_db, waveform), rng)
        found = [f for f in receiver.push(samples) + receiver.flush() if len(f.symbols) == len(symbols)]
        if not found:
            lost += 1
            continue
        errors.append(np.abs(found[0].symbols - symbols) ** 2)
        told.append(found[0].noise_var)
        decoded += decode_transport(found[0].symbols, found[0].noise_var, trial.mcs, _BYTES) == data
    if not errors:
        return ToldNoise(float("nan"), (), 0, lost, frames)
    error, variance = np.concatenate(errors), np.concatenate(told)
    ratio = error / variance
    order = np.array_split(np.argsort(variance, kind="stable"), _DECILES)
    deciles = tuple(float(10 * np.log10(np.mean(ratio[part]))) for part in order)
    return ToldNoise(float(10 * np.log10(np.mean(ratio))), deciles, decoded, lost, frames)


TOLD = (
    NoiseTrial("AWGN 5 dB", clean, 5.0, 0),
    NoiseTrial("AWGN 15 dB", clean),
    NoiseTrial("AWGN 30 dB", clean, 30.0),
    NoiseTrial("TDL-A", fading("A", 1.0), 20.0),
    NoiseTrial("TDL-C", fading("C", 1.0), 15.0),
    NoiseTrial("Doppler 100 Hz", doppler(100.0), 20.0),
    NoiseTrial("carrier 0 dB", carrier(0.0)),
    NoiseTrial("carrier -10 dB", carrier(-10.0)),
    NoiseTrial("pulses +10 dB", pulses(10.0)),
    NoiseTrial("pulses 0 dB", pulses(0.0)),
    NoiseTrial("chirp 0 dB", chirps(0.0)),
    NoiseTrial("chirp -10 dB", chirps(-10.0)),
    NoiseTrial("clock 100 ppm", clock(100.0), 25.0),
    NoiseTrial("phase noise 100 Hz", phase_noise(100.0), 25.0),
    NoiseTrial("clipping", clipping(3.0), 25.0),
)


# Against the burst, at 15 dB: the payload's scheme is one that white noise of this SNR leaves without errors.
INTERFERED = (
    NoiseTrial("carrier 0 dB, QPSK 1/2", carrier(0.0), mcs=3),
    *(
        NoiseTrial(f"carrier {level:+.0f} dB, 16-QAM 1/2", carrier(level))
        for level in (-10.0, -5.0, 0.0, 3.0)
    ),
    NoiseTrial("symbols hit, +10 dB, QPSK 1/2", hit_symbols(10.0, spared=_PREAMBLE), mcs=3),
    NoiseTrial("symbols hit, +15 dB, 16-QAM 1/2", hit_symbols(15.0, spared=_PREAMBLE)),
)

# The same where the preamble may be hit as well, and by pulses that begin anywhere, so that one hits two
# symbols: of these, known noise variances and a known channel decode 0.89 of all +15 dB.
HIT_ANYWHERE = (
    NoiseTrial("symbols hit, the preamble too, +15 dB, 16-QAM 1/2", hit_symbols(15.0)),
    NoiseTrial("pulses +10 dB, QPSK 1/2", pulses(10.0), mcs=3),
    NoiseTrial("pulses +15 dB, 16-QAM 1/2", pulses(15.0)),
)
