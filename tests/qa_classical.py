"""The classical system through the blocks: segments, CRC, loss."""

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


def sent_by(text: bytes, meta: dict[str, Any] | None = None, **options: Any) -> list[Any]:
    """PDUs that encoder and mapper make of a text."""
    encoder = m4sc.message_encoder(system="classical", codec=PlainCodec())
    payload = run_block(encoder, "messages", "payload", [({"task": "text", **(meta or {})}, text)]).pdus
    return run_block(m4sc.symbol_mapper(**options), "payload", "symbols", payload).pdus


def frames(text: bytes = TEXT, sequence: int = 5) -> list[tuple[dict[str, Any], np.ndarray]]:
    """The frames of TEXT as they would arrive without noise."""
    found = sent_by(text, {"sequence": sequence}, snr_db=12.0, segment_bytes=100)
    return [({**m, "noise_var": np.full(s.size, 0.02, np.float32)}, s) for m, s in found]


def decode(pdus: list[Any], model: Any = None, **options: Any) -> tuple[Any, m4sc.message_decoder]:
    block = m4sc.message_decoder(model, codec=PlainCodec(), **options)
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
    assert sum(meta["payload_bytes"] for meta, _ in sent) == len(TEXT) + 4  # the check over the message
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
    second = frames(sequence=6)
    sink, block = decode(broken + second)
    assert [meta["sequence"] for meta, _ in sink.pdus] == [6]
    assert block.counters["crc_errors"] == 1 and block.counters["lost"] == 1
    (told,) = [s for s in sink.status if s.get("sequence") == 5]
    assert told["event"] == "lost" and told["lost_segments"] == 1 and "CRC" in told["reason"]


def test_an_incomplete_message_times_out() -> None:
    block = m4sc.message_decoder(None, codec=PlainCodec(), timeout_s=0.2)
    sink, tb = Sink(), gr.top_block()
    tb.msg_connect(block, "answers", sink, "out")
    tb.msg_connect(block, "status", sink, "status")
    sent = frames()
    tb.start()
    for pdu in sent[:-1]:
        post(block, "symbols", make_pdu(*pdu))
    assert wait_until(lambda: any(s["event"] == "lost" for s in sink.status))
    tb.stop()
    tb.wait()
    assert not sink.pdus and block.counters["lost"] == 1


def test_the_model_reads_what_was_decoded() -> None:
    sent = [({**meta, "task_id": 8}, symbols) for meta, symbols in frames()]  # summarize
    sink, _ = decode(sent, FakeSystem())
    assert sink.pdus[0][1].tobytes() == b"storm"


def test_a_semantic_message_needs_a_model() -> None:
    clean = np.ones(96, np.complex64)
    sink, block = decode([({"task_id": 7, "model_fingerprint": 5, "sequence": 1}, clean)])
    assert not sink.pdus and block.counters["errors"] == 1 and "no model" in sink.status[0]["reason"]


def test_frames_of_two_messages_with_one_number_are_not_joined() -> None:
    old = frames(b"the old message begins here " * 10)
    new = frames(b"a newer one is ending there " * 10)
    sink, block = decode([*old[:1], *new[1:]])
    assert not sink.pdus and block.counters["lost"] == 1 and "check" in sink.status[0]["reason"]


def test_slow_schemes_make_shorter_segments_that_fit_a_frame() -> None:
    found = sent_by(TEXT * 4, snr_db=-8.0, segment_bytes=4000)
    assert len(found) > 1 and max(payload.size for _, payload in found) <= 20_000
    assert sum(meta["payload_bytes"] for meta, _ in found) == len(TEXT) * 4 + 4


def test_the_scheme_follows_the_snr() -> None:
    def symbols(snr_db: float) -> int:
        return sum(payload.size for _, payload in sent_by(TEXT, snr_db=snr_db))

    assert symbols(0.0) > 2 * symbols(20.0)
