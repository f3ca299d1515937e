"""Print answers as they arrive, and keep pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pmt

from .inbox import Waiting
from .message_worker import message_worker
from .pdu import done_pdu, read_pdu

_FAULTS = ("error", "dropped", "lost", "private_lost", "stopped", "crc_error")


class answer_sink(message_worker):  # noqa: N801
    """Answer sink: one printed line for each answer PDU.

    Ports: ``answers`` and ``status`` in, ``done`` and ``end`` out. Reads ``sequence``, ``task``, ``snr_db``,
    ``seconds``, ``mime`` and the payload (UTF-8 or PNG). Of ``status`` it prints every fault: what was lost
    and why. ``done`` repeats the ``done`` PDU once ``n_decoders`` have sent theirs: connect it to a source's
    ``stop``, and the flowgraph ends when all is answered. ``end`` is GNU Radio's own end message at the same
    moment, for port ``system`` of a source that has no ``stop``. Printing is done on its own thread: where
    the output is slow, decoders wait, and of ``status`` what finds no room is dropped.

    Counters: ``received`` and ``dropped`` (answers), ``status_received`` and ``status_dropped``, ``faults``
    (those of ``status``), ``errors``.

    Args:
        folder: where pictures are written as ``answer_<sequence>.png``; empty: they are not kept.
        n_decoders: decoders whose answers come here, >= 1.
    """

    def __init__(self, folder: str = "", n_decoders: int = 1) -> None:
        if n_decoders < 1:
            raise ValueError(f"n_decoders is {n_decoders}; give at least 1")
        super().__init__("m4sc_answer_sink", {"answers": 16, "status": 64}, ("done", "end"))
        self._folder = Path(folder) if folder else None
        self.counters["faults"] = self.counters["status_received"] = 0
        self._n_decoders = self._open = n_decoders

    def start(self) -> bool:
        """Wait for every decoder again; called by the scheduler."""
        self._open = self._n_decoders
        return super().start()

    def handle(self, waiting: Waiting) -> None:
        """Print one message."""
        if waiting.port == "status":
            self._show_status(waiting.message)
        elif not waiting.done:
            self._show_answer(waiting.message)
        else:
            self._open -= 1
            if self._open == 0:
                self.publish("done", done_pdu("m4sc_answer_sink"))
                self.publish("end", pmt.cons(pmt.intern("done"), pmt.from_long(1)))

    def _show_answer(self, message: Any) -> None:
        try:
            meta, payload = read_pdu(message)
            self.counters["received"] += 1
            text = self._text(meta, payload.tobytes())
            snr, seconds = float(meta.get("snr_db", float("nan"))), float(meta.get("seconds", 0.0))
            heard = f"{snr:.1f} dB, {seconds:.2f} s"
            if int(meta.get("copies", 1)) > 1:
                heard += f", {meta['copies']} copies"
            print(f"#{meta.get('sequence', '?')} {meta.get('task', '')} ({heard}): {text}", flush=True)
        except Exception as exc:  # the next answer must still be shown
            self.counters["errors"] += 1
            self.logger.warn(f"answer not shown: {exc}")

    def _show_status(self, message: Any) -> None:
        try:
            meta, _ = read_pdu(message)
            self.counters["status_received"] += 1
            if meta.get("event") in _FAULTS:
                self.counters["faults"] += 1
                reason = meta.get("reason", meta["event"])
                print(f"#{meta.get('sequence', '?')} {meta['event']}: {reason}", flush=True)
        except Exception as exc:  # the next one must still be shown
            self.counters["errors"] += 1
            self.logger.warn(f"status not shown: {exc}")

    def _text(self, meta: dict[str, Any], payload: bytes) -> str:
        if not str(meta.get("mime", "text/plain")).startswith("image/"):
            return payload.decode("utf-8", "replace")
        words = f"{meta['text']} " if meta.get("text") else ""
        if self._folder is None:
            return f"{words}picture, {len(payload)} bytes"
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"answer_{meta.get('sequence', 0)}.png"
        path.write_bytes(payload)
        return f"{words}{path}"
