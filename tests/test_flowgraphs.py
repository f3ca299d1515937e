"""The loopback flowgraph end to end, with a system that needs no weights."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from fake_system import WORDS, FakeSystem
from gnuradio import m4sc
from m4sc.message import Message
from m4sc_flowgraphs.config import LoopbackConfig
from m4sc_flowgraphs.loopback import Loopback, open_radio, run_loopback
from m4sc_flowgraphs.messages import MessageResult, OutgoingMessage

pytestmark = pytest.mark.timeout(120)


class PlainCodec:
    """Text as it is."""

    def source_encode(self, message: Any) -> bytes:
        return str(message.data).encode()

    def source_decode(self, payload: bytes, modality: str) -> Message:
        return Message.from_bytes(payload, modality)


def texts(*words: str) -> list[OutgoingMessage]:
    return [OutgoingMessage(word.encode(), "text", "text", name=word) for word in words]


def answers(results: list[MessageResult]) -> list[str | None]:
    return [result.answer for result in results]


@pytest.mark.parametrize("channel", ["awgn", "multipath"])
def test_messages_cross_the_radio_and_are_answered(channel: str) -> None:
    results = run_loopback(
        texts(*WORDS), config=LoopbackConfig(snr_db=12.0, channel=channel, timeout_s=40.0), model=FakeSystem()
    )
    assert answers(results) == list(WORDS)
    for result in results:
        assert (result.frames_sent, result.frames_lost, result.complex_symbols) == (1, 0, 96)
        assert result.symbols is not None and result.symbols.shape == (96,) and result.h_hat is not None
        assert result.cfo_hz == pytest.approx(500.0, abs=300.0)
        assert 0.0003 < result.air_time_s < 0.01 and result.error == ""


def test_rayleigh_fading_loses_some_at_most() -> None:
    config = LoopbackConfig(snr_db=25.0, channel="fading", doppler_hz=20.0, seed=4, timeout_s=40.0)
    results = run_loopback(texts(*WORDS, *WORDS), config=config, model=FakeSystem())
    right = [result.answer == word for result, word in zip(results, WORDS * 2, strict=True)]
    assert sum(right) >= 8
    estimates = [result.snr_db for result in results if result.snr_db is not None]
    assert np.ptp(estimates) > 0.5  # the fading is there: bursts differ in SNR


def test_qam_payloads_cross_too() -> None:
    config = LoopbackConfig(snr_db=15.0, payload_kind="qam", qam_order=16, timeout_s=40.0)
    assert answers(run_loopback(texts(*WORDS), config=config, model=FakeSystem())) == list(WORDS)


def test_the_classical_system_uses_the_same_radio() -> None:
    config = LoopbackConfig(snr_db=12.0, segment_bytes=40, timeout_s=40.0)
    long = "storm " * 20
    results = run_loopback(texts("cat", long), "classical", config, FakeSystem(), PlainCodec())
    assert answers(results) == ["cat", long]
    assert [result.frames_sent for result in results] == [1, 4]  # 120 bytes and a check in frames of 40
    assert results[1].received == long.encode() and results[1].frames_lost == 0


@pytest.mark.parametrize("system", ["semantic", "classical"])
def test_far_below_the_noise_every_loss_is_counted_and_the_run_ends(system: str) -> None:
    config = LoopbackConfig(snr_db=-30.0, timeout_s=40.0)
    run_loopback(texts("cat"), system, config, FakeSystem(), PlainCodec())  # compiles what is not yet
    started = time.monotonic()
    results = run_loopback(texts(*WORDS), system, config, FakeSystem(), PlainCodec())
    assert time.monotonic() - started < 30.0
    for result in results:
        assert result.answer is None and result.error
        assert result.frames_sent == result.frames_lost == 1


def test_a_broken_message_is_named_and_the_next_one_arrives() -> None:
    messages = [*texts("cat"), OutgoingMessage(b"junk", "classify", "image"), *texts("dog")]
    results = run_loopback(messages, config=LoopbackConfig(timeout_s=40.0), model=FakeSystem())
    assert answers(results) == ["cat", None, "dog"]
    assert "broken" in results[1].error and results[1].frames_sent == 0


def test_the_receivers_question_reaches_the_decoder() -> None:
    message = OutgoingMessage(b"ship", "text", "text", "which word?")
    (result,) = run_loopback([message], config=LoopbackConfig(timeout_s=40.0), model=FakeSystem())
    assert result.answer == "which word? ship"


def test_zeroed_latents_answer_nothing() -> None:
    config = LoopbackConfig(zero_latents=True, timeout_s=40.0)
    assert set(answers(run_loopback(texts(*WORDS), config=config, model=FakeSystem()))) == {"nothing"}


def test_another_model_at_the_receiver_is_refused_by_name() -> None:
    tb = Loopback(FakeSystem(), config=LoopbackConfig(timeout_s=40.0))
    tb.decoder._model = FakeSystem(fingerprint=0xBAD)
    (result,) = tb.send(texts("cat"))
    assert result.answer is None and "00000bad" in result.error and result.frames_lost == 0


def test_a_system_that_never_returns_in_time_does_not_hang() -> None:
    started = time.monotonic()
    results = run_loopback(texts(*WORDS), config=LoopbackConfig(timeout_s=1.0), model=FakeSystem(delay_s=0.6))
    assert time.monotonic() - started < 15.0
    assert answers(results)[-1] is None


@pytest.mark.parametrize("block", ["message_encoder", "symbol_mapper", "message_decoder"])
def test_a_block_replaced_by_a_pass_through_is_noticed(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unchanged(self: Any, meta: dict[str, Any], payload: np.ndarray) -> Any:
        yield {"seconds": 0.0, **meta} if "decoder" in block else meta, payload

    monkeypatch.setattr(getattr(m4sc, block), "process", unchanged)
    results = run_loopback(texts(*WORDS), config=LoopbackConfig(timeout_s=3.0), model=FakeSystem())
    assert answers(results) != list(WORDS)


def test_open_radio_runs_system_channel_and_snr() -> None:
    radio = open_radio(FakeSystem())
    results = radio(texts("cat"), system="semantic", channel="awgn", snr_db=10.0, zero_latents=False, seed=3)
    assert answers(results) == ["cat"]


def test_the_same_decoded_message_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    plain = FakeSystem.answer_without_channel

    def counted(self: FakeSystem, message: Any, task: str, instruction: str | None = None) -> Any:
        asked.append(message.data)
        return plain(self, message, task, instruction)

    monkeypatch.setattr(FakeSystem, "answer_without_channel", counted)
    radio = open_radio(FakeSystem())
    messages = [OutgoingMessage(word, "summarize", "text") for word in (b"storm now", b"storm now", b"ship")]
    results = radio(messages, system="classical", channel="awgn", snr_db=15.0)
    assert answers(results) == ["storm", "storm", "ship"] and asked == ["storm now", "ship"]


@pytest.mark.parametrize(
    ("options", "word"),
    [({"channel": "wire"}, "awgn"), ({"timeout_s": 0.0}, "timeout_s"), ({"snr_db": float("nan")}, "snr_db")],
)
def test_wrong_parameters_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        LoopbackConfig(**options)


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(ValueError, match="semantic, classical"):
        Loopback(FakeSystem(), "telepathic")
