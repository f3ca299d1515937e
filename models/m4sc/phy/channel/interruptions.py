"""What comes and goes: drop-outs of the receiver, and bursts of someone else."""

from __future__ import annotations

import numpy as np


class Interruptions:
    """Intervals that begin as a Poisson process and last an exponential time, in chunks of any size.

    Attributes:
        begun: intervals that began so far.

    Args:
        rate_hz: mean number of beginnings a second.
        mean_s: mean duration, seconds; intervals may overlap.
        samp_rate: Hz.
        rng: of both.
    """

    def __init__(self, rate_hz: float, mean_s: float, samp_rate: float, rng: np.random.Generator) -> None:
        self.begun = 0
        self._gap, self._mean = samp_rate / rate_hz, mean_s * samp_rate
        self._rng = rng
        self._passed = 0
        self._next = rng.exponential(self._gap)
        self._until = 0  # sample number at which the last interval ends

    def mask(self, count: int) -> np.ndarray:
        """Which of the next `count` samples lie inside an interval, bool (count,)."""
        inside = np.zeros(count, bool)
        end = self._passed + count
        inside[: max(0, self._until - self._passed)] = True
        while self._next < end:
            start = int(self._next)
            stop = start + max(1, round(self._rng.exponential(self._mean)))
            inside[start - self._passed : max(0, stop - self._passed)] = True
            self._until = max(self._until, stop)
            self._next += self._rng.exponential(self._gap)
            self.begun += 1
        self._passed = end
        return inside


class DropOuts:
    """Samples lost by the receiver: zeros inside the intervals."""

    def __init__(self, intervals: Interruptions) -> None:
        self.intervals = intervals

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Samples with holes, complex128 (n,)."""
        return np.where(self.intervals.mask(len(samples)), 0, np.asarray(samples, complex))


class InterferenceBursts:
    """White noise of `power` (linear, a complex sample) added inside the intervals."""

    def __init__(self, intervals: Interruptions, power: float, rng: np.random.Generator) -> None:
        self.intervals, self._deviation, self._rng = intervals, np.sqrt(power / 2.0), rng

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Samples with bursts, complex128 (n,)."""
        mask = self.intervals.mask(len(samples))
        out = np.array(samples, complex)
        pairs = self._rng.standard_normal((2, int(mask.sum())))
        out[mask] += self._deviation * (pairs[0] + 1j * pairs[1])
        return out
