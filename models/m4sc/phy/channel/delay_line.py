"""A tapped delay line whose taps move while samples pass."""

from __future__ import annotations

import numpy as np

from m4sc.phy.channel.fading import PathGains
from m4sc.phy.channel.impairments import pulse

LEAD_SAMPLES = 3  # of the pulse kept in front of the first path
_TURN_A_STEP = 0.05  # rad of the fastest path between two instants at which gains are worked out
_MAX_STEP = 4096


def tap_shapes(delays_samples: np.ndarray) -> np.ndarray:
    """Band-limited pulses of paths at fractional delays, float (taps, paths).

    The first tap stands `LEAD_SAMPLES` in front of delay 0; what a pulse has further ahead is cut. Whole
    delays take one tap each, and no lead.
    """
    delays = np.asarray(delays_samples, float)
    whole = np.array_equal(delays, np.round(delays))
    lead = 0 if whole else LEAD_SAMPLES
    places = np.arange(-lead, int(np.ceil(delays.max())) + lead + 1)
    return pulse(places[:, None] - delays)


class DelayLine:
    """y(n) = sum_l h_l(n) x(n - l), h(n) = shapes g(n): multipath fading, in chunks of any size.

    Gains are exact every step and linear in between; the step is chosen so that the fastest path turns by
    0.05 rad in it, which leaves an error 70 dB below the path.

    Args:
        delays_samples: float (paths,), >= 0.
        gains: of the paths.
        doppler_hz, samp_rate: Hz, which set the step.
    """

    def __init__(
        self, delays_samples: np.ndarray, gains: PathGains, doppler_hz: float, samp_rate: float
    ) -> None:
        self._shapes, self._gains, self._samp_rate = tap_shapes(delays_samples), gains, samp_rate
        fastest = 2 * np.pi * doppler_hz / samp_rate
        self._step = int(np.clip(_TURN_A_STEP / max(fastest, 1e-12), 1, _MAX_STEP))
        self._still = doppler_hz == 0
        self._passed = 0
        self._tail = np.zeros(len(self._shapes) - 1, complex)

    def taps(self, times_s: np.ndarray) -> np.ndarray:
        """Impulse responses at `times_s`, complex128 (taps, n)."""
        return np.asarray(self._shapes @ self._gains(times_s))

    def process(self, samples: np.ndarray) -> np.ndarray:
        """As many samples as came, complex128 (n,)."""
        count = len(samples)
        if count == 0:
            return np.zeros(0, complex)
        line = np.concatenate([self._tail, samples])
        out = np.zeros(count, complex)
        first = self._passed // self._step
        grid = np.arange(first, (self._passed + count) // self._step + 2)
        taps = self.taps(grid[:1] * 0.0 if self._still else grid * (self._step / self._samp_rate))
        places = (self._passed + np.arange(count)) / self._step
        for lag, tap in enumerate(taps):
            start = len(self._tail) - lag
            delayed = line[start : start + count]
            out += delayed * (tap[0] if self._still else np.interp(places, grid, tap))
        self._passed += count
        self._tail = line[len(line) - len(self._tail) :]
        return out
