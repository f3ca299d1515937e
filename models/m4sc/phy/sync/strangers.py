"""Bursts that are no frames of this receiver's waveform: told early, since nothing else would ever come."""

from __future__ import annotations

import numpy as np

from m4sc.phy.fec.compiled import compiled
from m4sc.phy.waveform import WaveformConfig

_BLOCK = 64  # samples whose mean power is looked at
_ABOVE = 4.0  # times the quietest block: a mean over 64 noise samples is above it once in never
_LEAST_BLOCKS, _MOST_BLOCKS = 5, 8192  # of a burst; what lasts longer is a louder floor
_KEPT = 1536  # samples of a burst's beginning
_ALIKE = 0.75  # correlation of a preamble's halves
_SHORTEST, _LONGEST = 16, 512  # lags, samples
_NEAR = 0.15  # of the own lag
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
        self._rest: np.ndarray = np.zeros(0, np.complex64)  # less than a block
        self._floor = np.inf
        self._length = 0  # blocks of the burst under way
        self._heard: np.ndarray = np.zeros(0, np.complex64)  # its beginning, with one block before it
        self._lags: list[int] = []
        self._bursts = 0
        self._told = False

    @property
    def bursts(self) -> int:
        """Heard so far."""
        return self._bursts

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be said."""
        return self._told or self._bursts > _ENOUGH

    def push(self, samples: np.ndarray) -> str:
        """Take samples, complex64 (n,); a sentence once enough bursts were heard, else ""."""
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) - len(samples) % _BLOCK
        self._rest, samples = samples[whole:].copy(), np.concatenate([self._heard, samples[:whole]])
        first = len(self._heard)  # sample of the first new block
        lengths, self._floor = burst_lengths(samples[first:], self._floor, self._length)
        lengths = np.concatenate([[self._length], lengths])
        for block in np.flatnonzero((lengths[:-1] > 0) & (lengths[1:] == 0)).tolist():
            self._length = int(lengths[block])
            self._heard = self._beginning(samples, first, block)
            self._end()
        self._length = max(int(lengths[-1]), 0)
        self._heard = self._beginning(samples, first, len(lengths) - 1).copy()
        return self._sentence(_SURE)

    def _beginning(self, samples: np.ndarray, first: int, block: int) -> np.ndarray:
        """Of the burst before a block, whose samples begin at `first`, and the block before that burst."""
        begin = first + (block - self._length - 1) * _BLOCK
        if self._length > block:
            begin = 0  # it is what was kept
        return samples[max(begin, 0) :][: _BLOCK + _KEPT]

    def flush(self) -> str:
        """The end of the stream: one burst that is clearly a stranger's is enough."""
        self._end()
        return self._sentence(1)

    def _end(self) -> None:
        """The burst under way is over."""
        if self._length >= _LEAST_BLOCKS:
            self._bursts += 1
            self._lags += repetition(self._heard)
        self._length = 0

    def _sentence(self, sure: int) -> str:
        if self._told:
            return ""
        near = max(1, int(_NEAR * self._own))  # of those the sample rates differ
        strange = [lag for lag in self._lags if abs(lag - self._own) > near]
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


@compiled
def burst_lengths(samples, floor, length):  # type: ignore[no-untyped-def]
    """For each block of complex64 (n,) the blocks of the burst so far, int32: 0 where there is none, -1 where
    it has become too long to be one; and the quietest power.

    floor, length: where the blocks before these ended.
    """
    lengths = np.empty(len(samples) // _BLOCK, np.int32)
    for block in range(len(lengths)):
        power = 0.0
        for x in samples[block * _BLOCK : (block + 1) * _BLOCK]:
            power += np.float64(x.real) ** 2 + np.float64(x.imag) ** 2
        power /= _BLOCK
        length = length + 1 if power > _ABOVE * floor else 0
        if length == 0:
            floor = min(floor, power)
        lengths[block] = length
        if length > _MOST_BLOCKS:
            floor, length, lengths[block] = power, 0, -1
    return lengths, floor


def repetition(burst: np.ndarray) -> list[int]:
    """The longest lag, samples, after which a burst's beginning, complex64 (n,), is repeated; or none."""
    lag = repeated_after(burst.astype(np.complex128))
    return [lag] if lag else []


@compiled
def repeated_after(burst):  # type: ignore[no-untyped-def]
    """The same of complex128 (n,); 0 for none."""
    energy = np.zeros(len(burst) + 1)
    energy[1:] = np.cumsum(burst.real**2 + burst.imag**2)
    for lag in range(min(_LONGEST, (len(burst) - _BLOCK) // 2), _SHORTEST - 1, -1):
        room = min(len(burst) - 2 * lag, 2 * _BLOCK + lag)
        loud = 0.25 * energy[room + 2 * lag] / (room + 2 * lag) * lag
        product = 0j  # of the `lag` samples from `place` on with those behind them
        for n in range(lag):
            product += np.conj(burst[n]) * burst[n + lag]
        for place in range(room):
            first = energy[place + lag] - energy[place]
            second = energy[place + 2 * lag] - energy[place + lag]
            if min(first, second) > loud and abs(product) > _ALIKE * np.sqrt(first * second):
                return lag
            old, middle, new = burst[place], burst[place + lag], burst[place + 2 * lag]
            product += np.conj(middle) * new - np.conj(old) * middle
    return 0
