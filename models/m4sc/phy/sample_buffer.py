"""Samples that wait for those to come."""

from __future__ import annotations

import numpy as np

_LEAST = 16_384


class SampleBuffer:
    """First in, first out; appending copies each sample a bounded number of times, whatever the chunks."""

    def __init__(self) -> None:
        self._room = np.zeros(_LEAST, np.complex64)
        self._begin = self._end = 0

    def __len__(self) -> int:
        return self._end - self._begin

    @property
    def samples(self) -> np.ndarray:
        """What waits, complex64 (n,): a view, valid until the next call."""
        return self._room[self._begin : self._end]

    def append(self, samples: np.ndarray) -> None:
        """Add complex64 (n,)."""
        waiting, needed = self.samples, len(self) + len(samples)
        if self._end + len(samples) > len(self._room):
            if 2 * needed > len(self._room):
                self._room = np.empty(2 * needed, np.complex64)
            self._room[: len(waiting)] = waiting.copy()
            self._begin, self._end = 0, len(waiting)
        self._room[self._end : self._end + len(samples)] = samples
        self._end += len(samples)

    def drop(self, count: int) -> None:
        """Forget the first `count` samples, or all."""
        self._begin = min(self._begin + count, self._end)
