"""Print answers as they arrive, and keep pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pmt
from gnuradio import gr

from .pdu import done_pdu, is_done, read_pdu

_FAULTS = ("error", "dropped", "lost", "stopped", "crc_error")


class answer_sink(gr.basic_block):  # noqa: N801
    """Answer sink: one printed line for each answer PDU.

    Ports: ``answers`` and ``status`` in, ``done`` and ``end`` out. Reads ``sequence``, ``task``, ``snr_db``,
    ``seconds``, ``mime`` and the payload (UTF-8 or PNG). Of ``status`` it prints every fault: what was lost
    and why. ``done`` repeats the ``done`` PDU once ``n_decoders`` have sent theirs: connect it to a source's
    ``stop``, and the flowgraph ends when all is answered. ``end`` is GNU Radio's own end message at the same
    moment, for port ``system`` of a source that has no ``stop``.

    Args:
        folder: where pictures are written as ``answer_<sequence>.png``; empty: they are not kept.
        n_decoders: decoders whose answers come here, >= 1.
    """

    def __init__(self, folder: str = "", n_decoders: int = 1) -> None:
        if n_decoders < 1:
            raise ValueError(f"n_decoders is {n_decoders}; give at least 1")
        gr.basic_block.__init__(self, "m4sc_answer_sink", [], [])
        self._folder = Path(folder) if folder else None
        self.counters: Counter[str] = Counter(received=0, errors=0, faults=0)
        self._open = n_decoders
        self._done = pmt.intern("done")
        self._end = pmt.intern("end")
        self.message_port_register_out(self._done)
        self.message_port_register_out(self._end)
        for port, handler in (("answers", self._accept), ("status", self._accept_status)):
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), handler)

    def _accept(self, message: Any) -> None:
        try:
            meta, payload = read_pdu(message)
            if is_done(meta):
                self._open -= 1
                if self._open == 0:
                    self.message_port_pub(self._done, done_pdu("m4sc_answer_sink"))
                    self.message_port_pub(self._end, pmt.cons(pmt.intern("done"), pmt.from_long(1)))
                return
            self.counters["received"] += 1
            text = self._text(meta, payload.tobytes())
            snr, seconds = float(meta.get("snr_db", float("nan"))), float(meta.get("seconds", 0.0))
            heard = f"{snr:.1f} dB, {seconds:.2f} s"
            print(f"#{meta.get('sequence', '?')} {meta.get('task', '')} ({heard}): {text}", flush=True)
        except (ValueError, TypeError, OSError) as exc:
            self.counters["errors"] += 1
            self.logger.warn(f"answer not shown: {exc}")

    def _accept_status(self, message: Any) -> None:
        try:
            meta, _ = read_pdu(message)
            if meta.get("event") in _FAULTS:
                self.counters["faults"] += 1
                reason = meta.get("reason", meta["event"])
                print(f"#{meta.get('sequence', '?')} {meta['event']}: {reason}", flush=True)
        except (ValueError, TypeError) as exc:
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
