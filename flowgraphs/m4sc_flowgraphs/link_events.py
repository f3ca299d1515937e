"""What happens on a link, as plain values, in the order in which it happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pmt
from gnuradio import gr
from gnuradio.m4sc.pdu import is_done, read_pdu

from m4sc_flowgraphs.link_event import ANSWER_KEYS, FRAME_KEYS, LinkEvent, private_lost

_SHARED = ("sequence", "source_id", "users", "public_symbols", "public_share")
_FAULTS = ("error", "dropped", "lost", "stopped")


class EventSink(gr.basic_block):
    """Turns the PDUs of every block of a link into :class:`LinkEvent`; ``done`` is set by the last decoder.

    Args:
        emit: called with each event on a thread of the scheduler; must not block.
        decoders: how many decoders pass ``done`` on.
    """

    def __init__(self, emit: Callable[[LinkEvent], None], decoders: int) -> None:
        gr.basic_block.__init__(self, "m4sc_event_sink", [], [])
        self.done = threading.Event()
        self.emit, self._missing = emit, decoders
        self.message_port_register_in(pmt.intern("events"))
        self.set_msg_handler(pmt.intern("events"), self._accept)

    def _accept(self, message: Any) -> None:
        try:
            meta, payload = read_pdu(message)
            if is_done(meta):
                if str(meta.get("last_block", "")).endswith("_decoder"):
                    self._missing -= 1
                    if self._missing <= 0:
                        self.done.set()
                return
            event = event_of(meta, payload, time.time())
        except (ValueError, TypeError, KeyError, RuntimeError) as exc:
            self.logger.warn(f"event not shown: {exc}")
            return
        if event is not None:
            self.emit(event)


def event_of(meta: dict[str, Any], payload: np.ndarray, time_s: float) -> LinkEvent | None:
    """The event that a PDU tells of; None for one that tells nothing new."""
    if "seconds" in meta:
        return _answer(meta, payload.tobytes(), time_s)
    if "block" in meta:
        return _status(meta, time_s)
    if meta.get("payload_kind") == "group":
        return LinkEvent("shared", time_s, {key: meta[key] for key in _SHARED if key in meta})
    return None


def _status(meta: dict[str, Any], time_s: float) -> LinkEvent | None:
    event = str(meta.get("event"))
    keys = ("sequence", "source_id", "segment", "n_segments", "air_time_s", "copy")
    known = {key: meta[key] for key in keys if key in meta}
    if event == "sent":
        return LinkEvent("sent", time_s, {**known, "complex_symbols": int(meta["n_symbols"])})
    if event == "looked":
        return LinkEvent("looked", time_s, {**known, "looked_at": meta["looked_at"], "text": meta["text"]})
    if event == "received":
        values = {key: meta[key] for key in FRAME_KEYS if key in meta}
        return LinkEvent("frame", time_s, {**values, "complex_symbols": int(meta["n_symbols"])})
    if event == "fault":  # of the receiver: a header that cannot be read, samples that are no numbers
        values = {"what": str(meta.get("kind")), "start_sample": int(meta.get("start_sample", 0))}
        values |= {key: meta[key] for key in ("figure", "unit") if key in meta}
        return LinkEvent("unread", time_s, {**values, "reason": str(meta.get("reason", ""))})
    if event == "private_lost":  # an answer to what is public follows
        return LinkEvent(
            "private_lost", time_s, {**known, **private_lost(meta.get("sequence"), meta["reason"])}
        )
    if event in _FAULTS:
        fault = {"block": meta["block"], "fault": event, "reason": str(meta.get("reason", event))}
        fault |= {key: int(meta[key]) for key in ("count", "user_id") if meta.get(key) is not None}
        return LinkEvent("fault", time_s, {**known, **fault})
    return None


def _answer(meta: dict[str, Any], payload: bytes, time_s: float) -> LinkEvent:
    is_picture = str(meta.get("mime", "")).startswith("image/")
    values = {key: meta[key] for key in ANSWER_KEYS if key in meta}
    values["answer"] = (meta.get("text") or None) if is_picture else payload.decode("utf-8", "replace")
    data: dict[str, Any] = {"picture": payload} if is_picture else {}
    data |= {name: meta[name] for name in ("symbols", "h_hat") if meta.get(name) is not None}
    if meta.get("received") is not None:
        data["received"] = bytes(np.asarray(meta["received"], np.uint8))
    return LinkEvent("answer", time_s, values, data)
