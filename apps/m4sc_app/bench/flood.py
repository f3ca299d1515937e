"""What a flood of PDUs from a sender that never waits costs each message block."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

N_PDUS = 100_000
N_BYTES = 4096
_DRAIN_S = 60.0

# port, dtype of the payload, counters that together are all PDUs received or dropped
Port = tuple[str, type, tuple[str, ...]]
_USUAL = ("received", "dropped")


class SlowSystem:
    """A semantic system that takes 50 ms for anything: for it every flood is one."""

    fingerprint = 1

    def encode(self, *_: Any, **__: Any) -> Any:
        """Nothing, late."""
        time.sleep(0.05)
        raise ValueError("this system encodes nothing")

    decode = answer_without_channel = encode


def flooded_blocks() -> dict[str, tuple[Callable[[], Any], Port]]:
    """Every block with a message port that takes PDUs of others, by name: how it is made, and its port."""
    from gnuradio import m4sc

    model = SlowSystem()
    return {
        "message_encoder": (lambda: m4sc.message_encoder(model), ("messages", np.uint8, _USUAL)),
        "symbol_mapper": (lambda: m4sc.symbol_mapper(), ("payload", np.float32, _USUAL)),
        "frame_transmitter": (lambda: m4sc.frame_transmitter(), ("symbols", np.complex64, _USUAL)),
        "packet_transmitter": (lambda: m4sc.packet_transmitter(), ("symbols", np.uint8, _USUAL)),
        "user_filter": (lambda: m4sc.user_filter(), ("symbols", np.complex64, _USUAL)),
        "symbol_demapper": (lambda: m4sc.symbol_demapper(), ("symbols", np.complex64, _USUAL)),
        "message_decoder": (lambda: m4sc.message_decoder(model), ("symbols", np.complex64, _USUAL)),
        "frame_probe": (lambda: m4sc.frame_probe(), ("symbols", np.complex64, _USUAL)),
        "answer_sink": (
            lambda: m4sc.answer_sink(),
            ("status", np.uint8, ("status_received", "status_dropped")),
        ),
    }


def flood_rss_mb(n_pdus: int = N_PDUS, n_bytes: int = N_BYTES) -> dict[str, Any]:
    """Flood the blocks one after another.

    Each PDU is an object of its own, posted as fast as Python can, as by a block that is not ours. Of what
    stream blocks make nothing is taken after the first buffer.

    Args:
        n_pdus: PDUs posted to each block.
        n_bytes: payload of each.

    Returns:
        Figure ``flood_rss_mb``: the largest growth of resident memory of any flooded block, MB; ``detail``
        has each block's, and whether received + dropped = published everywhere.
    """
    growths, wrong = {}, []
    for name, (make, port) in flooded_blocks().items():
        growths[name], accounted = flood(make(), port, n_pdus, n_bytes)
        if accounted != n_pdus:
            wrong.append(f"{name}: {accounted} of {n_pdus}")
    each = ", ".join(f"{name} {growth:.1f}" for name, growth in growths.items())
    exact = f"NOT all accounted for ({'; '.join(wrong)})" if wrong else "received + dropped = published"
    detail = f"{n_pdus} PDUs of {n_bytes} bytes to each; {exact}; {each}"
    return {"name": "flood_rss_mb", "value": round(max(growths.values()), 2), "unit": "MB", "detail": detail}


def flood(block: Any, port: Port, n_pdus: int = N_PDUS, n_bytes: int = N_BYTES) -> tuple[float, int]:
    """Flood one port of a block.

    Args:
        block: the block.
        port: see :data:`Port`.
        n_pdus: PDUs posted.
        n_bytes: payload of each.

    Returns:
        Largest growth of resident memory from a tenth of the flood on, MB, and the PDUs accounted for. The
        first tenth, at most 1000 PDUs, warms up: what a block imports and compiles for its first PDU counts
        for nobody's queue.
    """
    import pmt
    import psutil
    from gnuradio import gr
    from gnuradio.m4sc.pdu import make_pdu

    name, dtype, counted = port
    tb, process = gr.top_block("flood", catch_exceptions=True), psutil.Process()
    tb.handle_sigint = False
    block.logger.set_level("off")
    kept: list[Any] = []
    for i in range(block.output_signature().min_streams()):
        size = block.output_signature().sizeof_stream_item(i)
        kept.append(_closed(size))
        tb.connect((block, i), kept[-1])
    if not kept:  # a block that hangs on nothing is not started
        kept.append(_silent())
        tb.msg_connect(kept[-1], "out", block, name)
    entry, key = block.to_basic_block(), pmt.intern(name)
    payload: np.ndarray = np.ones(n_bytes // np.dtype(dtype).itemsize, dtype)
    meta = {"task": "text", "modality": "text", "task_id": 1, "model_fingerprint": 1, "event": "sent"}
    more = {"h_hat": np.ones(48, np.complex64)}
    warm = min(1000, n_pdus // 10)
    before = most = 0
    tb.start()
    try:
        for i in range(n_pdus):
            entry._post(key, make_pdu({**meta, **more, "sequence": i & 0xFFFF}, payload))
            if i == warm:
                _settle(entry, key)
                gc.collect()
                before = most = process.memory_info().rss
            elif i % 250 == 0:
                most = max(most, process.memory_info().rss)
        most = max(most, process.memory_info().rss)
        _settle(entry, key)
    finally:
        tb.stop()
        tb.wait()
    return max(0, most - before) / 1e6, sum(int(block.counters[counter]) for counter in counted)


def _settle(entry: Any, key: Any) -> None:
    """Wait until GNU Radio's queue is empty and first imports are over."""
    import psutil

    end, process = time.monotonic() + _DRAIN_S, psutil.Process()
    last, since = -1, time.monotonic()
    while time.monotonic() < end and (entry.nmsgs(key) or time.monotonic() - since < 2.0):
        rss = process.memory_info().rss
        if abs(rss - last) > 100_000:
            last, since = rss, time.monotonic()
        time.sleep(0.02)


def _silent() -> Any:
    """A block of GNU Radio's kind that sends nothing."""
    import pmt
    from gnuradio import gr

    class Silent(gr.basic_block):
        def __init__(self) -> None:
            gr.basic_block.__init__(self, "silent", [], [])
            self.message_port_register_out(pmt.intern("out"))

    return Silent()


def _closed(item_bytes: int) -> Any:
    """A stream sink that takes nothing."""
    from gnuradio import gr

    class Closed(gr.sync_block):
        def __init__(self) -> None:
            gr.sync_block.__init__(self, "closed", [(np.uint8, item_bytes)], [])

        def work(self, input_items: list[Any], output_items: list[Any]) -> int:
            time.sleep(0.01)
            return 0

    return Closed()
