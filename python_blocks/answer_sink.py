"""Print answers as they arrive, and keep pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pmt
from gnuradio import gr

from .pdu import is_done, read_pdu


class answer_sink(gr.basic_block):  # noqa: N801
    """Answer sink: one printed line for each answer PDU.

    Port: ``answers`` in. Reads ``sequence``, ``task``, ``snr_db``, ``seconds``, ``mime`` and the payload
    (UTF-8 or PNG).

    Args:
        folder: where pictures are written as ``answer_<sequence>.png``; empty: they are not kept.
    """

    def __init__(self, folder: str = "") -> None:
        gr.basic_block.__init__(self, "m4sc_answer_sink", [], [])
        self._folder = Path(folder) if folder else None
        self.counters: Counter[str] = Counter(received=0, errors=0)
        self.message_port_register_in(pmt.intern("answers"))
        self.set_msg_handler(pmt.intern("answers"), self._accept)

    def _accept(self, message: Any) -> None:
        try:
            meta, payload = read_pdu(message)
            if is_done(meta):
                return
            self.counters["received"] += 1
            text = self._text(meta, payload.tobytes())
            snr, seconds = float(meta.get("snr_db", float("nan"))), float(meta.get("seconds", 0.0))
            heard = f"{snr:.1f} dB, {seconds:.2f} s"
            print(f"#{meta.get('sequence', '?')} {meta.get('task', '')} ({heard}): {text}", flush=True)
        except (ValueError, TypeError, OSError) as exc:
            self.counters["errors"] += 1
            self.logger.warn(f"answer not shown: {exc}")

    def _text(self, meta: dict[str, Any], payload: bytes) -> str:
        if not str(meta.get("mime", "text/plain")).startswith("image/"):
            return payload.decode("utf-8", "replace")
        if self._folder is None:
            return f"picture, {len(payload)} bytes"
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"answer_{meta.get('sequence', 0)}.png"
        path.write_bytes(payload)
        return str(path)
