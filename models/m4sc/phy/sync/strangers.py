"""Bursts that are no frames of this receiver's waveform: told early, since nothing else would ever come."""

from __future__ import annotations

import numpy as np

from m4sc.phy.waveform import WaveformConfig

_BLOCK = 64  # samples whose mean power is looked at
_ABOVE = 4.0  # times the quietest block: a mean over 64 noise samples is above it once in never
_LEAST_BLOCKS, _MOST_BLOCKS = 5, 8192  # of a burst; what lasts longer is a louder floor
_KEPT = 1536  # samples of a burst's beginning
_ALIKE = 0.75  # correlation of a preamble's halves
_SHORTEST, _LONGEST = 16, 512  # lags, samples
_SURE, _ENOUGH = 2, 20  # bursts with the same lag; bursts without any


class StrangerWatch:
    """Looks for bursts until the first frame is read; says once that they are of another waveform.

    A burst is what rises 6 dB over the quietest samples. Sync word 1 of every waveform has two equal halves
    (Schmidl and Cox, "Robust Frequency and Timing Synchronization for OFDM", 1997), so how far apart they are
    tells the sender's fft_len at this receiver's sample rate.

    Args:
        waveform: of the receiver.
    """

    def __init__(self, waveform: WaveformConfig) -> None:
        self._own = waveform.fft_len // 2
        self._rest = np.zeros(0, np.complex64)
        self._floor = np.inf
        self._burst: list[np.ndarray] = []  # blocks of the one under way, with one before it
        self._length = 0
        self._quiet = np.zeros(0, np.complex64)
        self._lags: list[int] = []
        self._bursts = 0
        self._told = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be said."""
        return self._told or self._bursts > _ENOUGH

    def push(self, samples: np.ndarray) -> str:
        """Take samples, complex64 (n,); a sentence once enough bursts were heard, else ""."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % _BLOCK
        self._rest = samples[whole:]
        blocks = samples[:whole].reshape(-1, _BLOCK)
        powers = np.mean(blocks.real**2 + blocks.imag**2, axis=1)
        for block, power in zip(blocks, powers, strict=True):
            self._take(block, float(power))
        return self._sentence(_SURE)

    def flush(self) -> str:
        """The end of the stream: one burst that is clearly a stranger's is enough."""
        self._end()
        return self._sentence(1)

    def _take(self, block: np.ndarray, power: float) -> None:
        if power > _ABOVE * self._floor:
            if not self._length:
                self._burst = [self._quiet]
            self._length += 1
            if self._length * _BLOCK <= _KEPT:
                self._burst.append(block.copy())
            if self._length > _MOST_BLOCKS:
                self._floor, self._length = power, 0
            return
        self._end()
        self._floor, self._quiet = min(self._floor, power), block.copy()

    def _end(self) -> None:
        """The burst under way is over."""
        if self._length >= _LEAST_BLOCKS:
            self._bursts += 1
            self._lags += repetition(np.concatenate(self._burst))
        self._length = 0

    def _sentence(self, sure: int) -> str:
        if self._told:
            return ""
        strange = [lag for lag in self._lags if abs(lag - self._own) > 1]
        lag = max(strange, key=strange.count, default=0)
        if strange.count(lag) >= sure and len(strange) > len(self._lags) / 2:
            self._told = True
            return (
                f"bursts of another waveform come in: their preambles repeat after {lag} samples, not "
                f"{self._own}; the sender has another fft_len or sample rate: give both ends one waveform"
            )
        if self._bursts >= _ENOUGH and not self._lags:
            self._told = True
            return (
                f"{self._bursts} bursts came and none has this waveform's preamble; do both ends use the "
                "same waveform and sample rate?"
            )
        return ""


def repetition(burst: np.ndarray) -> list[int]:
    """The longest lag, samples, after which a burst's beginning, complex64 (n,), is repeated; or none."""
    found: list[int] = []
    for lag in range(_SHORTEST, min(_LONGEST, (len(burst) - _BLOCK) // 2) + 1):
        room = min(len(burst) - 2 * lag, 2 * _BLOCK + lag)
        product = np.cumsum(np.conj(burst[: room + lag]) * burst[lag : room + 2 * lag])
        energy = np.cumsum(np.abs(burst[: room + 2 * lag]) ** 2)
        correlation = np.abs(product[lag:] - product[:-lag])
        first = energy[lag : lag + len(correlation)] - energy[: len(correlation)]
        second = energy[2 * lag : 2 * lag + len(correlation)] - energy[lag : lag + len(correlation)]
        loud = first > 0.25 * energy[-1] / len(energy) * lag
        alike = correlation / np.sqrt(np.maximum(first * second, 1e-30))
        if loud.any() and alike[loud].max() > _ALIKE:
            found = [lag]
    return found
