"""Packet transmitter and receiver, against each other and against GNU Radio's OFDM blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pmt
import pytest
from flow import Sink, post, wait_until
from gnuradio import blocks, digital, gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu

pytestmark = pytest.mark.timeout(60)
FORMATS = [(1, False), (2, True), (3, False)]


def payloads(count: int, n_bytes: int) -> list[bytes]:
    rng = np.random.default_rng(2)
    return [bytes([number]) + rng.bytes(n_bytes - 1) for number in range(count)]


def transmit(messages: list[Any], **options: Any) -> tuple[np.ndarray, m4sc.packet_transmitter]:
    tb, sender = gr.top_block("tx"), m4sc.packet_transmitter(end_on_done=True, **options)
    sink = blocks.vector_sink_c()
    tb.connect(sender, sink)
    for message in [*messages, done_pdu()]:
        post(sender, "symbols", message)
    tb.start()
    tb.wait()
    return np.asarray(sink.data(), np.complex64), sender


def receive(samples: np.ndarray, wanted: int, **options: Any) -> tuple[Sink, Sink, m4sc.packet_receiver]:
    tb, sink, states = gr.top_block("rx"), Sink(), Sink()
    source, receiver = blocks.vector_source_c(samples, False), m4sc.packet_receiver(**options)
    tb.connect(source, receiver)
    tb.msg_connect(receiver, "symbols", sink, "out")
    tb.msg_connect(receiver, "status", sink, "status")
    tb.msg_connect(receiver, "csi", states, "out")
    tb.start()
    tb.wait()
    wait_until(lambda: len(sink.status) >= wanted)
    return sink, states, receiver


@pytest.mark.parametrize(("bits", "scramble"), FORMATS)
def test_bytes_come_back_in_order_with_the_state_of_the_channel(bits: int, scramble: bool) -> None:
    sent = payloads(6, 90)
    pdus = [make_pdu({"sequence": 4093 + i}, data) for i, data in enumerate(sent)]
    samples, sender = transmit(pdus, bits_per_symbol=bits, scramble=scramble, amplitude=0.1)
    samples = samples * np.exp(0.01j * np.arange(samples.size)).astype(np.complex64)
    sink, states, receiver = receive(samples, 6, bits_per_symbol=bits, scramble=scramble)
    assert [bytes(data) for _, data in sink.pdus] == sent and sender.counters["sent"] == 6
    assert [meta["sequence"] for meta, _ in sink.pdus] == [4093, 4094, 4095, 0, 1, 2]
    assert receiver.counters["frames"] == 6 and receiver.counters["crc_errors"] == 0
    assert len(states.pdus) == 6 and np.allclose(np.abs(states.pdus[0][1]), 0.1, atol=0.01)
    assert {status["block"] for status in sink.status} == {"m4sc_packet_receiver"}


@pytest.mark.parametrize(("bits", "scramble"), FORMATS[:2])
def test_ofdm_rx_receives_ours(bits: int, scramble: bool) -> None:
    sent = payloads(40, 50)
    samples, _ = transmit(
        [make_pdu({"sequence": i}, data) for i, data in enumerate(sent)],
        bits_per_symbol=bits, scramble=scramble,
    )  # fmt: skip
    noise = np.random.default_rng(1).standard_normal((samples.size, 2), np.float32).view(np.complex64).ravel()
    tb = gr.top_block("stock")
    source = blocks.vector_source_c(samples + np.float32(0.02) * noise, False)
    stock = digital.ofdm_rx(packet_length_tag_key="packet_len", bps_payload=bits, scramble_bits=scramble)
    sink = blocks.vector_sink_b()
    tb.connect(source, stock, sink)
    tb.run()
    got = bytes(sink.data())
    found = {got[i : i + 50] for i in range(0, len(got), 50)}
    assert len(found & set(sent)) >= 32  # it loses some of its own as well


def test_a_spoilt_payload_is_dropped_counted_and_reported() -> None:
    sent = payloads(2, 200)
    samples, _ = transmit([make_pdu({"sequence": i}, data) for i, data in enumerate(sent)], gap_samples=500)
    samples[500 + 5 * 80 : 500 + 9 * 80] *= -1
    sink, _, receiver = receive(samples, 2)
    assert [bytes(data) for _, data in sink.pdus] == sent[1:] and receiver.counters["crc_errors"] == 1
    assert [s["kind"] for s in sink.status if s["event"] == "fault"] == ["crc_errors"]


def test_pdus_that_cannot_be_sent_are_counted_and_the_next_is_sent() -> None:
    bad = [make_pdu({}, np.ones(4, np.complex64)), make_pdu({}, b""), make_pdu({}, bytes(4092)), pmt.PMT_T]
    samples, sender = transmit([*bad, make_pdu({}, b"good")])
    assert sender.counters["errors"] == 4 and sender.counters["sent"] == 1
    sink, _, _ = receive(samples, 1)
    assert [bytes(data) for _, data in sink.pdus] == [b"good"]


def test_packets_are_clipped_as_asked() -> None:
    pdu = make_pdu({"sequence": 0}, payloads(1, 200)[0])
    plain, clipped = transmit([pdu])[0], transmit([pdu], clip_db=4.0)[0]
    assert np.max(np.abs(clipped)) < 0.9 * np.max(np.abs(plain))
    sink, _, _ = receive(clipped, 1)
    assert [bytes(data) for _, data in sink.pdus] == payloads(1, 200)


@pytest.mark.parametrize("block", [m4sc.packet_transmitter, m4sc.packet_receiver])
def test_16qam_is_refused(block: Any) -> None:
    with pytest.raises(ValueError, match="1, 2 or 3"):
        block(bits_per_symbol=4)
