"""The loop shared by `m4sc tx` and `m4sc rx`: take events until the work is done, then end cleanly."""

from __future__ import annotations

import atexit
import importlib
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from m4sc_flowgraphs.link_event import LinkEvent
from m4sc_flowgraphs.sequence_gaps import SequenceGaps

from m4sc_app.errors import EXIT_INTERRUPTED, MissingPartError, UserError
from m4sc_app.link_view import LinkView
from m4sc_app.patience import patience
from m4sc_app.pictures import Keeper

_TICK_S = 0.05
_END_S = 30.0  # longer than a worker waits for the message it is at


class Events:
    """Events of a flowgraph's threads, for the loop; a callable to hand to a station."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
        self.broken_off = ""  # why a recording could not be written to its end
        self.keeper = Keeper(None)  # of received pictures

    def __call__(self, event: LinkEvent) -> None:
        """Keep an event; from any thread."""
        self._queue.put(event)

    def notify(self, kind: str, text: str) -> None:
        """An event of a radio end."""
        if kind == "broken_off":
            self.broken_off = text
            return
        self(LinkEvent(kind, time.time(), {"text": text}))

    def take(self) -> Iterator[LinkEvent]:
        """Events that come within one tick."""
        try:
            yield self.keeper.keep(self._queue.get(timeout=_TICK_S))
            while True:
                yield self.keeper.keep(self._queue.get_nowait())
        except queue.Empty:
            return


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came; the old handlers are back afterwards.

    The second one does not wait for what is under way: it raises KeyboardInterrupt.
    """
    seen: list[int] = []
    old = {}

    def heard(number: int, _: Any) -> None:
        seen.append(number)
        if len(seen) > 1:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            old[number] = signal.signal(number, heard)
        except ValueError:  # not the main thread: the caller's affair
            continue
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def run_station(
    station: Any,
    events: Events,
    view: LinkView,
    stopped: Callable[[], bool],
    feed: Callable[[], None] = lambda: None,
    count: int = 0,
    seconds: float = 0.0,
    linger_s: float = 0.0,
) -> bool:
    """Run a station to its end; True if it was stopped by the person.

    Args:
        station: a ``Station`` that has not begun.
        events: what it emits.
        view: shows them.
        stopped: whether the person wants an end.
        feed: called about twenty times a second; may send messages.
        count: end after so many messages answered or failed, 0 for any number.
        seconds: end after this, s; 0 for never.
        linger_s: after `count` messages go on so long, s: their transmitter may not know yet that they came.

    Raises:
        UserError: a recording could not be written to its end.
    """
    gaps, deadline = SequenceGaps(), time.monotonic() + (seconds or float("inf"))
    clean = False
    station.begin()
    try:
        with view.running():
            while not stopped() and time.monotonic() < deadline:
                for event in events.take():
                    _show(event, view, gaps)
                handled = view.figures["answers"] + view.figures["faults"]
                if count and handled >= count:
                    deadline, count = min(deadline, time.monotonic() + linger_s), 0
                if station.has_ended() or events.broken_off:
                    break
                feed()
    finally:
        was_stopped = stopped()
        try:
            with patience("finishing the message under way"):
                clean = station.end(_END_S)
        finally:
            if not clean:
                leave_without_threads(EXIT_INTERRUPTED)
        for event in events.take():
            _show(event, view, gaps)
        view.summary(station.counters())
        if not clean:
            view.say("warning", text=f"a block did not end within {_END_S:.0f} seconds; it is left behind")
    if events.broken_off:
        raise UserError(events.broken_off)
    return was_stopped


def leave_without_threads(code: int) -> None:
    """Have the interpreter end without waiting for threads of a flowgraph that did not stop.

    Such threads still call Python while it is taken down, and the C++ runtime would abort the process.
    """

    def leave() -> None:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)

    atexit.register(leave)


def _show(event: LinkEvent, view: LinkView, gaps: SequenceGaps) -> None:
    if event.kind == "frame":
        lost = gaps.take(int(event.values.get("source_id", 0)), int(event.values["sequence"]))
        view.tell_lost(lost, int(event.values["sequence"]))
    view.show(event)


def check_limits(**values: float) -> None:
    """Raise UserError where a limit is negative or not a number."""
    for name, value in values.items():
        if not value >= 0:
            raise UserError(f"--{name.replace('_', '-')} is {value}; give 0 or more")


def need_gnuradio() -> None:
    """Raise MissingPartError where this Python has no GNU Radio."""
    try:
        importlib.import_module("gnuradio.m4sc")
    except ImportError as exc:
        raise MissingPartError(
            "this Python has no GNU Radio with the m4sc blocks; run script/bootstrap, then .venv/bin/m4sc"
        ) from exc
