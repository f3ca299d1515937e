"""What the link in torch assumes of air and receiver."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from m4sc.phy.waveform import WaveformConfig


@dataclass(frozen=True)
class LinkConfig:
    """Parameters beside channel and SNR.

    Attributes:
        waveform: its carriers, prefix and sample rate.
        delay_spread_s: RMS delay spread of the TDL profiles.
        doppler_hz: maximum Doppler shift of the TDL profiles.
        rician_k_db: line of sight over scattered power of "rician".
        interleaved: TDL: symbols are spread over carriers and time (``m4sc.phy.modulation.interleaver``).
        amplifier_backoff_db, amplifier_smoothness: of a Rapp amplifier; infinite back-off for none.
    """

    waveform: WaveformConfig = field(default_factory=WaveformConfig)
    delay_spread_s: float = 1.5e-6
    doppler_hz: float = 0.0
    rician_k_db: float = 6.0
    interleaved: bool = True
    amplifier_backoff_db: float = math.inf
    amplifier_smoothness: float = 3.0


@dataclass(frozen=True)
class EstimationConfig:
    """Which errors of the real receiver are simulated.

    Attributes:
        channel: the smoothed estimate from the header, with its noise and its bias.
        phase: the common phase tracked on pilots, with its noise.
        noise: the noise variance measured on the header instead of the true one.
    """

    channel: bool = True
    phase: bool = True
    noise: bool = True
