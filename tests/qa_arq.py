"""ARQ blocks in a flowgraph: a poor channel, a way back, and nothing lost."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from flow import Sink, post, put, run_block, wait_until
from gnuradio import gr, m4sc, zeromq
from gnuradio.m4sc.pdu import done_pdu, make_pdu, read_pdu
from m4sc.phy.channel.impairments import add_noise
from m4sc_app.bench.free_ports import free_ports

pytestmark = pytest.mark.timeout(120)
TEXTS = [f"message {number} of ten, in bytes".encode() for number in range(10)]


def link(snr_db: float, **options: Any) -> tuple[Sink, Any, Any]:
    """Messages through a channel that fades quickly, with the reports back; what came, mapper, combiner."""
    tb, sink = gr.top_block("arq", catch_exceptions=True), Sink()
    mapper, combiner = m4sc.arq_mapper(**{"timeout_s": 0.5, **options}), m4sc.arq_combiner()
    transmitter, receiver = m4sc.frame_transmitter(end_on_done=True), m4sc.frame_receiver()
    air = m4sc.channel(snr_db, doppler_hz=300.0, fading="rayleigh", seed=5)
    demapper = m4sc.symbol_demapper()
    tb.connect(transmitter, air, receiver)
    tb.msg_connect(mapper, "symbols", transmitter, "symbols")
    tb.msg_connect(receiver, "symbols", combiner, "symbols")
    tb.msg_connect(combiner, "symbols", demapper, "symbols")
    tb.msg_connect(demapper, "payload", sink, "out")
    tb.msg_connect(mapper, "status", sink, "status")
    tb.msg_connect(combiner, "reports", mapper, "reports")
    tb.start()
    try:
        for number, text in enumerate(TEXTS):
            put(mapper, "payload", make_pdu({"sequence": number, "task_id": 1}, text), 60.0)
        delivered = wait_until(lambda: mapper.counters["messages"] == len(TEXTS), 60.0)
        assert delivered and wait_until(lambda: len(sink.pdus) == len(TEXTS)), dict(mapper.counters)
    finally:
        tb.stop()
        tb.wait()
    return sink, mapper, combiner


def test_nothing_is_lost_in_a_channel_that_loses_frames() -> None:
    sink, mapper, combiner = link(2.0)
    assert [payload.tobytes() for _, payload in sink.pdus] == TEXTS
    counters = mapper.counters
    assert counters["messages"] == len(TEXTS) and counters["given_up"] == 0
    assert counters["again"] > 0 and counters["sent"] > len(TEXTS)
    assert combiner.counters["decoded"] == len(TEXTS)


def test_reports_come_back_over_zeromq() -> None:
    (port,) = free_ports(1)
    address = f"tcp://127.0.0.1:{port}"
    tb, sink, mapper = gr.top_block("zmq", catch_exceptions=True), Sink(), m4sc.arq_mapper(timeout_s=60.0)
    there, here = zeromq.pub_msg_sink(address, 100), zeromq.sub_msg_source(address, 100)
    source = m4sc.arq_combiner()
    tb.msg_connect(source, "reports", there, "in")
    tb.msg_connect(here, "out", mapper, "reports")
    tb.msg_connect(mapper, "symbols", sink, "out")
    tb.start()
    try:
        put(mapper, "payload", make_pdu({"sequence": 6, "task_id": 1}, b"by another way"), 5.0)
        assert wait_until(lambda: len(sink.pdus) == 1)
        meta, symbols = sink.pdus[0]
        heard = {**meta, "snr_db": 20.0, "noise_var": np.full(symbols.size, 0.01, np.float32)}

        def is_acknowledged() -> bool:
            put(source, "symbols", make_pdu(heard, symbols), 5.0)  # a subscriber may join late
            return bool(wait_until(lambda: mapper.counters["messages"] == 1, 0.2))

        assert wait_until(is_acknowledged, 20.0)
    finally:
        tb.stop()
        tb.wait()


def test_without_a_way_back_each_message_is_given_up_and_told() -> None:
    block = m4sc.arq_mapper(timeout_s=0.05, tries=3)
    sink = run_block(block, "payload", "symbols", [({"sequence": 4}, b"anybody?"), ({"sequence": 5}, b"no")])
    assert len(sink.pdus) == 6 and [meta["copy"] for meta, _ in sink.pdus] == [0, 1, 2] * 2
    assert [s["sequence"] for s in sink.status if s["event"] == "lost"] == [4, 5]
    assert block.counters["given_up"] == 2 and block.counters["silent"] == 6


def test_a_message_under_way_does_not_keep_the_flowgraph_from_ending() -> None:
    tb, block, sink = gr.top_block("stop", catch_exceptions=True), m4sc.arq_mapper(timeout_s=60.0), Sink()
    tb.msg_connect(block, "symbols", sink, "out")
    tb.start()
    put(block, "payload", make_pdu({}, b"waits"), 5.0)
    assert wait_until(lambda: len(sink.pdus) == 1)
    started = time.monotonic()
    tb.stop()
    tb.wait()
    assert time.monotonic() - started < 5.0


def test_copies_are_combined_and_reported_and_other_kinds_pass() -> None:
    mapper = m4sc.symbol_mapper(mcs=4)
    ((meta, symbols),) = run_block(mapper, "payload", "symbols", [({"sequence": 9}, bytes(60))]).pdus
    rng, noise = np.random.default_rng(3), 1.0
    heard = [
        ({**meta, "snr_db": 0.0, "noise_var": np.full(symbols.size, noise, np.float32)},
         add_noise(symbols, noise**0.5, rng).astype(np.complex64))
        for _ in range(6)
    ]  # fmt: skip
    analog = ({"payload_kind": "analog", "modality": "text", "task_id": 1}, np.ones(8, np.complex64))
    tb, block, sink, reports = gr.top_block("c"), m4sc.arq_combiner(), Sink(), Sink()
    tb.msg_connect(block, "symbols", sink, "out")
    tb.msg_connect(block, "reports", reports, "out")
    tb.start()
    try:
        for pdu in [*heard, analog]:
            put(block, "symbols", make_pdu(*pdu), 5.0)
        put(block, "symbols", done_pdu(), 5.0)
        assert sink.done.wait(10.0) and wait_until(lambda: len(reports.pdus) == 6)
    finally:
        tb.stop()
        tb.wait()
    digital, passed = sink.pdus
    assert 2 <= digital[0]["copies"] <= 6 and passed[0]["payload_kind"] == "analog"
    flags = [report["acknowledged"] for report, _ in reports.pdus]
    assert flags == sorted(flags) and flags[-1] and not flags[0]
    assert read_pdu(make_pdu(*reports.pdus[0]))[0]["sequence"] == 9


def test_what_there_is_no_room_for_is_told() -> None:
    """Losses are told on `status` as by every block that holds its senders back."""
    tb, sink = gr.top_block("full", catch_exceptions=True), Sink()
    block = m4sc.arq_mapper(timeout_s=60.0, queue_len=1)
    tb.msg_connect(block, "symbols", sink, "out")
    tb.msg_connect(block, "status", sink, "status")
    tb.start()
    try:
        for number in range(12):  # as a stranger that waits for nobody
            post(block, "payload", make_pdu({"sequence": number}, b"one of many"))
        assert wait_until(lambda: block.counters["dropped"] > 0)
    finally:
        tb.stop()
        tb.wait()
    assert any(s["event"] == "dropped" for s in sink.status)
