"""Classical encoder and decoder blocks: segments, CRC, loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_system import FakeSystem
from flow import Sink, post, run_block, wait_until
from gnuradio import gr, m4sc
from gnuradio.m4sc.pdu import make_pdu
from m4sc.message import Message

pytestmark = pytest.mark.timeout(90)
TEXT = b"storm warnings are given by radio, " * 12


class PlainCodec:
    """Text as it is."""

    def source_encode(self, message: Any) -> bytes:
        return str(message.data).encode()

    def source_decode(self, payload: bytes, modality: str) -> Message:
        return Message.from_bytes(payload, modality)


def frames(**options: Any) -> list[tuple[dict[str, Any], np.ndarray]]:
    """The frames of TEXT as they would arrive without noise."""
    block = m4sc.classical_encoder(PlainCodec(), snr_db=12.0, segment_bytes=100, **options)
    sink = run_block(block, "messages", "symbols", [({"task": "text", "sequence": 5}, TEXT)])
    return [({**m, "noise_var": np.full(s.size, 0.02, np.float32)}, s) for m, s in sink.pdus]


def decode(pdus: list[Any], model: Any = None, **options: Any) -> tuple[Any, m4sc.classical_decoder]:
    block = m4sc.classical_decoder(model, PlainCodec(), **options)
    return run_block(block, "symbols", "answers", pdus), block


def noisy(pdu: Any, variance: float, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    meta, symbols = pdu
    noise = rng.standard_normal(symbols.size) + 1j * rng.standard_normal(symbols.size)
    received = (symbols + noise * np.sqrt(variance / 2)).astype(np.complex64)
    return {**meta, "noise_var": np.full(symbols.size, variance, np.float32)}, received


def test_a_message_is_segmented_and_put_together_in_any_order() -> None:
    sent = frames()
    assert len(sent) == -(-len(TEXT) // 100) == sent[0][0]["n_segments"]
    assert sum(meta["payload_bytes"] for meta, _ in sent) == len(TEXT)
    assert all(meta["payload_kind"] == "digital" for meta, _ in sent)
    sink, _ = decode([noisy(pdu, 0.02, i) for i, pdu in enumerate(sent[::-1])])
    ((meta, payload),) = sink.pdus
    assert payload.tobytes() == TEXT and meta["sequence"] == 5 and meta["mime"] == "text/plain"
    assert meta["received"].tobytes() == TEXT


def test_symbols_are_coded_not_the_bytes_themselves() -> None:
    for _, symbols in frames():
        assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1.0, abs=0.25)


def test_a_destroyed_frame_loses_the_message_and_the_next_one_arrives() -> None:
    sent = frames()
    broken = [noisy(sent[0], 50.0), *sent[1:]]
    second = [({**meta, "sequence": 6}, symbols) for meta, symbols in sent]
    sink, block = decode(broken + second)
    assert [meta["sequence"] for meta, _ in sink.pdus] == [6]
    assert block.counters["crc_errors"] == 1 and block.counters["incomplete"] == 1
    assert {s["event"] for s in sink.status if s.get("sequence") == 5} == {"crc_error", "lost"}


def test_an_incomplete_message_times_out() -> None:
    block, sink, tb = m4sc.classical_decoder(None, PlainCodec(), timeout_s=0.2), Sink(), gr.top_block()
    tb.msg_connect(block, "answers", sink, "out")
    tb.msg_connect(block, "status", sink, "status")
    sent = frames()
    tb.start()
    for pdu in sent[:-1]:
        post(block, "symbols", make_pdu(*pdu))
    assert wait_until(lambda: any(s["event"] == "lost" for s in sink.status))
    tb.stop()
    tb.wait()
    assert not sink.pdus and block.counters["incomplete"] == 1


def test_the_model_reads_what_was_decoded() -> None:
    sent = [({**meta, "task_id": 8}, symbols) for meta, symbols in frames()]  # summarize
    sink, _ = decode(sent, FakeSystem())
    assert sink.pdus[0][1].tobytes() == b"storm"


def test_a_semantic_frame_is_refused() -> None:
    meta, symbols = frames()[0]
    sink, block = decode([({**meta, "payload_kind": "analog"}, symbols)])
    assert not sink.pdus and block.counters["errors"] == 1
    assert "symbol demapper" in sink.status[0]["reason"]


def test_slow_schemes_make_shorter_segments_that_fit_a_frame() -> None:
    block = m4sc.classical_encoder(PlainCodec(), snr_db=-8.0, segment_bytes=4000)
    sink = run_block(block, "messages", "symbols", [({"task": "text"}, TEXT * 4)])
    assert len(sink.pdus) > 1 and max(payload.size for _, payload in sink.pdus) <= 20_000
    assert sum(meta["payload_bytes"] for meta, _ in sink.pdus) == len(TEXT) * 4


def test_the_scheme_follows_the_snr() -> None:
    def symbols(snr_db: float) -> int:
        block = m4sc.classical_encoder(PlainCodec(), snr_db=snr_db)
        sink = run_block(block, "messages", "symbols", [({"task": "text"}, TEXT)])
        return sum(payload.size for _, payload in sink.pdus)

    assert symbols(0.0) > 2 * symbols(20.0)
