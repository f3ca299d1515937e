"""Shared by all PDU blocks: one PDU in, any number out, counters, and a rule for errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pmt

from .inbox import Waiting
from .message_worker import message_worker
from .pdu import done_pdu, make_pdu, read_pdu

ON_ERROR = ("skip", "stop")
_BACK_LEN = 64
_REPORTED = ("sequence", "source_id", "user_id", "task", "segment", "n_segments", "lost_segments")


class pdu_worker(message_worker):  # noqa: N801
    """A block that turns each PDU into any number of PDUs on a thread of its own.

    The scheduler's threads never run :meth:`process`. PDUs leave in the order they came. A PDU with ``done``
    in its metadata is passed on after all before it were handled. What comes when the queue is full: see
    :class:`message_worker`.

    Counters (:attr:`counters`): ``received`` (PDUs read), ``sent``, ``errors`` (no PDU, or skipped by a
    fault), ``dropped`` (no room, or the flowgraph stopped before their turn).

    Args:
        name: block name.
        in_port: message port read.
        out_port: message port written; port ``status`` reports every fault as a PDU with ``block``,
            ``event`` (``error``, ``dropped``, ``stopped``), ``reason`` and, where known, ``sequence``;
            ``dropped`` comes at most once a second, with ``count``.
        queue_len: PDUs held at most, >= 1.
        on_error: ``skip`` the message and go on, or ``stop``: pass ``done`` on and drop what follows.
        back_port: message port for what comes back from the other end (:meth:`process_back`), None for none.
            Nobody waits for it, since the way there leads through this block.
    """

    def __init__(
        self,
        name: str,
        in_port: str,
        out_port: str,
        queue_len: int = 16,
        on_error: str = "skip",
        back_port: str | None = None,
    ) -> None:
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error is '{on_error}'; use 'skip' or 'stop'")
        back = {} if back_port is None else {back_port: _BACK_LEN}
        super().__init__(name, {in_port: queue_len, **back}, (out_port, "status"), tuple(back))
        self._back_port = back_port
        self.counters["sent"] = 0
        self._on_error, self._out_port = on_error, out_port
        self._failed = False

    # --- for subclasses ---------------------------------------------------------------------------------

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """Turn one PDU into any number of (metadata, payload); runs on the worker thread."""
        raise NotImplementedError

    def process_back(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """As :meth:`process`, for a PDU on ``back_port``."""
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
        self.message_port_pub(pmt.intern("status"), status)

    # --- scheduler side ---------------------------------------------------------------------------------

    def start(self) -> bool:
        """Start the worker; called by the scheduler."""
        self._failed = False
        return super().start()

    # --- worker side ------------------------------------------------------------------------------------

    def handle_idle(self) -> None:
        """Time-outs."""
        self._guarded({}, self.idle)

    def handle(self, waiting: Waiting) -> None:
        """One PDU, or ``done``."""
        if self._failed:
            if not waiting.done:
                self._inbox.drop(waiting.port, told=False)  # the fault was
        elif waiting.done and waiting.port == self._back_port:
            return  # the other end's end is not ours
        elif waiting.done:
            self._guarded({}, lambda: self.finish() or ())
            if not self._failed:
                self.publish(self._out_port, done_pdu(self._title))
        else:
            try:
                meta, payload = read_pdu(waiting.message)
            except (ValueError, TypeError, RuntimeError) as exc:
                self.counters["errors"] += 1
                self.report("error", str(exc))
                return
            if waiting.port == self._back_port:
                self._guarded(meta, lambda: self.process_back(meta, payload), may_stop=False)
                return
            self.counters["received"] += 1
            self._guarded(meta, lambda: self.process(meta, payload))

    def after_fault(self, waiting: Waiting) -> None:
        """``done`` leaves whatever happened before it."""
        if waiting.done and not self._failed and waiting.port != self._back_port:
            self.publish(self._out_port, done_pdu(self._title))

    def _guarded(self, meta: dict[str, Any], call: Any, may_stop: bool = True) -> None:
        """Publish what ``call`` yields; any fault is counted, reported and ends or skips as configured.

        may_stop: what comes from the other end ends nothing here.
        """
        try:
            for out_meta, out_payload in call():
                if not self.publish(self._out_port, make_pdu(out_meta, out_payload)):
                    return  # the flowgraph stops
                self.counters["sent"] += 1
        except Exception as exc:  # a block must survive whatever one message does to it
            self.counters["errors"] += 1
            reason = str(exc) if isinstance(exc, ValueError) else f"{type(exc).__name__}: {exc}"
            self.report("error", reason, meta)
            if may_stop and self._on_error == "stop":
                self._failed = True
                self.report("stopped", f"on_error='stop' after: {reason}", meta)
                self.publish(self._out_port, done_pdu(self._title))
