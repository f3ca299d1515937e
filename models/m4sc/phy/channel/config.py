"""What a simulated radio channel does, as one configuration."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from m4sc.json_fields import Convert, from_json

TDL_FADINGS = ("tdl-a", "tdl-b", "tdl-c", "tdl-d", "tdl-e")
FADINGS = ("none", "taps", "rayleigh", "rician", "paths", *TDL_FADINGS)
MOST_SNR_DB = 200.0  # float32 has no room for the noise, or the signal, beyond
_NOT_NEGATIVE = (
    "delay_spread_s",
    "doppler_hz",
    "phase_noise_linewidth_hz",
    "dropout_rate_hz",
    "interference_rate_hz",
)
_POSITIVE = ("amplifier_smoothness", "dropout_s", "interference_s")


@dataclass(frozen=True)
class ChannelConfig:
    """A channel, in the order in which samples pass it.

    Attributes:
        amplifier_backoff_db: input back-off of a Rapp amplifier against the mean power of a frame's samples,
            dB; infinite for none.
        amplifier_smoothness: p of its knee, > 0.
        fading: ``none``; ``taps`` (fixed ``taps``); ``rayleigh`` or ``rician`` (flat); ``paths`` (Rayleigh
            paths of ``delays_samples`` and ``powers_db``); ``tdl-a`` to ``tdl-e`` (TR 38.901).
        taps: impulse response at the sample rate, scaled to unit energy.
        rician_k_db: line of sight over scattered power.
        delays_samples, powers_db: of the paths; powers are scaled to a sum of one.
        delay_spread_s: RMS delay spread by which a TDL profile's delays are scaled.
        doppler_hz: maximum Doppler shift of all fading; 0 keeps one draw.
        interference_rate_hz, interference_s, interference_db: bursts of white noise: mean number a second,
            mean duration, power over that of a data symbol on its subcarrier; rate 0 for none.
        sfo_ppm: by how much the receiver's sampling clock is slow.
        phase_noise_linewidth_hz: full 3 dB width of the oscillator's line.
        cfo_hz: carrier offset.
        snr_db: Es/N0 a data subcarrier at the receiver's FFT output, before fading and amplifier, for unit
            mean power gain; infinite for no noise.
        iq_gain_db, iq_phase_deg: imbalance of the receiver's branches.
        dropout_rate_hz, dropout_s: samples replaced by zeros: mean number a second, mean duration.
    """

    amplifier_backoff_db: float = math.inf
    amplifier_smoothness: float = 3.0
    fading: str = "none"
    taps: tuple[complex, ...] = (1.0 + 0.0j,)
    rician_k_db: float = 6.0
    delays_samples: tuple[float, ...] = (0.0, 1.0, 3.0)
    powers_db: tuple[float, ...] = (0.0, -5.0, -10.0)
    delay_spread_s: float = 1.5e-6
    doppler_hz: float = 0.0
    interference_rate_hz: float = 0.0
    interference_s: float = 1e-3
    interference_db: float = 0.0
    sfo_ppm: float = 0.0
    phase_noise_linewidth_hz: float = 0.0
    cfo_hz: float = 0.0
    snr_db: float = 20.0
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dropout_rate_hz: float = 0.0
    dropout_s: float = 1e-4

    def __post_init__(self) -> None:
        if self.fading not in FADINGS:
            raise ValueError(f"fading is '{self.fading}'; use one of {', '.join(FADINGS)}")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        if math.isnan(self.snr_db) or math.isnan(self.amplifier_backoff_db) or self.snr_db == -math.inf:
            raise ValueError("snr_db and amplifier_backoff_db are dB, or inf for no noise and no amplifier")
        if abs(self.snr_db) > MOST_SNR_DB and self.snr_db != math.inf:
            raise ValueError(f"snr_db is {self.snr_db:g}; give {-MOST_SNR_DB:g} to {MOST_SNR_DB:g}, or inf")
        if abs(self.sfo_ppm) > 1000:
            raise ValueError(f"sfo_ppm is {self.sfo_ppm}; give parts per million within -1000 to 1000")
        if len(self.delays_samples) != len(self.powers_db) or not self.delays_samples:
            raise ValueError(
                f"{len(self.delays_samples)} delays for {len(self.powers_db)} powers; give one power a path"
            )
        if min(self.delays_samples) < 0:
            raise ValueError(f"delays_samples has {min(self.delays_samples)}; give 0 or more")
        energy = sum(abs(tap) ** 2 for tap in self.taps)
        if not 0 < energy < math.inf:
            raise ValueError("taps hold no energy; give at least one finite tap that is not zero")

    def to_json(self) -> str:
        """JSON text with every field; taps as pairs, an infinite value as "inf"."""
        values = {key: "inf" if value == math.inf else value for key, value in asdict(self).items()}
        values["taps"] = [[complex(tap).real, complex(tap).imag] for tap in self.taps]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ChannelConfig:
        """Inverse of :meth:`to_json`; raises ValueError as :func:`m4sc.json_fields.from_json`."""
        special: dict[str, Convert] = {"taps": _taps, "snr_db": _decibels, "amplifier_backoff_db": _decibels}
        return from_json(cls, text, "the channel", special)


def _taps(pairs: list[list[float]]) -> tuple[complex, ...]:
    return tuple(complex(*pair) for pair in pairs)


def _decibels(value: str | float) -> float:
    return float(value)  # "inf" is written as a text: JSON knows no infinity
