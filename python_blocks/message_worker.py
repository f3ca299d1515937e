"""A block that handles messages one by one on a thread of its own, and holds its senders back."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pmt
from gnuradio import gr

from .gate import Publisher, take_slots, wake_senders
from .inbox import Inbox, Waiting, set_quick_handler
from .pdu import carries_done, make_pdu

_POLL_S = 0.1
_JOIN_S = 20.0


class message_worker(gr.basic_block):  # noqa: N801
    """Bounded queue, one worker thread, slots taken and given.

    ``message_port_pub`` never blocks and GNU Radio's queues have no bound. So each in-port has slots; a
    sender of this module in the same process takes one before it publishes, waiting on its own worker thread
    if there is none. A message of anyone else takes a free slot, or is dropped, counted
    (``counters["dropped"]``) and told (port ``status``, at most once a second).

    When the flowgraph stops, what still waits is counted as dropped; it may be started again.

    Args:
        name: block name.
        in_ports: names of the message ports read, and the messages that each holds at most.
        out_ports: names of the message ports written.
        never_waited_for: of ``in_ports``, those whose senders are not held back.
    """

    def __init__(
        self,
        name: str,
        in_ports: Mapping[str, int],
        out_ports: Sequence[str],
        never_waited_for: Collection[str] = (),
    ) -> None:
        gr.basic_block.__init__(self, name, [], [])
        self.counters: Counter[str] = Counter(received=0, errors=0)
        self._title = name
        self._inbox = Inbox(
            self, in_ports, self.counters, self.report_losses, never_waited_for=never_waited_for
        )
        self._publisher = Publisher(self)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        for port in out_ports:
            self.message_port_register_out(pmt.intern(port))
        self._reports = "status" in out_ports

    # --- for subclasses ---------------------------------------------------------------------------------

    def handle(self, waiting: Waiting) -> None:
        """Handle one message; runs on the worker thread. What it raises is told, and the worker goes on."""
        raise NotImplementedError

    def handle_idle(self) -> None:
        """Called about ten times a second while no message waits; what it raises is told."""

    def after_fault(self, waiting: Waiting) -> None:
        """Called where :meth:`handle` raised: pass on what others wait for."""

    def publish(self, port: str, message: Any) -> bool:
        """Publish once all subscribers have a slot; False if the flowgraph stopped first. Worker thread."""
        return self._publisher.publish(port, message, self._stopping.is_set)

    def report_losses(self, reason: str, count: int) -> None:
        """Tell that ``count`` messages were lost; safe from any thread."""
        self.logger.warn(f"dropped: {reason}")
        if self._reports:
            status = {"block": self._title, "event": "dropped", "reason": reason, "count": count}
            self.message_port_pub(pmt.intern("status"), make_pdu(status, b""))

    # --- for others -------------------------------------------------------------------------------------

    def put(self, message: Any, timeout: float | None = None, port: str = "") -> bool:
        """Hand a message in from Python; waits for a free slot on the caller's thread.

        Args:
            message: PDU as PMT.
            timeout: longest wait, s; None: until there is a slot or the flowgraph stops.
            port: name of the message port, empty for the first.

        Returns:
            Whether the message was taken; False when the time was over or the flowgraph has stopped.
        """
        port = port or next(iter(self._inbox.gates))
        return put_message(self, self._inbox, port, message, timeout)

    def set_msg_handler(self, which_port: Any, handler_function: Any) -> None:
        """A handler for a port without slots: it must neither wait nor raise."""
        set_quick_handler(self, pmt.symbol_to_string(which_port), handler_function)

    # --- scheduler side ---------------------------------------------------------------------------------

    def start(self) -> bool:
        """Start the worker; called by the scheduler."""
        self._stopping = threading.Event()
        self._publisher.forget()
        self._inbox.open()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopping,), name=self._title, daemon=True
        )
        self._thread.start()
        return True

    def stop(self) -> bool:
        """Stop the worker; what still waits is counted as dropped. Called by the scheduler."""
        self._stopping.set()
        self._inbox.close()
        wake_senders()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_JOIN_S)
            if thread.is_alive():
                self.logger.error(f"the worker did not end within {_JOIN_S:.0f} s")
        self._inbox.clear()
        return True

    # --- worker side ------------------------------------------------------------------------------------

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            waiting = self._inbox.get(_POLL_S)
            try:
                if waiting is None:
                    self.handle_idle()
                else:
                    self.handle(waiting)
                self._inbox.tell_losses()
            except Exception as exc:  # a thread that ended here would hang the flowgraph
                self._tell_fault(exc)
                if waiting is not None:
                    self.after_fault(waiting)

    def _tell_fault(self, exc: Exception) -> None:
        self.counters["errors"] += 1
        reason = f"{type(exc).__name__}: {exc}"
        self.logger.error(f"a defect in {self._title}: {reason}")
        if self._reports:
            status = {"block": self._title, "event": "error", "reason": reason}
            self.message_port_pub(pmt.intern("status"), make_pdu(status, b""))


def put_message(block: Any, inbox: Inbox, port: str, message: Any, timeout: float | None) -> bool:
    """Post a message to a block once its port has a slot; see :meth:`message_worker.put`."""
    gate = inbox.gates[port]
    end = None if timeout is None else time.monotonic() + timeout
    if not carries_done(message):
        left = None if end is None else max(0.0, end - time.monotonic())
        if not take_slots([gate], message, lambda: not gate.is_open, left):
            return False
    block.to_basic_block()._post(pmt.intern(port), message)
    return True
