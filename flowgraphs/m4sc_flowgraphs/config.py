"""Parameters of the loopback flowgraph, the same as the variables of m4sc_loopback.grc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Names of this project's channels, and of the fading that ``gnuradio.m4sc.channel`` knows.
FADING = {"awgn": "none", "multipath": "taps", "fading": "paths", "tdl-a": "tdl-a", "tdl-c": "tdl-c"}
CHANNELS = tuple(FADING)
SYSTEMS = ("semantic", "classical")


@dataclass(frozen=True)
class LoopbackConfig:
    """One run.

    Attributes:
        snr_db: Es/N0 per data subcarrier, dB, for a channel of unit mean power gain.
        channel: ``awgn`` (flat), ``multipath`` (fixed ``taps``), ``fading`` (Rayleigh paths), ``tdl-a`` or
            ``tdl-c`` (3GPP TR 38.901), the last three of ``doppler_hz``.
        cfo_hz: carrier offset, Hz.
        sfo_ppm: sampling offset, parts per million.
        taps: impulse response at the sample rate for ``multipath``, scaled to unit energy.
        doppler_hz: maximum Doppler shift of fading channels, Hz.
        payload_kind: ``analog``, ``qam`` or ``digital``, for the semantic system.
        qam_order: points of the grid for ``qam``.
        levels: of a latent real, for ``digital``.
        mcs: scheme of digital payloads, -1: the best for ``snr_db`` less ``margin_db``.
        margin_db: dB.
        segment_bytes: bytes of a classical frame at most.
        gap_samples: zeros after each burst.
        zero_latents: the control experiment: the semantic decoder reads zeros.
        min_confidence: below it an answer is "not sure"; 0 for never.
        seed: of noise and fading.
        timeout_s: the run is ended after this, s; what has not arrived is lost.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
    """

    snr_db: float = 15.0
    channel: str = "awgn"
    cfo_hz: float = 500.0
    sfo_ppm: float = 0.0
    taps: tuple[complex, ...] = (1.0 + 0.0j, 0.0 + 0.35j, 0.0 + 0.0j, -0.2 + 0.0j)
    doppler_hz: float = 5.0
    payload_kind: str = "analog"
    qam_order: int = 256
    levels: int = 16
    mcs: int = -1
    margin_db: float = 1.0
    segment_bytes: int = 1024
    gap_samples: int = 800
    zero_latents: bool = False
    min_confidence: float = 0.0
    seed: int = 1
    timeout_s: float = 300.0
    waveform: Any = None

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise ValueError(f"channel is '{self.channel}'; use one of {', '.join(CHANNELS)}")
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}; give seconds above 0")
        if self.snr_db != self.snr_db:
            raise ValueError("snr_db is not a number; give dB, or inf for no noise")
