"""From a stream of samples, in chunks of any size, to frames of equalised symbols."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from m4sc.phy.demodulator import FrameDemodulator, FrameTooLongError, Opening, ReceivedFrame
from m4sc.phy.header import HeaderError
from m4sc.phy.sync import Burst, find_burst
from m4sc.phy.waveform import WaveformConfig

__all__ = ["BurstReceiver", "ReceivedFrame"]

_TAIL_LOST = 0.75  # of the pilots' mean; less calls for a look inside the frame
_STRONG_MATCH = 0.3  # of a preamble: beyond doubt, also where data is sent


class BurstReceiver:
    """Receiver of bursts.

    ``counters`` holds ``frames``, ``header_errors``, ``too_long``, ``truncated`` and ``non_finite``.
    A frame is dropped for its header, or because another one begins inside it, never for a noisy payload.
    """

    def __init__(self, waveform: WaveformConfig | None = None) -> None:
        self.waveform = waveform or WaveformConfig()
        self.counters: Counter[str] = Counter(
            frames=0, header_errors=0, too_long=0, truncated=0, non_finite=0
        )
        self._demodulator = FrameDemodulator(self.waveform)
        self._buffer = np.zeros(0, dtype=np.complex64)
        self._origin = 0  # sample number of the buffer's first sample
        self._place = 0  # where in the buffer the search goes on
        self._burst: Burst | None = None  # found, its header not read yet
        self._opening: Opening | None = None  # header read, payload under way

    def push(self, samples: np.ndarray) -> list[ReceivedFrame]:
        """Take complex samples (n,), of any number; return the frames that they complete."""
        samples = np.asarray(samples, dtype=np.complex64)
        finite = np.isfinite(samples)
        if not finite.all():
            self.counters["non_finite"] += int(len(samples) - finite.sum())
            samples = np.where(finite, samples, 0)
        self._buffer = np.concatenate([self._buffer, samples])
        frames = self._search()
        self._trim()
        return frames

    def flush(self) -> list[ReceivedFrame]:
        """End of the stream: frames still under way; an incomplete one counts as truncated."""
        self._buffer = np.concatenate([self._buffer, np.zeros(4 * self.waveform.symbol_len, np.complex64)])
        frames = self._search()
        while self._burst is not None or self._opening is not None:
            self._abandon("truncated")
            frames += self._search()
        self._origin += len(self._buffer)
        self._buffer, self._place = self._buffer[:0], 0
        return frames

    def _trim(self) -> None:
        """Forget what is behind the frame under way, or behind the search."""
        burst = self._opening.burst if self._opening is not None else self._burst
        keep = self._place if burst is None else burst.start
        self._buffer, self._origin, self._place = self._buffer[keep:], self._origin + keep, self._place - keep
        if self._burst is not None:
            self._burst = replace(self._burst, start=self._burst.start - keep)
        if self._opening is not None:
            moved = replace(self._opening.burst, start=self._opening.burst.start - keep)
            self._opening = replace(self._opening, burst=moved)

    def _search(self) -> list[ReceivedFrame]:
        """Frames that the buffer completes; stops where samples are missing."""
        frames: list[ReceivedFrame] = []
        while True:
            if self._opening is not None:
                if self._opening.burst.start + self._demodulator.samples_of(self._opening) > len(
                    self._buffer
                ):
                    return frames
                frames += self._close(self._opening)
            elif self._burst is not None:
                if self._burst.start + self._demodulator.opening_samples > len(self._buffer):
                    return frames
                self._open(self._burst)
            else:
                self._burst, self._place = find_burst(self._buffer, self._place, self.waveform)
                if self._burst is None:
                    return frames

    def _open(self, burst: Burst) -> None:
        try:
            self._opening = self._demodulator.open(self._buffer, burst)
        except FrameTooLongError:
            self._abandon("too_long")
        except HeaderError:
            self._abandon("header_errors")

    def _abandon(self, reason: str) -> None:
        """Count a burst that gave no frame; of two nearer than a symbol, the stronger was found."""
        burst = self._opening.burst if self._opening is not None else self._burst
        assert burst is not None
        self.counters[reason] += 1
        self._place = burst.start + self.waveform.symbol_len
        self._burst, self._opening = None, None

    def _close(self, opening: Opening) -> list[ReceivedFrame]:
        """The frame whose samples are all there, unless it was cut and another one began inside it."""
        frame = self._demodulator.close(self._buffer, opening, self._origin)
        end = opening.burst.start + self._demodulator.samples_of(opening)
        other = self._inside(opening.burst, end) if frame.tail < _TAIL_LOST else None
        if other is not None:
            self._abandon("truncated")
            self._place = other.start
            return []
        self.counters["frames"] += 1
        self._place = end - self._demodulator.backoff
        self._burst, self._opening = None, None
        return [frame]

    def _inside(self, burst: Burst, end: int) -> Burst | None:
        begin, margin = burst.start + 2 * self.waveform.symbol_len, 4 * self.waveform.symbol_len
        found, _ = find_burst(self._buffer[: end + margin], begin, self.waveform, _STRONG_MATCH)
        return found if found is not None and found.start < end else None
