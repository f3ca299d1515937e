"""How much worse the receiver's symbols are than those of one that knows the channel and its noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from m4sc.phy.channel.impairments import add_noise, multipath, resample, shift_carrier
from m4sc.phy.channel.tdl import draw_taps
from m4sc.phy.frame import modulate_frame
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.snr import noise_voltage
from m4sc.phy.waveform import WaveformConfig

_GAP = 400


@dataclass(frozen=True)
class EqualizerTrial:
    """One kind of frame and channel.

    Attributes:
        snr_db: Es/N0 a data subcarrier, before fading.
        cfo_carriers: carrier offset, subcarriers.
        sfo_ppm: offset of the sampling clock.
        tdl: profile "A" to "E", empty for a flat channel.
        spread_samples: RMS delay spread.
        n_symbols: of a frame.
    """

    snr_db: float
    cfo_carriers: float = 0.0
    sfo_ppm: float = 0.0
    tdl: str = ""
    spread_samples: float = 0.0
    n_symbols: int = 200


@dataclass(frozen=True)
class EqualizerLoss:
    """loss_db: error power over a genie's; noise_var_db: error power over the variances reported;
    lost: frames not received, of which `refused` for their sampling clock."""

    loss_db: float
    noise_var_db: float
    lost: int
    frames: int
    refused: int = 0


def equalizer_loss(
    trial: EqualizerTrial, frames: int, waveform: WaveformConfig, seed: int = 0
) -> EqualizerLoss:
    """Send frames one by one and compare.

    A genie knows H and N0: its unbiased symbols have the variance N0 / |H|^2 (zero forcing and unbiased
    MMSE are one on a single tap). Each error is weighted with |H|^2 / N0, so that a genie scores 0 dB.
    """
    rng = np.random.default_rng(seed)
    noise = noise_voltage(trial.snr_db, waveform)
    weighted, reported, lost = [], [], 0
    receiver = BurstReceiver(waveform)  # its tables take longer than a frame; a flush forgets the rest
    for _ in range(frames):
        sent = rng.standard_normal((2, trial.n_symbols)) / np.sqrt(2.0)
        symbols = sent[0] + 1j * sent[1]
        taps = draw_taps(trial.tdl, trial.spread_samples, rng) if trial.tdl else np.ones(1)
        samples = _through(symbols, taps, trial, waveform, noise, rng)
        found = [f for f in receiver.push(samples) + receiver.flush() if len(f.symbols) == len(symbols)]
        if not found:
            lost += 1
            continue
        gain = np.abs(np.fft.fft(taps, waveform.fft_len)[waveform.data_bins]) ** 2
        error = np.abs(found[0].symbols - symbols) ** 2
        weighted.append(np.mean(error * np.resize(gain, len(error))) / noise**2)
        reported.append(np.mean(error / found[0].noise_var))
    refused = receiver.counters["clock_off"]
    if not weighted:
        return EqualizerLoss(float("nan"), float("nan"), lost, frames, refused)
    loss_db, noise_var_db = (float(10 * np.log10(np.mean(ratios))) for ratios in (weighted, reported))
    return EqualizerLoss(loss_db, noise_var_db, lost, frames, refused)


def _through(
    symbols: np.ndarray,
    taps: np.ndarray,
    trial: EqualizerTrial,
    waveform: WaveformConfig,
    noise: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Samples of one frame behind the channel."""
    burst = modulate_frame(FrameHeader(PayloadKind.ANALOG, len(symbols)), symbols, waveform)
    samples = np.concatenate([np.zeros(_GAP + int(rng.integers(80))), burst, np.zeros(_GAP)])
    samples = multipath(samples, taps)
    if trial.sfo_ppm:
        samples = resample(samples, trial.sfo_ppm)
    samples = shift_carrier(samples, trial.cfo_carriers / waveform.fft_len, 2 * np.pi * rng.random())
    return add_noise(samples, noise, rng)
