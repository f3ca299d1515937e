"""Messages into a transmitter's chain, one by one."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

from m4sc.transport.message_id import message_ids

_AHEAD = 4  # messages in the chain at most: what is queued there cannot be taken back


class Feeder:
    """Sends messages one by one, never more than a few ahead of the radio.

    Args:
        station: with ``send(message, number)`` and ``finish_sending()``.
        view: whose figures tell what has left.
        messages: to send.
        interval_s: from one message to the next, s.
    """

    def __init__(self, station: Any, view: Any, messages: Iterator[Any], interval_s: float) -> None:
        self._station, self._view, self._interval_s = station, view, interval_s
        self._next_s, self._count, self._finished = 0.0, 0, False
        self._numbers = message_ids()
        self._ready: queue.Queue[Any] = queue.Queue(1)
        threading.Thread(target=self._read, args=(messages,), name="m4sc_reader", daemon=True).start()

    def __call__(self) -> None:
        """Send what is due; raises what reading a message raised."""
        while not self._finished and time.monotonic() >= self._next_s and self._room():
            try:
                message = self._ready.get_nowait()
            except queue.Empty:
                return
            if isinstance(message, Exception):
                raise message
            if message is None:
                self._station.finish_sending()
                self._finished = True
                return
            self._station.send(message, next(self._numbers))
            self._count += 1
            self._next_s = time.monotonic() + self._interval_s

    def _read(self, messages: Iterator[Any]) -> None:
        """On a thread of its own: standard input, microphone and camera keep one waiting."""
        try:
            for message in messages:
                self._ready.put(message)
            self._ready.put(None)
        except Exception as exc:  # raised again in the loop
            self._ready.put(exc)

    def _room(self) -> bool:
        handled = max(self._view.figures["messages_sent"], self._view.figures["faults"])
        return self._count - handled < _AHEAD


def messages_to_send(
    entries: list[str], task: str | None, instruction: str | None, repeat: int
) -> Iterator[Any]:
    """Messages of the entries, ``repeat`` times over, 0 for ever.

    Files are all read and checked before anything is sent; what is heard and seen is so anew in each round;
    standard input has only one.

    Raises:
        ValueError: of the first entry that is no message.
    """
    from m4sc_app.outgoing import outgoing_messages

    rounds = itertools.count() if repeat == 0 else range(repeat)
    if any(entry == "-" or entry.startswith(("mic:", "camera:")) for entry in entries):
        once = range(1) if "-" in entries else rounds
        return (message for _ in once for message in outgoing_messages(entries, task, instruction))
    known = list(outgoing_messages(entries, task, instruction))
    return (message for _ in rounds for message in known)
