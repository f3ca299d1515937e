"""Tapped delay lines TDL-A to TDL-E of 3GPP TR 38.901, tables 7.7.2-1 to 7.7.2-5.

The tables are equal, number by number, to those that Sionna 2.2 ships for versions 16.1 and 19.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from m4sc.phy.channel.delay_line import tap_shapes
from m4sc.phy.channel.fading import LOS_DOPPLER, PathGains


@dataclass(frozen=True)
class TdlProfile:
    """delays: normalised to the RMS delay spread; powers_db: of the paths; line_of_sight: the first is."""

    delays: tuple[float, ...]
    powers_db: tuple[float, ...]
    line_of_sight: bool = False


PROFILES = {
    "A": TdlProfile(
        (0.0, 0.3819, 0.4025, 0.5868, 0.4610, 0.5375, 0.6708, 0.5750, 0.7618, 1.5375, 1.8978, 2.2242, 2.1718,
         2.4942, 2.5119, 3.0582, 4.0810, 4.4579, 4.5695, 4.7966, 5.0066, 5.3043, 9.6586),
        (-13.4, 0.0, -2.2, -4.0, -6.0, -8.2, -9.9, -10.5, -7.5, -15.9, -6.6, -16.7, -12.4,
         -15.2, -10.8, -11.3, -12.7, -16.2, -18.3, -18.9, -16.6, -19.9, -29.7),
    ),
    "B": TdlProfile(
        (0.0, 0.1072, 0.2155, 0.2095, 0.2870, 0.2986, 0.3752, 0.5055, 0.3681, 0.3697, 0.5700, 0.5283, 1.1021,
         1.2756, 1.5474, 1.7842, 2.0169, 2.8294, 3.0219, 3.6187, 4.1067, 4.2790, 4.7834),
        (0.0, -2.2, -4.0, -3.2, -9.8, -1.2, -3.4, -5.2, -7.6, -3.0, -8.9, -9.0, -4.8,
         -5.7, -7.5, -1.9, -7.6, -12.2, -9.8, -11.4, -14.9, -9.2, -11.3),
    ),
    "C": TdlProfile(
        (0.0, 0.2099, 0.2219, 0.2329, 0.2176, 0.6366, 0.6448, 0.6560, 0.6584, 0.7935, 0.8213, 0.9336, 1.2285,
         1.3083, 2.1704, 2.7105, 4.2589, 4.6003, 5.4902, 5.6077, 6.3065, 6.6374, 7.0427, 8.6523),
        (-4.4, -1.2, -3.5, -5.2, -2.5, 0.0, -2.2, -3.9, -7.4, -7.1, -10.7, -11.1, -5.1,
         -6.8, -8.7, -13.2, -13.9, -13.9, -15.8, -17.1, -16.0, -15.7, -21.6, -22.8),
    ),
    "D": TdlProfile(
        (0.0, 0.0, 0.035, 0.612, 1.363, 1.405, 1.804, 2.596, 1.775, 4.042, 7.937, 9.424, 9.708, 12.525),
        (-0.2, -13.5, -18.8, -21.0, -22.8, -17.9, -20.1, -21.9, -22.9, -27.8, -23.6, -24.8, -30.0, -27.7),
        line_of_sight=True,
    ),
    "E": TdlProfile(
        (0.0, 0.0, 0.5133, 0.5440, 0.5630, 0.5440, 0.7112, 1.9092, 1.9293, 1.9589, 2.6426, 3.7136, 5.4524,
         12.0034, 20.6519),
        (-0.03, -22.03, -15.8, -18.1, -19.8, -22.9, -22.4, -18.6, -20.8, -22.6, -22.3, -25.6, -20.2,
         -29.8, -29.2),
        line_of_sight=True,
    ),
}  # fmt: skip


def get_profile(profile: str) -> TdlProfile:
    """Profile "A" to "E"; raises ValueError for another name."""
    if profile not in PROFILES:
        raise ValueError(f"TDL profile '{profile}' is none of {', '.join(PROFILES)}")
    return PROFILES[profile]


def mean_powers(table: TdlProfile) -> tuple[np.ndarray, float]:
    """Scattered power of each path, float (paths,), and power of the line of sight; together 1."""
    power = 10.0 ** (np.array(table.powers_db) / 10.0)
    power /= power.sum()
    los = float(power[0]) if table.line_of_sight else 0.0
    return np.where((np.arange(len(power)) == 0) & table.line_of_sight, 0.0, power), los


def path_gains(profile: str, doppler_hz: float, rng: np.random.Generator) -> PathGains:
    """Time-varying gains of a profile's paths; its line of sight has 0.7 of the maximum Doppler."""
    powers, los = mean_powers(get_profile(profile))
    return PathGains(powers, doppler_hz, rng, los, LOS_DOPPLER)


def draw_taps(profile: str, spread_samples: float, rng: np.random.Generator) -> np.ndarray:
    """One impulse response at the sample rate, complex128 (taps,), E[sum |h|^2] about 1.

    Every path but a line of sight is Rayleigh; fractional delays are interpolated, so that energy also
    stands a few samples in front of the first path.

    Args:
        profile: "A" to "E".
        spread_samples: RMS delay spread in samples.
        rng: of the paths' gains.

    Raises:
        ValueError: unknown profile, or a negative spread.
    """
    if spread_samples < 0:
        raise ValueError(f"a delay spread of {spread_samples} samples is negative")
    table = get_profile(profile)
    powers, los = mean_powers(table)
    pairs = rng.standard_normal((2, len(powers)))
    gains = (pairs[0] + 1j * pairs[1]) * np.sqrt(powers / 2.0)
    gains[0] += np.sqrt(los) * np.exp(2j * np.pi * rng.random())
    return np.asarray(tap_shapes(np.array(table.delays) * spread_samples) @ gains)
