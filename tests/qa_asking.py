"""More on request in a flowgraph: a receiver that is not sure, a way back, and one answer a message."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_system import LEAST, WORDS, FakeSystem
from flow import Sink, post, put, run_block, wait_until
from gnuradio import gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from m4sc.codecs.base import Answer, Received
from m4sc.codecs.combining import maximal_ratio
from m4sc.transport.asking import Request

pytestmark = pytest.mark.timeout(120)


class UnsureSystem(FakeSystem):
    """As sure as it hears well: 0.5 at 0 dB; its symbols are nested, of one power."""

    def encode(self, *given: Any, **options: Any) -> Any:
        payload = super().encode(*given, **options)
        return replace(payload, latents=payload.latents[: options.get("symbols") or LEAST])

    def decode(self, symbols: np.ndarray, noise_var: np.ndarray, *given: Any) -> Any:
        answer = super().decode(symbols, noise_var, *given)
        return replace(answer, confidence=float(np.mean(1.0 / (1.0 + noise_var))))

    def more(self, task: str, sent: int, symbols: int | None = None, picture: bool = False) -> int:
        return 2 * sent

    def combine(self, copies: Sequence[Any], task: str) -> tuple[np.ndarray, np.ndarray]:
        most = max(len(symbols) for symbols, _ in copies)
        padded = [
            Received(
                np.pad(symbols, (0, most - len(symbols))),
                np.pad(noise, (0, most - len(symbols)), constant_values=np.inf),
            )
            for symbols, noise in copies
        ]
        together = maximal_ratio(padded)
        return together.symbols, together.noise_var


def test_a_message_that_is_asked_for_is_sent_again_with_more_symbols() -> None:
    block, request = m4sc.message_encoder(UnsureSystem(), linger_s=1.0), Request(3, 2, 7, 1)
    tb, sink = gr.top_block("again", catch_exceptions=True), Sink()
    tb.msg_connect(block, "payload", sink, "out")
    tb.msg_connect(block, "status", sink, "status")
    tb.start()
    try:
        meta = {"task": "text", "sequence": 7, "source_id": 3, "user_id": 2}
        put(block, "messages", make_pdu(meta, b"storm here"), 5.0)
        assert wait_until(lambda: len(sink.pdus) == 1)
        put(block, "messages", done_pdu(), 5.0)  # waits for those who ask
        for asked in (request, replace(request, copies=2), replace(request, sequence=8)):
            post(block, "requests", make_pdu({}, asked.to_bytes()))
        post(block, "requests", make_pdu({}, b"no request"))
        post(block, "requests", done_pdu())
        assert sink.done.wait(10.0)
    finally:
        tb.stop()
        tb.wait()
    first, second, third = sink.pdus
    assert [payload.size // 2 for _, payload in sink.pdus] == [LEAST, 2 * LEAST, 4 * LEAST]
    np.testing.assert_array_equal(second[1][: first[1].size], first[1])
    assert "copy" not in first[0] and (second[0]["copy"], third[0]["copy"]) == (1, 2)
    assert all(meta["sequence"] == 7 and meta["source_id"] == 3 for meta, _ in sink.pdus)
    assert block.counters["again"] == 2 and block.counters["refused"] == 1 and block.counters["errors"] == 1
    reasons = [status["reason"] for status in sink.status]
    assert any("8 was asked for" in r for r in reasons) and any("no request" in r for r in reasons)


def test_a_bad_request_ends_nothing() -> None:
    block = m4sc.message_encoder(UnsureSystem(), on_error="stop", linger_s=0.3)
    tb, sink = gr.top_block("bad", catch_exceptions=True), Sink()
    tb.msg_connect(block, "payload", sink, "out")
    tb.start()
    try:
        post(block, "requests", make_pdu({}, b"\x00" * 11))
        assert wait_until(lambda: block.counters["errors"] == 1)
        put(block, "messages", make_pdu({"task": "text"}, b"storm"), 5.0)
        put(block, "messages", done_pdu(), 5.0)
        assert sink.done.wait(10.0) and len(sink.pdus) == 1
    finally:
        tb.stop()
        tb.wait()


def test_done_waits_only_where_it_is_wanted() -> None:
    started = time.monotonic()
    sink = run_block(
        m4sc.message_encoder(UnsureSystem()), "messages", "payload", [({"task": "text"}, b"cat")]
    )
    assert len(sink.pdus) == 1 and time.monotonic() - started < 5.0


@pytest.mark.parametrize("wrong", [{"kept": -1}, {"copies": 0}, {"linger_s": -1.0}, {"linger_s": math.nan}])
def test_what_the_encoder_cannot_do_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|give"):
        m4sc.message_encoder(UnsureSystem(), **wrong)


@pytest.mark.parametrize("wrong", [{"ask_below": 2.0}, {"ask_copies": 1}, {"ask_timeout_s": 0.0}])
def test_what_the_decoder_cannot_do_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|give"):
        m4sc.message_decoder(UnsureSystem(), **wrong)


def link(n: int, ask_below: float, snr_db: float = 2.0, back: bool = True) -> tuple[Sink, Any, Any]:
    """n words over a channel that fades quickly; what was answered, transmitter and receiver."""
    tb, sink = gr.top_block("asking", catch_exceptions=True), Sink()
    model = UnsureSystem()
    transmitter = m4sc.transmitter(model, linger_s=6.0)  # a busy machine hears late
    air = m4sc.channel(snr_db, doppler_hz=300.0, fading="rayleigh", seed=7)
    receiver = m4sc.receiver(model, ask_below=ask_below, ask_copies=6, ask_timeout_s=0.4)
    tb.connect(transmitter, air, receiver)
    tb.msg_connect(receiver, "answers", sink, "out")
    tb.msg_connect(receiver, "status", sink, "status")
    if back:
        tb.msg_connect(receiver, "requests", transmitter, "requests")
    tb.start()
    try:
        for number in range(n):
            word = WORDS[number % len(WORDS)].encode()
            assert transmitter.put(make_pdu({"task": "text", "sequence": number}, word), 30.0)
        transmitter.put(done_pdu())
        assert sink.done.wait(90.0)
    finally:
        tb.stop()
        tb.wait()
    return sink, transmitter, receiver


def test_all_messages_of_a_fading_channel_are_answered_once_and_surely() -> None:
    sink, transmitter, receiver = link(24, 0.7)
    counters = receiver.decoder.counters
    numbers = sorted(meta["sequence"] for meta, _ in sink.pdus)
    assert numbers == list(range(24)), dict(counters)
    right = [
        payload.tobytes().decode() == WORDS[meta["sequence"] % len(WORDS)] for meta, payload in sink.pdus
    ]
    assert sum(right) >= 22  # 16 symbols at 3 dB are enough for the air, and now and then too few for a word
    copies = [meta["copies"] for meta, _ in sink.pdus]
    assert max(copies) > 1 and min(copies) == 1 and counters["improved"] > 0 and counters["asked"] > 0
    assert transmitter.encoder.counters["again"] > 0
    longer = [meta for meta, _ in sink.pdus if meta["copies"] > 1]
    assert all(meta["complex_symbols"] > LEAST for meta in longer)


def test_without_a_way_back_every_message_heard_is_answered_all_the_same() -> None:
    sink, transmitter, receiver = link(12, 0.7, back=False)
    assert receiver.decoder.counters["unheard"] > 0 and transmitter.encoder.counters["again"] == 0
    assert all(meta["copies"] == 1 for meta, _ in sink.pdus) and len(sink.pdus) >= 6


def test_nobody_asks_unless_it_is_wanted() -> None:
    sink, transmitter, receiver = link(12, 0.0)
    assert receiver.decoder.counters["asked"] == 0 and transmitter.encoder.counters["again"] == 0
    assert all(meta["copies"] == 1 for meta, _ in sink.pdus)


def test_a_model_that_cannot_combine_has_the_better_copies_taken() -> None:
    class PlainSystem(FakeSystem):
        def decode(self, symbols: np.ndarray, noise_var: np.ndarray, *given: Any) -> Answer:
            answer: Answer = super().decode(symbols, noise_var, *given)
            return replace(answer, confidence=float(np.mean(1.0 / (1.0 + noise_var))))

    encoder = m4sc.message_encoder(PlainSystem())
    ((meta, payload),) = run_block(
        encoder, "messages", "payload", [({"task": "text", "sequence": 1}, b"ship")]
    ).pdus
    ((meta, symbols),) = run_block(m4sc.symbol_mapper(), "payload", "symbols", [(meta, payload)]).pdus
    heard = {**meta, "snr_db": 0.0, "noise_var": np.full(symbols.size, 1.0, np.float32)}
    block = m4sc.message_decoder(PlainSystem(), ask_below=0.6)
    sink = run_block(block, "symbols", "answers", [(heard, symbols)] * 2)
    ((meta, payload),) = sink.pdus
    assert meta["copies"] == 2 and payload.tobytes() == b"ship"
    assert meta["confidence"] == pytest.approx(2 / 3, abs=0.01)


def test_what_waits_for_a_copy_is_told_though_others_come_without_a_pause() -> None:
    encoder = m4sc.message_encoder(UnsureSystem())
    ((meta, payload),) = run_block(
        encoder, "messages", "payload", [({"task": "text", "sequence": 1}, b"ship")]
    ).pdus
    ((meta, symbols),) = run_block(m4sc.symbol_mapper(), "payload", "symbols", [(meta, payload)]).pdus
    block = m4sc.message_decoder(UnsureSystem(), ask_below=0.6, ask_copies=2, ask_timeout_s=0.3)
    tb, sink = gr.top_block("without a pause", catch_exceptions=True), Sink()
    tb.msg_connect(block, "answers", sink, "out")
    tb.start()
    try:
        for number in range(1, 101):
            noise_var = np.full(symbols.size, 1.0 if number == 1 else 0.01, np.float32)
            put(
                block, "symbols", make_pdu({**meta, "sequence": number, "noise_var": noise_var}, symbols), 5.0
            )
            time.sleep(0.02)
        told = [answer["sequence"] for answer, _ in sink.pdus]
    finally:
        tb.stop()
        tb.wait()
    assert 1 in told and told.index(1) < 60
