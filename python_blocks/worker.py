"""Shared by all PDU blocks: a bounded queue, one worker thread, counters, and a rule for errors."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from .pdu import done_pdu, is_done, make_pdu, read_pdu

ON_ERROR = ("skip", "stop")
ON_FULL = ("wait", "drop")
_POLL_S = 0.1
_REPORTED = ("sequence", "source_id", "user_id", "task", "segment", "n_segments", "lost_segments")
_JOIN_S = 20.0


class pdu_worker(gr.basic_block):  # noqa: N801
    """A block that turns each PDU into any number of PDUs on a thread of its own.

    The scheduler's threads never run :meth:`process`: the message handler only puts the PDU into a bounded
    queue. PDUs leave in the order they came. A PDU with ``done`` in its metadata is passed on after all
    before it were handled.

    Counters (:attr:`counters`): ``received``, ``sent``, ``errors`` (skipped by a fault), ``dropped`` (queue
    full).

    Args:
        name: block name.
        in_port: message port read.
        out_port: message port written; port ``status`` reports every fault as a PDU with ``block``,
            ``event`` (``error``, ``dropped``, ``stopped``), ``reason`` and, where known, ``sequence``.
        queue_len: PDUs held at most, >= 1.
        on_error: ``skip`` the message and go on, or ``stop``: pass ``done`` on and ignore what follows.
        on_full: ``wait`` holds the sender back, ``drop`` counts and reports the new PDU as lost.
    """

    def __init__(
        self,
        name: str,
        in_port: str,
        out_port: str,
        queue_len: int = 16,
        on_error: str = "skip",
        on_full: str = "wait",
    ) -> None:
        gr.basic_block.__init__(self, name, [], [])
        if queue_len < 1:
            raise ValueError(f"queue_len is {queue_len}; give at least 1")
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error is '{on_error}'; use 'skip' or 'stop'")
        if on_full not in ON_FULL:
            raise ValueError(f"on_full is '{on_full}'; use 'wait' or 'drop'")
        self.counters: Counter[str] = Counter(received=0, sent=0, errors=0, dropped=0)
        self._title, self._on_error, self._on_full = name, on_error, on_full
        self._queue: queue.Queue[Any] = queue.Queue(queue_len)
        self._stopping = threading.Event()
        self._failed = False
        self._thread: threading.Thread | None = None
        self._out = pmt.intern(out_port)
        self._status = pmt.intern("status")
        self.message_port_register_in(pmt.intern(in_port))
        self.message_port_register_out(self._out)
        self.message_port_register_out(self._status)
        self.set_msg_handler(pmt.intern(in_port), self._accept)

    # --- for subclasses ---------------------------------------------------------------------------------

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """Turn one PDU into any number of (metadata, payload); runs on the worker thread."""
        raise NotImplementedError

    def idle(self) -> Iterable[tuple[dict[str, Any], Any]]:
        """Called about ten times a second while no PDU waits: time-outs."""
        return ()

    def finish(self) -> None:
        """Called once before ``done`` is passed on."""

    def report(self, event: str, reason: str, meta: dict[str, Any] | None = None) -> None:
        """Log a fault and publish it on ``status``; safe from any thread."""
        known = {key: (meta or {}).get(key) for key in _REPORTED}
        self.logger.warn(f"{event}: {reason}")
        status = make_pdu({"block": self._title, "event": event, "reason": reason, **known}, b"")
        self.message_port_pub(self._status, status)

    # --- scheduler side ---------------------------------------------------------------------------------

    def start(self) -> bool:
        """Start the worker; called by the scheduler."""
        self._stopping.clear()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name=self._title, daemon=True)
        self._thread.start()
        return True

    def stop(self) -> bool:
        """Stop the worker; what still waits is counted as dropped. Called by the scheduler."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_JOIN_S)
            if thread.is_alive():
                self.logger.error(f"the worker did not end within {_JOIN_S:.0f} s")
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return True
            self.counters["dropped"] += 1

    def _accept(self, message: Any) -> None:
        """Message handler: queue the PDU. Runs on the scheduler's thread of this block."""
        try:
            meta, payload = read_pdu(message)
        except (ValueError, TypeError, RuntimeError) as exc:
            self.counters["errors"] += 1
            self.report("error", str(exc))
            return
        if self._failed:
            return
        if not is_done(meta):
            self.counters["received"] += 1
            if self._on_full == "drop":
                try:
                    self._queue.put_nowait((meta, payload))
                except queue.Full:
                    self.counters["dropped"] += 1
                    self.report("dropped", f"queue of {self._queue.maxsize} is full", meta)
                return
        while not self._stopping.is_set():
            try:
                self._queue.put((meta, payload), timeout=_POLL_S)
                return
            except queue.Full:
                continue

    # --- worker side ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                meta, payload = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                self._guarded({}, self.idle)
                continue
            if self._failed:
                continue
            if is_done(meta):
                self.finish()
                self.message_port_pub(self._out, done_pdu(self._title))
            else:
                self._guarded(meta, lambda meta=meta, payload=payload: self.process(meta, payload))

    def _guarded(self, meta: dict[str, Any], call: Any) -> None:
        """Publish what ``call`` yields; any fault is counted, reported and ends or skips as configured."""
        try:
            for out_meta, out_payload in call():
                self.message_port_pub(self._out, make_pdu(out_meta, out_payload))
                self.counters["sent"] += 1
        except Exception as exc:  # a block must survive whatever one message does to it
            self.counters["errors"] += 1
            reason = str(exc) if isinstance(exc, ValueError) else f"{type(exc).__name__}: {exc}"
            self.report("error", reason, meta)
            if self._on_error == "stop":
                self._failed = True
                self.report("stopped", f"on_error='stop' after: {reason}", meta)
                self.message_port_pub(self._out, done_pdu(self._title))
