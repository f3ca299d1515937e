"""Messages of a stream block that wait until their receivers have room."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from .gate import Publisher, wake_senders
from .pdu import carries_done

_JOIN_S = 5.0


class Outbox:
    """Publishes a port's messages in order; those without a slot wait here, not on the scheduler's thread.

    Args:
        block: the sender.
        port: its message port.
        n_waiting: messages from which on :attr:`full` is True.
    """

    def __init__(self, block: Any, port: str, n_waiting: int) -> None:
        self._port, self._n_waiting = port, n_waiting
        self._publisher = Publisher(block)
        self._changed = threading.Condition()
        self._messages: deque[Any] = deque()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def full(self) -> bool:
        """Whether no more messages should be offered for now."""
        return len(self._messages) >= self._n_waiting

    def offer(self, message: Any) -> None:
        """Publish at once where there is room, else as soon as there is; never waits."""
        with self._changed:
            if not self._messages and self._publisher.publish(
                self._port, message, self._stopping.is_set, timeout=0
            ):
                return
            self._messages.append(message)
            self._changed.notify_all()

    def start(self) -> None:
        """The flowgraph starts."""
        self._publisher.forget()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stopping,), daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """The flowgraph stops; returns how many messages had to be dropped, ``done`` not counted."""
        self._stopping.set()
        wake_senders()
        with self._changed:
            self._changed.notify_all()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_JOIN_S)
        with self._changed:
            lost = sum(not carries_done(message) for message in self._messages)
            self._messages.clear()
        return lost

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            with self._changed:
                self._changed.wait_for(lambda: bool(self._messages) or stopping.is_set())
                if stopping.is_set():
                    return
                message = self._messages[0]  # it stays there until published: nothing overtakes it
            if self._publisher.publish(self._port, message, stopping.is_set):
                with self._changed:
                    self._messages.popleft()
