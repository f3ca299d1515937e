"""A Qt view of what was sent and what the receiver said."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pmt
from gnuradio import gr

from .gate import Gate
from .inbox import begin_run, set_quick_handler
from .pdu import carries_done, read_pdu

_WAITING = 64  # messages of a port that wait for Qt; nobody waits for a display
_TELL_S = 1.0


class answer_view(gr.basic_block):  # noqa: N801
    """Answer view: the message sent, beside it the answers of one or more systems, live (Qt).

    Ports: ``sent`` and ``answers`` in. ``sent`` reads message PDUs (picture, sound or text, with ``task`` and
    ``instruction``), ``answers`` reads answer PDUs (``sequence``, ``payload_kind``, ``snr_db``, ``seconds``,
    ``received``, ``mime``). What Qt has not shown yet is bounded: more is dropped and counted, and no block
    waits. Needs PyQt5, which GNU Radio's Qt blocks bring; :attr:`widget` is the QWidget.

    Counters: ``sent``, ``received``, ``dropped`` (of both), ``errors``.

    Args:
        title: heading of the view.
        n_answers: answers kept in the list, >= 1.
        show_answers: False leaves the answers out: a transmitter's view.
    """

    def __init__(self, title: str = "", n_answers: int = 8, show_answers: bool = True) -> None:
        if n_answers < 1:
            raise ValueError(f"n_answers is {n_answers}; give at least 1")
        gr.basic_block.__init__(self, "m4sc_answer_view", [], [])
        from .answer_widget import AnswerWidget  # not on a machine without Qt

        self.counters: Counter[str] = Counter(sent=0, received=0, dropped=0, errors=0)
        self._gates = {port: Gate(self, port, _WAITING, holds_senders=False) for port in ("sent", "answers")}
        self._last_told = float("-inf")
        self.widget = AnswerWidget(title, n_answers, show_answers, self._shown, self._fault)
        for port in self._gates:
            self.message_port_register_in(pmt.intern(port))
        set_quick_handler(self, "sent", lambda message: self._show(message, "sent", "sent"))
        set_quick_handler(self, "answers", lambda message: self._show(message, "answers", "received"))

    def start(self) -> bool:
        """Begin; called by the scheduler."""
        begin_run(self)
        for gate in self._gates.values():
            gate.open()
        return True

    def _show(self, message: Any, port: str, counter: str) -> None:
        """Hand the PDU to Qt's thread; a signal is the only way that is safe from this one."""
        if carries_done(message):
            return
        if not self._gates[port].admit(message):
            self.counters["dropped"] += 1
            if time.monotonic() - self._last_told >= _TELL_S:
                self._last_told = time.monotonic()
                self.logger.warn(f"{self.counters['dropped']} messages not shown so far: Qt is slower")
            return
        try:
            meta, payload = read_pdu(message)
            self.counters[counter] += 1
            (self.widget.sent if port == "sent" else self.widget.answered).emit(meta, payload.tobytes())
        except (ValueError, TypeError, RuntimeError) as exc:
            self._gates[port].release()
            self._fault(exc)

    def _shown(self, port: str) -> None:
        """Called on Qt's thread once a message is off its queue."""
        self._gates[port].release()

    def _fault(self, exc: Exception) -> None:
        self.counters["errors"] += 1
        self.logger.warn(f"not shown: {exc}")
