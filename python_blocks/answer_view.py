"""A Qt view of what was sent and what the receiver said."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pmt
from gnuradio import gr

from .pdu import is_done, read_pdu


class answer_view(gr.basic_block):  # noqa: N801
    """Answer view: the message sent, beside it the answers of one or more systems, live (Qt).

    Ports: ``sent`` and ``answers`` in. ``sent`` reads message PDUs (picture, sound or text, with ``task`` and
    ``instruction``), ``answers`` reads answer PDUs (``sequence``, ``payload_kind``, ``snr_db``, ``seconds``,
    ``received``, ``mime``). Needs PyQt5, which GNU Radio's Qt blocks bring; :attr:`widget` is the QWidget.

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

        self.counters: Counter[str] = Counter(sent=0, received=0, errors=0)
        self.widget = AnswerWidget(title, n_answers, show_answers, self._fault)
        for port, handler in (("sent", self._on_sent), ("answers", self._on_answer)):
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), handler)

    def _on_sent(self, message: Any) -> None:
        self._show(message, "sent", self.widget.sent)

    def _on_answer(self, message: Any) -> None:
        self._show(message, "received", self.widget.answered)

    def _show(self, message: Any, counter: str, signal: Any) -> None:
        """Hand the PDU to Qt's thread; a signal is the only way that is safe from this one."""
        try:
            meta, payload = read_pdu(message)
            if not is_done(meta):
                self.counters[counter] += 1
                signal.emit(meta, payload.tobytes())
        except (ValueError, TypeError, RuntimeError) as exc:
            self._fault(exc)

    def _fault(self, exc: Exception) -> None:
        self.counters["errors"] += 1
        self.logger.warn(f"not shown: {exc}")
