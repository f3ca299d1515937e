"""The messages that wait for a block, bounded and counted."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

import pmt
from gnuradio.gr.gateway import gateway_block

from .gate import Gate
from .pdu import PduError, carries_done, check_pdu

_TELL_S = 1.0  # from one report of losses to the next
_PULL_S = 0.005
_AT_ONCE = 4096  # messages that a handler takes before the scheduler looks after other things


class Waiting(NamedTuple):
    """A message off its queue."""

    port: str
    message: Any
    done: bool


class Inbox:
    """Bounded queue of one or more message ports of a block.

    The handlers run on the scheduler's thread, read nothing and never wait; whoever handles the messages
    takes them off with :meth:`get` or :meth:`take`. ``done`` PDUs need no slot, are never dropped, and stay
    in their place.

    Losses are counted at once (``counters["dropped"]`` for the first port, ``counters["PORT_dropped"]`` for
    others) and told at most once a second.

    Args:
        block: the owner; the ports are registered here.
        slots: messages held at most for each port, >= 1.
        counters: where losses are counted.
        tell: called with a sentence and the number of messages lost since the last call.
        pulled: for a stream block, whose handlers rest while its output is full: see :class:`Puller`.
        never_waited_for: ports whose senders are not held back; what there is no room for is dropped.
    """

    def __init__(
        self,
        block: Any,
        slots: Mapping[str, int],
        counters: Counter[str],
        tell: Callable[[str, int], None],
        pulled: bool = False,
        never_waited_for: Collection[str] = (),
    ) -> None:
        self.gates = {
            port: Gate(block, port, n_slots, port not in never_waited_for) for port, n_slots in slots.items()
        }
        self._block, self._counters, self._tell = block, counters, tell
        self._queue: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._untold: Counter[str] = Counter()
        self._last_told = float("-inf")
        self._names = {port: f"{port}_dropped" if i else "dropped" for i, port in enumerate(slots)}
        for port, name in self._names.items():
            counters[name] = 0
            block.message_port_register_in(pmt.intern(port))
        handlers = {port: self._handler(port) for port in slots}
        self._puller = Puller(block, handlers) if pulled else None
        if not pulled:
            for port, handler in handlers.items():
                set_quick_handler(block, port, handler, self._told_if_due)

    def _handler(self, port: str) -> Callable[[Any], None]:
        gate = self.gates[port]

        def arrived(message: Any) -> None:
            done = carries_done(message)
            if done or gate.admit(message):
                self._queue.put(Waiting(port, message, done))
            else:
                self.drop(port)

        return arrived

    def drop(self, port: str, count: int = 1, why: str = "", told: bool = True) -> None:
        """Count messages of a port as lost, by default because its queue was full, and have them told.

        Safe from any thread.
        """
        why = why or f"the queue of {self.gates[port].n_slots} on port '{port}' was full"
        with self._lock:
            self._counters[self._names[port]] += count
            if told:
                self._untold[why] += count

    def take(self) -> Waiting | None:
        """The next message, None if there is none; its slot stays taken until ``gates[port].release()``."""
        if self._puller is not None:
            self._puller.pull()
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def get(self, timeout: float) -> Waiting | None:
        """The next message, None after ``timeout`` s without one; its slot is given back."""
        try:
            waiting = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        if not waiting.done:
            self.gates[waiting.port].release()
        return waiting

    def is_empty(self) -> bool:
        """Whether no message waits to be taken off."""
        return self._queue.empty()

    def tell_losses(self, now: bool = False) -> None:
        """Tell what was lost since the last time, if that was a second ago or ``now``."""
        clock = time.monotonic()
        with self._lock:
            if not self._untold or (not now and clock - self._last_told < _TELL_S):
                return
            untold, self._untold, self._last_told = self._untold, Counter(), clock
        for why, count in untold.items():
            self._tell(f"{count} messages lost: {why}", count)

    def _told_if_due(self) -> None:
        if self._untold:
            self.tell_losses()

    def open(self) -> None:
        """The block starts."""
        begin_run(self._block)
        for gate in self.gates.values():
            gate.open()
        if self._puller is not None:
            self._puller.start()

    def close(self) -> None:
        """The block stops: wake all who wait for a slot."""
        for gate in self.gates.values():
            gate.close()
        if self._puller is not None:
            self._puller.stop()

    def clear(self) -> None:
        """Drop what still waits, in GNU Radio's queue too; after :meth:`close`, on the scheduler's thread."""
        lost: Counter[str] = Counter()
        while (waiting := self.take()) is not None:
            lost[waiting.port] += not waiting.done
        for port in self.gates:
            lost[port] += sum(not carries_done(message) for message in waiting_messages(self._block, port))
            if lost[port]:
                self.drop(port, lost[port], "the flowgraph stopped before their turn")
        self.tell_losses(now=True)


class Puller:
    """Takes messages off GNU Radio's queues without a message handler.

    A stream block's handlers do not run while its output buffer is full, so that its queues would grow. Its
    ``work()`` pulls instead, and a thread where that is not called.

    Args:
        block: its owner, which registers the ports.
        handlers: for each port, called with each message; must neither wait nor raise.
    """

    def __init__(self, block: Any, handlers: Mapping[str, Callable[[Any], None]]) -> None:
        self._block, self._handlers = block, dict(handlers)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def pull(self) -> None:
        """Handle what waits, in order; from any thread."""
        with self._lock:
            for port, handler in self._handlers.items():
                for message in waiting_messages(self._block, port):
                    handler(message)

    def start(self) -> None:
        """The block starts."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._stopping,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The block stops."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(_PULL_S):
            self.pull()


def set_quick_handler(
    block: Any, port: str, handler: Callable[[Any], None], after: Callable[[], None] | None = None
) -> None:
    """Handle the messages of a port on the scheduler's thread, all that wait in one go.

    GNU Radio's queue has no bound, and a handler in Python is entered once for each message; a sender in
    Python keeps the interpreter for 5 ms each time, so that thousands of messages would wait. Those that wait
    are taken in one go instead.

    Args:
        block: its owner.
        port: a registered message port.
        handler: called with each message; must neither wait nor raise.
        after: called once the queue is empty.
    """
    key = pmt.intern(port)

    def handle(message: Any) -> None:
        handler(message)
        for _, more in zip(range(_AT_ONCE), waiting_messages(block, port), strict=False):
            handler(more)
        if after is not None:
            after()

    handle.__name__ = f"_handle_{port}"  # GNU Radio calls it by this name
    setattr(block, handle.__name__, handle)
    gateway_block.set_msg_handler(block, key, handle)


def waiting_messages(block: Any, port: str) -> Iterator[Any]:
    """Take the messages of a port off GNU Radio's queue."""
    entry, key = block.to_basic_block(), pmt.intern(port)
    while (message := entry.delete_head_nowait(key)) is not None:
        yield message


def begin_run(block: Any) -> None:
    """Forget what ended a run before this one: it may have come after the block had stopped."""
    entry, stale = block.to_basic_block(), ["system", *(["stop"] if getattr(block, "has_run", False) else [])]
    for port in stale:
        if entry.has_msg_port(pmt.intern(port)):
            for _ in waiting_messages(block, port):
                pass
    block.has_run = True


def add_stop_port(block: Any, on_done: Callable[[], None]) -> None:
    """Register message port ``stop``: ``done`` PDUs call ``on_done``; what is no PDU is counted as an error.

    Args:
        block: its owner, with ``counters``.
        on_done: called on the scheduler's thread; must not wait.
    """

    def arrived(message: Any) -> None:
        if carries_done(message):
            on_done()
            return
        try:
            check_pdu(message)
        except PduError as exc:
            block.counters["errors"] += 1
            block.logger.warn(f"port stop: {exc}")

    block.message_port_register_in(pmt.intern("stop"))
    set_quick_handler(block, "stop", arrived)
