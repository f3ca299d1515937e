"""The points of a demo, one after the other, or from both ends where a second radio helps."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from m4sc_app.demo.link import Delivery, Radio
from m4sc_app.demo.messages import DemoMessage


@dataclass(frozen=True)
class Point:
    """One run through the flowgraph: a system, a channel and an SNR in dB."""

    system: str
    channel: str
    snr_db: float
    zero_latents: bool
    seed: int

    def __str__(self) -> str:
        return f"{self.system}, {self.channel}, {self.snr_db:g} dB"

    def through(self, radio: Radio, messages: Sequence[DemoMessage]) -> Sequence[Delivery]:
        """What came of every message."""
        return radio(
            messages,
            system=self.system,
            channel=self.channel,
            snr_db=self.snr_db,
            zero_latents=self.zero_latents,
            seed=self.seed,
        )


class Told(Protocol):
    """Who is told how far the points are."""

    def __call__(self, running: Sequence[Point], done: int) -> None:
        """Some points are running, and so many are done."""
        ...


class RadioGoneError(Exception):
    """The second radio is no longer there; what it was asked for is open again."""


def run_points(
    points: Sequence[Point],
    messages: Sequence[DemoMessage],
    radio: Callable[[], Radio],
    second: Radio | None,
    told: Told,
) -> list[Sequence[Delivery]]:
    """Every message over every point.

    The radio of this process begins at the first point and the second one at the last, until they meet: so
    each stays with one system as long as it can, and what it keeps of it is of use. A point's noise hangs on
    its own seed alone, so it does not matter who runs it.

    Args:
        points, messages: each message is sent over each point.
        radio: opens the radio of this process.
        second: of another process, called in a thread; a point that it raises :class:`RadioGoneError` for is
            run here. None for one radio.
        told: called from both threads at once.

    Returns:
        Deliveries of each point, in the order of the points.

    Raises:
        Whatever a radio raises.
    """
    grid = _Grid(points, told)
    there = None
    if second is not None:
        there = threading.Thread(target=grid.work, args=(second, messages, grid.waiting.pop), daemon=True)
        there.start()
    grid.work(radio(), messages, grid.waiting.popleft, finish=there)
    if grid.fault is not None:
        raise grid.fault
    if grid.gone is not None:
        print(f"m4sc: {grid.gone}; this one did its part too", file=sys.stderr)
    return [grid.done[place] for place in range(len(points))]


class _Grid:
    """What is still to be done, by whom it is being done, and what came of it."""

    def __init__(self, points: Sequence[Point], told: Told) -> None:
        self.points = points
        self.waiting = deque(range(len(points)))  # taken at both ends, by one call each: no lock is needed
        self.done: dict[int, Sequence[Delivery]] = {}
        self.fault: Exception | None = None
        self.gone: RadioGoneError | None = None
        self._running: list[int] = []
        self._told, self._lock = told, threading.Lock()

    def work(
        self,
        radio: Radio,
        messages: Sequence[DemoMessage],
        take: Callable[[], int],
        finish: threading.Thread | None = None,
    ) -> None:
        """Run points while there are any; behind those of `finish`, which may leave one."""
        while self.fault is None:
            try:
                place = take()
            except IndexError:
                if finish is None:
                    return
                finish.join()
                finish = None
                continue
            self._tell(begins=place)
            try:
                self.done[place] = self.points[place].through(radio, messages)
            except RadioGoneError as error:
                self.waiting.append(place)
                self.gone = error
                return
            except Exception as error:
                self.fault = error
                return
            finally:
                self._tell(ends=place)

    def _tell(self, begins: int | None = None, ends: int | None = None) -> None:
        with self._lock:
            if begins is not None:
                self._running.append(begins)
            if ends is not None:
                self._running.remove(ends)
            self._told([self.points[place] for place in sorted(self._running)], len(self.done))
