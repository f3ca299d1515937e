"""Every message port of every block: what is no message of its kind is counted, the next one is handled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pmt
import pytest
from fake_system import FakeSystem, K
from flow import Sink, post, wait_until
from gnuradio import blocks, gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from gnuradio.m4sc.systems import fingerprint_of
from m4sc.recordings import write_recording
from m4sc.transport.arq import Report

pytestmark = pytest.mark.timeout(60)
GARBAGE = (
    pmt.PMT_T,
    pmt.from_long(3),
    pmt.intern("word"),
    pmt.cons(pmt.make_dict(), pmt.from_long(1)),
    pmt.cons(pmt.from_long(1), pmt.init_u8vector(1, [0])),
)
SYMBOLS = np.ones(K, np.complex64)
LATENTS = make_pdu(
    {"task": "text", "model_fingerprint": fingerprint_of(FakeSystem())}, np.ones(2 * K, np.float32)
)
MESSAGE = make_pdu({"task": "text", "modality": "text"}, b"storm")
FRAME = make_pdu({"payload_kind": "analog", "modality": "text", "task_id": 1, "sequence": 0}, SYMBOLS)
SENT = make_pdu({"task_id": 7, "model_fingerprint": fingerprint_of(FakeSystem())}, SYMBOLS)
PACKET = make_pdu({}, b"abc")
QUERY = make_pdu({"sequence": 1, "instruction": "What?"}, b"")
UHD = pmt.cons(
    pmt.intern("uhd_async_msg"),
    pmt.dict_add(pmt.make_dict(), pmt.intern("event_code"), pmt.list1(pmt.intern("underflow"))),
)


def count(name: str) -> Callable[[Any], int]:
    return lambda block: block.counters[name]


def queries(block: Any) -> int:
    return len(block._queries)


def printed(block: Any) -> int:
    return int(block.counters["received"])


def recording(folder: Path) -> m4sc.sigmf_source:
    write_recording(folder / "x", np.zeros(8, np.complex64), 1e6, {})
    return m4sc.sigmf_source(str(folder / "x"))


# block, its port, a good message, what the good message changes (None: it ends the block)
CASES: dict[str, tuple[Callable[[Path], Any], str, Any, Callable[[Any], int] | None]] = {
    "message_source": (lambda _: m4sc.message_source(["text:x"], "text", interval_s=9), "stop", None, None),
    "answer_sink": (lambda _: m4sc.answer_sink(), "answers", make_pdu({"sequence": 1}, b"cat"), printed),
    "answer_sink status": (
        lambda _: m4sc.answer_sink(), "status", make_pdu({"event": "lost"}, b""), count("faults")
    ),
    "message_encoder": (lambda _: m4sc.message_encoder(FakeSystem()), "messages", MESSAGE, count("sent")),
    "symbol_mapper": (lambda _: m4sc.symbol_mapper(), "payload", LATENTS, count("sent")),
    "arq_mapper": (lambda _: m4sc.arq_mapper(), "payload", LATENTS, count("sent")),
    "arq_mapper reports": (
        lambda _: m4sc.arq_mapper(), "reports",
        make_pdu({}, Report(0, 0, 7, 0, True, 9.0).to_bytes()), lambda block: len(block._arrived),
    ),
    "arq_combiner": (lambda _: m4sc.arq_combiner(), "symbols", FRAME, count("sent")),
    "symbol_demapper": (
        lambda _: m4sc.symbol_demapper(), "symbols", FRAME, count("sent")
    ),
    "message_decoder": (lambda _: m4sc.message_decoder(FakeSystem()), "symbols", SENT, count("sent")),
    "message_decoder query": (lambda _: m4sc.message_decoder(FakeSystem()), "query", QUERY, queries),
    "group_encoder": (
        lambda _: m4sc.group_encoder(FakeSystem()), "feedback", make_pdu({"user_id": 1, "snr_db": 3.0}, b""),
        lambda block: len(block._heard),
    ),
    "group_decoder": (lambda _: m4sc.group_decoder(), "symbols", FRAME, count("sent")),
    "user_filter": (lambda _: m4sc.user_filter(), "symbols", make_pdu({}, SYMBOLS), count("sent")),
    "frame_transmitter": (lambda _: m4sc.frame_transmitter(), "symbols", FRAME, count("sent")),
    "frame_transmitter stop": (lambda _: m4sc.frame_transmitter(), "stop", None, None),
    "packet_transmitter": (lambda _: m4sc.packet_transmitter(), "symbols", PACKET, count("sent")),
    "frame_probe": (
        lambda _: m4sc.frame_probe(8, 2), "symbols",
        make_pdu({"h_hat": np.ones(2, np.complex64)}, SYMBOLS),
        lambda block: block.nitems_written(0),
    ),
    "time_division stop": (lambda _: m4sc.time_division(1), "stop", None, None),
    "sigmf_source stop": (recording, "stop", None, None),
    "usrp_events": (lambda _: m4sc.usrp_events(), "async_msgs", UHD, count("underflows")),
}  # fmt: skip


def surrounded(block: Any) -> tuple[gr.top_block, Sink]:
    """The block in a flowgraph, with something on each stream port and on ``status``."""
    tb, sink = gr.top_block("bad input", catch_exceptions=True), Sink()
    tb.kept = [block]
    for port in range(block.input_signature().min_streams()):
        tb.kept.append(blocks.null_source(block.input_signature().sizeof_stream_item(port)))
        tb.connect(tb.kept[-1], (block, port))
    for port in range(block.output_signature().min_streams()):
        tb.kept.append(blocks.null_sink(block.output_signature().sizeof_stream_item(port)))
        tb.connect((block, port), tb.kept[-1])
    if "status" in names(block.message_ports_out()):
        tb.msg_connect(block, "status", sink, "status")
    elif not block.output_signature().min_streams():  # a block that hangs on nothing is not started
        debug = blocks.message_debug()
        tb.kept.append(debug)
        for port in names(block.message_ports_out()):
            tb.msg_connect(block, port, debug, "store")
            break
    return tb, sink


def names(ports: Any) -> list[str]:
    return [pmt.symbol_to_string(pmt.vector_ref(ports, i)) for i in range(pmt.length(ports))]


def test_every_message_port_has_a_case() -> None:
    """The answer view is tested with Qt (qa_answer_view); the boxes hold these blocks."""
    known = {case.split()[0] for case in CASES}
    made_of_others = {"transmitter", "receiver", "answer_view"}
    no_port = {"sigmf_sink", "channel", "frame_receiver", "packet_receiver", "usrp_watch"}
    assert known | made_of_others | no_port == set(m4sc.__all__)


@pytest.mark.parametrize("case", sorted(CASES))
def test_garbage_is_counted_and_the_next_message_handled(case: str, tmp_path: Path) -> None:
    make, port, good, effect = CASES[case]
    block = make(tmp_path)
    tb, sink = surrounded(block)
    tb.start()
    try:
        for message in GARBAGE:
            post(block, port, message)
        assert wait_until(lambda: block.counters["errors"] == len(GARBAGE)), dict(block.counters)
        reports = "status" in names(block.message_ports_out()) and case != "usrp_events"
        if reports and "stop" not in case:
            assert wait_until(lambda: sum(s["event"] == "error" for s in sink.status) == len(GARBAGE))
        if effect is None:
            post(block, port, done_pdu())
        else:
            before = effect(block)
            post(block, port, good)
            assert wait_until(lambda: effect(block) > before, 40.0)  # its first imports take a while
            assert block.counters["errors"] == len(GARBAGE)
    finally:
        tb.stop()
        tb.wait()
