"""Gather what a run of the loopback sent, received and answered."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pmt
from gnuradio import gr
from gnuradio.m4sc.pdu import is_done, read_pdu

from m4sc_flowgraphs.messages import MessageResult


class Collector(gr.basic_block):
    """Sink for answers and every block's ``status``; ``done`` is set at the end."""

    def __init__(self) -> None:
        gr.basic_block.__init__(self, "m4sc_collector", [], [])
        self.done = threading.Event()
        self._answers: dict[int, tuple[dict[str, Any], bytes]] = {}
        self._frames: dict[int, dict[int, dict[str, Any]]] = {}
        self._sent: dict[int, list[dict[str, Any]]] = {}
        self._faults: dict[int, str] = {}
        self._lost_frames: dict[int, int] = {}
        self.stray: list[str] = []  # faults that belong to no message
        # one port for all: its queue keeps the order, so that nothing is outstanding once `done` is read
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self._accept)

    def _accept(self, message: Any) -> None:
        meta, payload = read_pdu(message)
        if is_done(meta):
            if str(meta.get("last_block", "")).endswith("_decoder"):
                self.done.set()
        elif "block" in meta:
            self._on_status(meta)
        elif "seconds" in meta:
            self._answers[int(meta["sequence"])] = (meta, payload.tobytes())

    def _on_status(self, meta: dict[str, Any]) -> None:
        event = meta.get("event")
        if event == "sent":
            self._sent.setdefault(int(meta["sequence"]), []).append(meta)
        elif event == "received":
            self._frames.setdefault(int(meta["sequence"]), {})[int(meta.get("segment", 0))] = meta
        elif event in ("error", "dropped", "lost", "stopped"):
            reason = str(meta.get("reason", event))
            if "sequence" not in meta:
                self.stray.append(reason)
                return
            sequence = int(meta["sequence"])
            self._faults.setdefault(sequence, reason)
            if event == "lost":
                self._lost_frames[sequence] = int(meta.get("lost_segments", 1))

    def result(self, sequence: int) -> MessageResult:
        """What came of message ``sequence``."""
        sent = self._sent.get(sequence, [])
        frames = list(self._frames.get(sequence, {}).values())
        meta, payload = self._answers.get(sequence, ({}, None))
        is_picture = str(meta.get("mime", "")).startswith("image/")
        lost = int(meta.get("lost_segments", self._lost_frames.get(sequence, len(sent) - len(frames))))
        error = "" if meta else self._faults.get(sequence, "no answer arrived")
        received = meta.get("received")
        return MessageResult(
            complex_symbols=sum(int(frame["n_symbols"]) for frame in sent),
            air_time_s=float(sum(float(frame["air_time_s"]) for frame in sent)),
            frames_sent=len(sent),
            frames_lost=max(0, lost),
            answer=None if payload is None else _words(meta, payload),
            picture=payload if is_picture else None,
            received=None if received is None else bytes(np.asarray(received, np.uint8)),
            symbols=np.asarray(meta["symbols"]) if "symbols" in meta else None,
            h_hat=np.asarray(meta["h_hat"]) if "h_hat" in meta else None,
            snr_db=float(np.mean([frame["snr_db"] for frame in frames])) if frames else None,
            cfo_hz=float(np.mean([frame["cfo_hz"] for frame in frames])) if frames else None,
            seconds=float(meta.get("seconds", 0.0)),
            confidence=meta.get("confidence"),
            verified=meta.get("verified"),
            error=error,
        )


def _words(meta: dict[str, Any], payload: bytes) -> str:
    """The words of an answer; those of a picture stand beside it."""
    if str(meta.get("mime", "")).startswith("image/"):
        return str(meta.get("text", ""))
    return payload.decode("utf-8", "replace")
