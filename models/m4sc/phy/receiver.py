"""From a stream of samples, in chunks of any size, to frames of equalised symbols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from m4sc.phy.burst_kernels import all_finite
from m4sc.phy.demodulator import (
    ClockOffError,
    FrameDemodulator,
    FrameTooLongError,
    OldFrameError,
    ReceivedFrame,
)
from m4sc.phy.diagnosis import is_uneven
from m4sc.phy.diagnosis_watch import DiagnosisWatch
from m4sc.phy.header.fields import HeaderError
from m4sc.phy.preamble_demodulator import TAIL_LOST, MoreSamplesError, Run
from m4sc.phy.sample_buffer import SampleBuffer
from m4sc.phy.sync.detector import Burst, BurstSearch, Search, peak_reach
from m4sc.phy.sync.strangers import StrangerWatch
from m4sc.phy.waveform import WaveformConfig

__all__ = ["BurstReceiver", "Fault", "ReceivedFrame"]

_STRONG_MATCH = 0.3  # of a preamble: beyond doubt, also where data is sent
_LIKE_OURS = 0.15  # of one preamble: noise has it once in some hundred million samples
_MAX_FAULTS = 1000  # kept for a caller that does not ask


class BurstDemodulator(Protocol):
    """What the receiver needs of a frame format.

    An opening is what preamble and header say of a frame under way: its ``burst`` and its length.
    ``repeats``: how often a preamble may be sent besides once, where the receiver finds out by itself.
    """

    waveform: WaveformConfig
    opening_samples: int
    backoff: int
    repeats: tuple[int, ...]

    def run(self, samples: np.ndarray, search: Search, finder: BurstSearch, origin: int) -> Run | None:
        """The plain cases at once: frames from the search's place on, up to the first that is not plain.

        None where the demodulator has no such way for its waveform.
        """

    def open(self, samples: np.ndarray, burst: Burst) -> Any:
        """Read a header; raises HeaderError, or MoreSamplesError where `opening_samples` do not suffice."""

    def samples_of(self, opening: Any) -> int:
        """Samples of the whole frame."""

    def close(self, samples: np.ndarray, opening: Any, origin: int = 0, skipped: int = 0) -> Any:
        """The frame, with its ``tail``; raises ClockOffError where its clock cannot be followed.

        origin: number of the sample that the burst's start counts from; skipped: how many from there on are
        left out of `samples`.
        """


def moved(opening: Any, start: int) -> Any:
    """An opening whose burst begins at another place."""
    return replace(opening, burst=opening.burst._replace(start=start))


@dataclass(frozen=True)
class Fault:
    """kind: name of the counter, or a cause; sample: where in the stream; strong: beyond a false alarm;
    reason: text; figure, unit: how much, of a cause (`m4sc.phy.diagnosis_watch.CAUSES`)."""

    kind: str
    sample: int
    strong: bool
    reason: str
    figure: float | None = None
    unit: str = ""


class BurstReceiver:
    """Receiver of bursts.

    ``counters`` holds ``frames``, ``header_errors`` (what looked like a preamble of this waveform, without a
    valid header), ``false_alarms`` (what noise may have looked like), ``collisions`` (bursts that began
    inside another one), ``gaps`` (frames whose samples are not all there), ``old_version``, ``too_long``,
    ``truncated``, ``clock_off`` (frames whose sampling clock is further off than is followed), ``non_finite``
    and ``strangers`` (1 once bursts of another waveform were told, before the first frame:
    :mod:`m4sc.phy.sync.strangers`).
    A frame is dropped for its header, or because another one begins inside it, never for a noisy payload.
    Frames are the same, bit for bit, however the samples are divided into chunks.

    Args:
        waveform: of both ends.
        demodulator: of the frames; None for the project's own.
        diagnose: whether to say what is wrong with samples, where something is.
        at_work: called before compiled code that takes long and needs no GIL.
    """

    def __init__(
        self,
        waveform: WaveformConfig | None = None,
        demodulator: BurstDemodulator | None = None,
        diagnose: bool = True,
        at_work: Callable[[], None] | None = None,
    ) -> None:
        self.counters: Counter[str] = Counter(
            frames=0,
            header_errors=0,
            false_alarms=0,
            collisions=0,
            gaps=0,
            old_version=0,
            too_long=0,
            truncated=0,
            clock_off=0,
            non_finite=0,
            strangers=0,
        )
        self._demodulator = demodulator or FrameDemodulator(waveform or WaveformConfig())
        self.waveform = self._demodulator.waveform
        self._at_work = at_work or (lambda: None)
        self._buffer, self._search = SampleBuffer(), BurstSearch(self.waveform, self._demodulator.repeats)
        self._wanted = self._demodulator.opening_samples  # of the burst whose header is to be read
        self._origin = 0  # sample number of the buffer's first sample
        self._next = Search(0)  # where in the buffer the search goes on
        self._last: int | None = None  # where the stream ended, once no more samples come
        self._burst: Burst | None = None  # found, its header not read yet
        self._opening: Any = None  # header read, payload under way
        self._missing = 0  # samples that the buffer must hold before the plain cases are looked at again
        self._failed: Burst | None = None  # the last one that gave no frame
        self._faults: list[Fault] = []
        self._watch: StrangerWatch | None = StrangerWatch(self.waveform)
        self._heard = 0  # bursts before the first frame
        self._diagnosis = DiagnosisWatch(self.waveform, self._read_alone) if diagnose else None
        self._broken = False  # the last chunk had samples that are no numbers

    def push(self, samples: np.ndarray) -> list[Any]:
        """Take complex samples (n,), of any number; return the frames that they complete.

        NaN and infinite samples are counted and taken for silence.

        Raises:
            ValueError: more than one dimension.
        """
        samples = np.asarray(samples, dtype=np.complex64)
        if samples.ndim != 1:
            raise ValueError(f"samples have shape {samples.shape}; give one dimension")
        samples = self._finite(samples)
        self._buffer.append(samples)
        frames = self._advance()
        self._trim()
        self._look_for_strangers(lambda watch: watch.push(samples))
        self._diagnose(frames, lambda watch: watch.push(samples, self._heard))
        return frames

    def _read_alone(self, samples: np.ndarray) -> list[Any]:
        """Frames in samples that are not of this stream."""
        other = BurstReceiver(self.waveform, self._demodulator, diagnose=False)
        return other.push(samples) + other.flush()

    def _diagnose(self, frames: list[Any], look: Callable[[DiagnosisWatch], None]) -> None:
        """Say what is wrong."""
        if self._diagnosis is None:
            return
        self._diagnosis.frames(frames)
        look(self._diagnosis)
        for cause, sample, reason, figure, unit in self._diagnosis.take():
            if len(self._faults) < _MAX_FAULTS:
                self._faults.append(Fault(cause, sample, True, reason, figure, unit))

    def _look_for_strangers(self, look: Callable[[StrangerWatch], str]) -> None:
        """Tell of them, until the first frame has come or all is said."""
        if self._watch is None:
            return
        if self.counters["frames"]:
            self._watch = None
            return
        found = look(self._watch)
        self._heard = self._watch.bursts
        if found:
            if self._diagnosis is not None:
                self._diagnosis.is_told("strangers")
            self.counters["strangers"] += 1
            self._note("strangers", 0, True, found)
        if self._watch.is_over:
            self._watch = None

    def _finite(self, samples: np.ndarray) -> np.ndarray:
        """Zeros where a sample is NaN or infinite; of chunk after chunk with such samples, one fault."""
        broken = not all_finite(samples)
        if broken:
            finite = np.isfinite(samples)
            self.counters["non_finite"] += int(len(samples) - finite.sum())
            at = len(self._buffer) + int(np.argmin(finite))
            if not self._broken:
                self._note("non_finite", at, True, "samples are NaN or infinite; taken for silence")
            samples = np.where(finite, samples, np.complex64(0))
        self._broken = broken
        return samples

    def flush(self) -> list[Any]:
        """End of the stream: frames still under way; an incomplete one counts as truncated."""
        self._last = len(self._buffer) + self.waveform.cp_len  # timing may be a few samples late
        self._buffer.append(np.zeros(self._margin, np.complex64))
        frames = self._advance()
        while self._burst is not None or self._opening is not None:
            doubtful = self._burst is not None and self._burst.match < _STRONG_MATCH
            self._abandon("header_errors" if doubtful else "truncated", "the stream ended inside a frame")
            frames += self._advance()
        self._origin += len(self._buffer)
        self._buffer.drop(len(self._buffer))
        self._look_for_strangers(StrangerWatch.flush)
        self._diagnose(frames, lambda watch: watch.flush(self._heard))
        self._next, self._last, self._failed, self._missing = Search(0), None, None, 0
        return frames

    def take_faults(self) -> list[Fault]:
        """Faults since the last call, the first `_MAX_FAULTS` of them."""
        taken, self._faults = self._faults, []
        return taken

    def _note(self, kind: str, place: int, strong: bool, reason: str) -> None:
        if len(self._faults) < _MAX_FAULTS:
            self._faults.append(Fault(kind, self._origin + place, strong, reason))

    def _trim(self) -> None:
        """Forget what nobody will look at again."""
        keep = min(self._kept_from(), len(self._buffer))
        self._buffer.drop(keep)
        self._origin += keep
        self._missing -= keep
        self._next = self._next._replace(place=self._next.place - keep)
        if self._burst is not None:
            self._burst = self._burst._replace(start=self._burst.start - keep)
        if self._failed is not None:
            self._failed = self._failed._replace(start=self._failed.start - keep)
        if self._opening is not None:
            self._opening = moved(self._opening, self._opening.burst.start - keep)

    def _kept_from(self) -> int:
        """Place of the first sample that is still needed: of the frame under way, or of the search."""
        burst = self._opening.burst if self._opening is not None else self._burst
        place = self._next.place if burst is None else burst.start
        return max(place - self._search.behind, 0)

    def _advance(self) -> list[Any]:
        """Frames that the buffer completes; stops where samples are missing."""
        frames: list[Any] = []
        while True:
            samples = self._buffer.samples
            if self._opening is not None:
                if self._end(self._opening) > (len(samples) if self._last is None else self._last):
                    return frames
                finished = self._finish(samples, self._opening)
                if finished is None:
                    return frames
                frames += finished
            elif self._burst is not None:
                if self._burst.start + self._wanted > len(samples):
                    return frames
                self._open(self._burst)
            else:
                found = self._find(samples)
                frames += found
                if self._burst is None and self._opening is None and not found:
                    return frames

    def _find(self, samples: np.ndarray) -> list[Any]:
        """Frames of the plain cases, then one burst that needs a closer look, if there is any."""
        run = None
        if self._last is None:
            if len(samples) < self._missing:
                return []
            self._at_work()
            run = self._demodulator.run(samples, self._next, self._search, self._origin)
        if run is None:
            burst, search = self._search.find(samples, self._next, final=self._last is not None)
            run = Run([], search, burst, None)
        self._next, self._burst, self._opening = run.search, run.burst, run.opening
        self._missing = run.wanted
        self.counters["frames"] += len(run.frames)
        if self._burst is not None and self._has_failed(self._burst):
            self._next, self._burst = Search(self._next.place + peak_reach(self.waveform)), None
            return run.frames + self._find(samples)
        return run.frames

    def _has_failed(self, burst: Burst) -> bool:
        """Whether it is the burst that was given up last, found by its next preamble."""
        last = self._failed
        if last is None or burst.repeats == 1 or burst.repeats != last.repeats:
            return False
        return abs(burst.start - last.start) <= self.waveform.cp_len

    def _finish(self, samples: np.ndarray, opening: Any) -> list[Any] | None:
        """The frame whose samples are all there, or nothing where it was cut off; None to wait for more."""
        try:
            frame = self._demodulator.close(samples, opening, self._origin)
        except ClockOffError as exc:
            self.counters["clock_off"] += 1
            self._note("clock_off", opening.burst.start, True, str(exc))
            self._go_on_behind(opening)
            return []
        is_hit = frame.tail < TAIL_LOST or self._is_uneven(frame)
        if is_hit and self._last is None and self._short_of_margin():
            return None  # whether another frame began inside it shows a little later
        return self._close(opening, frame, is_hit)

    def _is_uneven(self, frame: Any) -> bool:
        """Whether something hit some of a frame's symbols; of a packet nothing is told of its noise."""
        noise = getattr(frame, "noise_var", None)
        return noise is not None and is_uneven(noise, self.waveform.n_data_carriers)

    def _short_of_margin(self) -> bool:
        return self._end(self._opening) + self._margin > len(self._buffer)

    @property
    def _margin(self) -> int:
        return 2 * self.waveform.preamble_symbols * self.waveform.symbol_len

    def _end(self, opening: Any) -> int:
        return int(opening.burst.start + self._demodulator.samples_of(opening))

    def _open(self, burst: Burst) -> None:
        try:
            self._opening = self._demodulator.open(self._buffer.samples, burst)
        except MoreSamplesError as exc:
            self._wanted = exc.count
            return
        except FrameTooLongError as exc:
            self._abandon("too_long", str(exc))
        except OldFrameError as exc:
            self._abandon("old_version", str(exc))
        except HeaderError as exc:
            hint = "; do both ends use the same waveform?" if burst.match > _STRONG_MATCH else ""
            self._abandon("header_errors", f"preamble without a valid header: {exc}{hint}")
        self._wanted = self._demodulator.opening_samples

    def _abandon(self, kind: str, reason: str) -> None:
        """Count a burst that gave no frame; of two within `peak_reach`, the stronger was found."""
        burst = self._opening.burst if self._opening is not None else self._burst
        assert burst is not None
        if kind == "header_errors":
            kind = self._no_header(burst)
        self.counters[kind] += 1
        strong = (
            burst.match > _STRONG_MATCH or kind in ("too_long", "old_version") or self._opening is not None
        )
        self._note(kind, burst.start, strong, reason)
        # A wrong alignment may hide a burst that begins inside it: of a repeated preamble, go on behind the
        # one that was found, not behind them all.
        place = burst.start if burst.repeats == 1 else max(self._next.place, burst.start)
        self._next = Search(place + peak_reach(self.waveform))
        self._failed, self._burst, self._opening = burst, None, None
        self._wanted = self._demodulator.opening_samples

    def _no_header(self, burst: Burst) -> str:
        """What a preamble without a valid header counts as: noise may have looked like it."""
        if burst.match * burst.repeats < _LIKE_OURS + _LIKE_OURS / 3.0 * (burst.repeats - 1):
            return "false_alarms"
        if self._diagnosis is None:
            return "header_errors"
        length = self.waveform.symbol_len
        end = min(burst.start + self._wanted + 8 * length, len(self._buffer))
        other = self._inside(burst, end, _LIKE_OURS)
        if other is not None:
            inside = other.start - burst.start
            spoiled = self._buffer.samples[max(burst.start, 0) : end]
            if self._diagnosis.spoiled(spoiled, self._origin + burst.start, inside) == "collisions":
                self.counters["collisions"] += 1
                return "header_errors"
        self._diagnosis.unread(burst.match * burst.repeats, self._origin + burst.start)
        return "header_errors"

    def _close(self, opening: Any, frame: Any, is_hit: bool) -> list[Any]:
        """The frame whose samples are all there, unless it was cut and another one began inside it."""
        begin, end = opening.burst.start, self._end(opening)
        is_cut = frame.tail < TAIL_LOST
        other = self._inside(opening.burst, end, _STRONG_MATCH if is_cut else _LIKE_OURS) if is_hit else None
        cause = ""
        if is_hit and self._diagnosis is not None:
            inside = None if other is None else other.start - begin
            spoiled = self._buffer.samples[max(begin, 0) : end]
            cause = self._diagnosis.spoiled(spoiled, self._origin + begin, inside)
        if cause:
            self.counters[cause] += 1
        if other is not None and is_cut:
            self._abandon("truncated", "another frame began before this one had ended")
            self._next = Search(other.start)
            return []
        self.counters["frames"] += 1
        self._go_on_behind(opening)
        if cause == "collisions" and other is not None:
            self._next = Search(other.start)  # the louder of two may be read
        return [frame]

    def _go_on_behind(self, opening: Any) -> None:
        """Search on where a frame ends."""
        self._next = Search(self._end(opening) - self._demodulator.backoff)
        self._burst, self._opening = None, None

    def _inside(self, burst: Burst, end: int, match: float) -> Burst | None:
        begin = burst.start + burst.repeats * self.waveform.preamble_symbols * self.waveform.symbol_len
        part = self._buffer.samples[: end + self._margin]
        found, _ = self._search.find(part, Search(begin), match, final=True)
        # One that follows back to back may seem to begin up to a prefix earlier.
        return found if found is not None and found.start < end - self.waveform.cp_len else None
