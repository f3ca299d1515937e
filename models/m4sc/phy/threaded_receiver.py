"""A burst receiver whose second thread finishes the frames that the first one finds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import numpy as np

from m4sc.phy.receiver import TAIL_LOST, BurstDemodulator, BurstReceiver, moved
from m4sc.phy.waveform import WaveformConfig

_MOST_PENDING = 64  # frames; the search waits for the second thread behind so many


@dataclass
class _Job:
    """A frame to be finished, and how the receiver stood when it was handed over.

    place: of the burst in the stream; samples: its own, complex64; counters, faults: to return to.
    """

    place: int
    origin: int
    opening: Any
    samples: np.ndarray
    counters: Counter[str]
    faults: int


class ThreadedReceiver(BurstReceiver):
    """As :class:`BurstReceiver`, and the same frames bit for bit, but handed over by a second thread.

    A header tells where its frame ends, so the search goes on there while the second thread equalises. Should
    a frame prove cut off, everything behind its header is done again as the plain receiver does it. Compiled
    code runs without the interpreter's lock, so that two cores are used.

    Args:
        deliver: called with each frame, in order, by the second thread (after a cut frame by the first).
        failed: called with an exception of the second thread; its frame is lost.
        waveform, demodulator: as of :class:`BurstReceiver`.
    """

    def __init__(
        self,
        deliver: Callable[[Any], None],
        failed: Callable[[Exception], None],
        waveform: WaveformConfig | None = None,
        demodulator: BurstDemodulator | None = None,
    ) -> None:
        super().__init__(waveform, demodulator)
        self._deliver, self._failed = deliver, failed
        self._pending: deque[_Job] = deque()  # handed over, oldest first
        self._finished = self._delivered = 0  # jobs of the second thread; those that gave a frame
        self._settled = self._counted = 0  # the same, as far as the first thread knows
        self._cut: _Job | None = None  # found cut off; the jobs behind it are void
        self._alone = False  # the frame under way is for this thread
        self._jobs: SimpleQueue[_Job | Event | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(_MOST_PENDING):
            self._room.put(None)
        self._thread: Thread | None = None

    def push(self, samples: np.ndarray) -> list[Any]:
        """As of :class:`BurstReceiver`, but every frame goes to `deliver`, and none is returned."""
        frames = super().push(samples)
        assert not frames
        return frames

    def flush(self) -> list[Any]:
        """End of the stream; returns when the last frame is delivered."""
        self._wait()
        while self._cut is not None:
            self._advance()
            self._wait()
        return super().flush()

    def stop(self) -> None:
        """End the second thread, which a later push would start again."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _advance(self) -> list[Any]:
        frames = super()._advance()
        while self._cut is not None:  # all is undone from there on
            self._undo()
            frames = super()._advance()
        for frame in frames:
            self._deliver(frame)
        return []

    def _finish(self, samples: np.ndarray, opening: Any) -> list[Any] | None:
        if self._cut is not None:
            return None
        self._settle()
        if self._alone or self._last is not None:
            self._wait()  # order is kept
            if self._cut is not None:
                return None
            finished = super()._finish(samples, opening)
            self._alone = finished is None
            return finished
        start, end = opening.burst.start, self._end(opening)
        job = _Job(
            self._origin + start,
            self._origin,
            opening,
            samples[start:end].copy(),
            self.counters.copy(),
            len(self._faults),
        )
        self._room.get()
        self._pending.append(job)
        self._start()
        self._jobs.put(job)
        self._go_on_behind(opening)
        return []

    def _kept_from(self) -> int:
        self._settle()
        usual = super()._kept_from()
        return min(usual, self._pending[0].place - self._origin) if self._pending else usual

    def _settle(self) -> None:
        """Forget the jobs that are done."""
        finished, delivered = self._finished, self._delivered
        for _ in range(finished - self._settled):
            self._pending.popleft()
        self.counters["frames"] += delivered - self._counted
        self._settled, self._counted = finished, delivered

    def _wait(self) -> None:
        """Until the second thread has nothing more to do."""
        if self._pending:
            done = Event()
            self._jobs.put(done)
            done.wait()
            self._settle()

    def _undo(self) -> None:
        """Stand where the cut frame's header had been read."""
        self._wait()
        job, self._cut = self._cut, None
        assert job is not None
        self._pending.clear()
        frames = self.counters["frames"]
        self.counters.clear()
        self.counters.update(job.counters)
        self.counters["frames"] = frames
        del self._faults[job.faults :]
        self._burst, self._alone = None, True
        self._opening = moved(job.opening, job.place - self._origin)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._work, name="frames", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        """The second thread."""
        while (job := self._jobs.get()) is not None:
            if isinstance(job, Event):
                job.set()
                continue
            if self._cut is None:
                self._finish_job(job)
            self._room.put(None)

    def _finish_job(self, job: _Job) -> None:
        try:
            start = job.opening.burst.start
            frame = self._demodulator.close(job.samples, job.opening, job.origin, start)
            if frame.tail < TAIL_LOST:
                self._cut = job
                return
            self._deliver(frame)
            self._delivered += 1
        except Exception as exc:  # the thread must go on, or the flowgraph would stand still
            self._failed(exc)
        self._finished += 1
