"""A sampling clock that is off, for a stream."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from m4sc.phy.channel.impairments import HALF_WIDTH, pulse

_PHASES = 1 << 13  # of a sample for which the pulse is tabulated; leaves an error 70 dB below the samples


@lru_cache(maxsize=1)
def _pulse_table() -> np.ndarray:
    """Pulse at k - fraction, float64 (2 HALF_WIDTH + 1, _PHASES + 1), fraction from -0.5 to 0.5."""
    lags = np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    return pulse(np.linspace(-0.5, 0.5, _PHASES + 1) - lags[:, None])


class ClockOffset:
    """Samples at n (1 + sfo_ppm 1e-6), interpolated by a Kaiser-windowed sinc, in chunks of any size.

    gr-channels' resampler has eight taps and loses the outer quarter of the band; 33 taps keep it. The
    output lags by the pulse's half width and has, in the long run, 1 / (1 + sfo_ppm 1e-6) as many samples.
    """

    def __init__(self, sfo_ppm: float) -> None:
        self._step = sfo_ppm * 1e-6
        self._line: np.ndarray = np.zeros(HALF_WIDTH, complex)  # samples still needed
        self._first = -HALF_WIDTH  # number of the line's first sample
        self._done = 0  # samples given out

    def process(self, samples: np.ndarray) -> np.ndarray:
        """What these samples complete, complex128 (about n,)."""
        self._line = np.concatenate([self._line, samples])
        last = self._first + len(self._line) - 1 - HALF_WIDTH  # highest whole place that can be worked out
        count = max(0, int((last + 0.5) / (1.0 + self._step)) - self._done + 1)
        places = (self._done + np.arange(count)) * (1.0 + self._step)
        places = places[np.round(places) <= last]
        whole = np.round(places).astype(np.int64)
        out = np.zeros(len(places), complex)
        phase = np.round((places - whole + 0.5) * _PHASES).astype(np.int64)
        for k, row in zip(range(-HALF_WIDTH, HALF_WIDTH + 1), _pulse_table(), strict=True):
            out += self._line[whole + k - self._first] * row[phase]
        self._done += len(places)
        keep = int(np.round(self._done * (1.0 + self._step))) - HALF_WIDTH - self._first
        keep = min(max(0, keep), len(self._line))
        self._line, self._first = self._line[keep:], self._first + keep
        return out

    def flush(self) -> np.ndarray:
        """The rest, as if silence followed."""
        return self.process(np.zeros(HALF_WIDTH + 1, complex))
