"""Run one block in a real top block: PDUs in, PDUs out, with a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pmt
from gnuradio import gr
from gnuradio.m4sc.pdu import done_pdu, is_done, make_pdu, read_pdu

Pdu = tuple[dict[str, Any], np.ndarray]


class Sink(gr.basic_block):
    """Keeps the PDUs of ports `out` and `status`, and the metadata of those of `frames`.

    `done` is set by a done PDU on `out`.
    """

    def __init__(self) -> None:
        gr.basic_block.__init__(self, "sink", [], [])
        self.pdus: list[Pdu] = []
        self.status: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.done = threading.Event()
        for port, handler in (("out", self._out), ("status", self._status), ("frames", self._frame)):
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), handler)

    def _out(self, message: Any) -> None:
        meta, payload = read_pdu(message)
        if is_done(meta):
            self.done.set()
        else:
            self.pdus.append((meta, payload))

    def _frame(self, message: Any) -> None:
        meta, _ = read_pdu(message)
        if not is_done(meta):
            self.frames.append(meta)

    def _status(self, message: Any) -> None:
        self.status.append(read_pdu(message)[0])


def post(block: Any, port: str, message: Any) -> None:
    """Post a message to a block of a running flowgraph, as a stranger that waits for nobody."""
    block.to_basic_block()._post(pmt.intern(port), message)


def put(block: Any, port: str, message: Any, seconds: float) -> None:
    """Hand a message to a block once it has room, if it is one that holds its senders back."""
    if not hasattr(block, "put"):
        post(block, port, message)
        return
    assert block.put(message, seconds), "the block had no room in time"


def wait_until(check: Any, seconds: float = 10.0) -> bool:
    """Poll until `check()`; False when the time is over."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def run_block(
    block: Any, in_port: str, out_port: str, messages: Iterable[Any], seconds: float = 20.0
) -> Sink:
    """Post PDUs (as PMT or as (meta, payload)), then done; return what came out."""
    tb, sink = gr.top_block("test", catch_exceptions=True), Sink()
    tb.msg_connect(block, out_port, sink, "out")
    tb.msg_connect(block, "status", sink, "status")
    tb.start()
    try:
        for message in messages:
            put(block, in_port, make_pdu(*message) if isinstance(message, tuple) else message, seconds)
        put(block, in_port, done_pdu(), seconds)
        assert sink.done.wait(seconds), "the block did not finish in time"
        time.sleep(0.05)
    finally:
        tb.stop()
        tb.wait()
    return sink
