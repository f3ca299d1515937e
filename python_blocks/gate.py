"""Slots for messages: how our blocks hold one another back, although a message port never blocks."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import pmt

from .pdu import carries_done

_changed = threading.Condition()  # of every gate in the process: a sender may wait for several at once
_gates: weakref.WeakSet[Gate] = weakref.WeakSet()


class Gate:
    """The slots of one message port.

    A sender of ours takes a slot before it publishes, and the message is remembered until it arrives. A
    message that arrives without one takes a slot if one is free; if not, it is refused. The block gives a
    slot back when it needs the message no longer.

    Args:
        block: the block that owns the port.
        port: name of its message port.
        n_slots: messages held at most, >= 1.
        holds_senders: False for a mere display: nobody waits for it, and what it cannot hold is dropped.

    Raises:
        ValueError: less than one slot.
    """

    def __init__(self, block: Any, port: str, n_slots: int, holds_senders: bool = True) -> None:
        if n_slots < 1:
            raise ValueError(f"queue_len is {n_slots}; give at least 1")
        self.n_slots = int(n_slots)
        self._block, self._port = weakref.ref(block), port
        self._held, self._open = 0, True
        self._paid: dict[int, list[Any]] = {}  # id of a message under way: [the message, how often]
        if holds_senders:
            with _changed:
                _gates.add(self)

    @property
    def block(self) -> Any:
        """The owner, None once it is gone."""
        return self._block()

    @property
    def address(self) -> tuple[str, str] | None:
        """Alias of the block and name of the port, as in a list of subscribers."""
        block = self._block()
        return None if block is None else (block.alias(), self._port)

    @property
    def is_open(self) -> bool:
        """False from the block's stop to its next start."""
        return self._open

    @property
    def has_room(self) -> bool:
        """Whether a slot is free and the block runs, or has not run yet."""
        return self._open and self._held < self.n_slots

    def admit(self, message: Any) -> bool:
        """Whether the message that just arrived has a slot, paid for or free; if not, drop it."""
        with _changed:
            paid = self._paid.get(id(message))
            if paid is None:
                if not self.has_room:
                    return False
                self._held += 1
                return True
            paid[1] -= 1
            if not paid[1]:
                del self._paid[id(message)]
            return True

    def release(self) -> None:
        """Give one slot back."""
        with _changed:
            self._held = max(0, self._held - 1)
            _changed.notify_all()

    def open(self) -> None:
        """The block starts."""
        with _changed:
            self._open = True
            _changed.notify_all()

    def close(self) -> None:
        """The block stops: all slots are free again, but none is given until it starts."""
        with _changed:
            self._open, self._held = False, 0
            self._paid.clear()
            _changed.notify_all()

    def _sell(self, message: Any) -> None:
        self._held += 1
        self._paid.setdefault(id(message), [message, 0])[1] += 1


def take_slots(
    gates: Iterable[Gate], message: Any, gives_up: Callable[[], bool], timeout: float | None = None
) -> bool:
    """Take a slot of every gate for a message, all at once or none.

    Args:
        gates: of the ports that the message goes to.
        message: what will be published right after.
        gives_up: asked whenever something changed; True ends the wait.
        timeout: longest wait, s; 0: do not wait; None: no limit.

    Returns:
        Whether the slots were taken.
    """
    gates = list(gates)

    def free() -> bool:
        return all(gate.has_room for gate in gates)

    with _changed:
        if not free() and timeout != 0:
            _changed.wait_for(lambda: free() or gives_up(), timeout)
        if not free():
            return False
        for gate in gates:
            gate._sell(message)
        return True


def wake_senders() -> None:
    """Have everyone who waits for slots ask again whether to give up."""
    with _changed:
        _changed.notify_all()


class Publisher:
    """Publishes a block's messages, each once every subscriber of ours has a slot for it.

    Subscribers that are not ours, and those that lead back to the sender, are not waited for: these take the
    message if they have a free slot. ``done`` PDUs need no slot.

    Args:
        block: the sender.
    """

    def __init__(self, block: Any) -> None:
        self._block = weakref.ref(block)
        self._known: dict[str, tuple[Gate, ...]] = {}

    def forget(self) -> None:
        """Look the subscribers up again: the flowgraph starts anew."""
        self._known = {}

    def publish(
        self, port: str, message: Any, gives_up: Callable[[], bool], timeout: float | None = None
    ) -> bool:
        """Publish once there are slots; False if it gave up. Call it on no thread of the scheduler, but
        with a timeout of 0."""
        block = self._block()
        if port not in self._known:
            self._known[port] = _gates_behind(block, port)
        gates = self._known[port]
        if gates and not carries_done(message) and not take_slots(gates, message, gives_up, timeout):
            return False
        block.message_port_pub(pmt.intern(port), message)
        return True


def _gates_behind(block: Any, port: str) -> tuple[Gate, ...]:
    """The gates of a port's subscribers that do not lead back to the block."""
    with _changed:
        known = {gate.address: gate for gate in _gates}
    behind = [known[address] for address in _subscribers(block, port) if address in known]
    return tuple(gate for gate in behind if not _leads_to(gate.block, block, known, set()))


def _leads_to(start: Any, goal: Any, known: dict[Any, Gate], seen: set[int]) -> bool:
    """Whether messages of ``start`` come to ``goal`` through ports that hold senders back."""
    if start is goal:
        return True
    if start is None or id(start) in seen:
        return False
    seen.add(id(start))
    ports = start.message_ports_out()
    names = [pmt.symbol_to_string(pmt.vector_ref(ports, i)) for i in range(pmt.length(ports))]
    found = {address for name in names for address in _subscribers(start, name)}
    return any(_leads_to(known[address].block, goal, known, seen) for address in found if address in known)


def _subscribers(block: Any, port: str) -> list[tuple[str, str]]:
    """(alias, port) of each subscriber; boxes are flattened once the flowgraph has started."""
    listed = block.message_subscribers(pmt.intern(port))
    pairs = [pmt.nth(i, listed) for i in range(pmt.length(listed))]
    return [(pmt.symbol_to_string(pmt.car(pair)), pmt.symbol_to_string(pmt.cdr(pair))) for pair in pairs]
