"""Message decoder: frames to answers, questions, fingerprints, loss."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from fake_system import WORDS, FakeSystem, signature
from flow import run_block
from gnuradio import m4sc
from m4sc.codecs.base import Answer
from PIL import Image

pytestmark = pytest.mark.timeout(60)


def received(word: str, sequence: int = 0, **more: Any) -> tuple[dict[str, Any], np.ndarray]:
    rng = np.random.default_rng(sequence)
    clean = signature(word)
    noise = (rng.standard_normal(clean.size) + 1j * rng.standard_normal(clean.size)) * np.sqrt(0.05)
    meta = {
        "task_id": 7,
        "sequence": sequence,
        "model_fingerprint": 0x1234ABCD,
        "noise_var": np.full(clean.size, 0.1, np.float32),
    }
    return {**meta, **more}, (clean + noise).astype(np.complex64)


def test_answers_come_from_the_symbols() -> None:
    block = m4sc.message_decoder(FakeSystem())
    sink = run_block(block, "symbols", "answers", [received(w, i) for i, w in enumerate(WORDS)])
    assert [payload.tobytes().decode() for _, payload in sink.pdus] == list(WORDS)
    meta = sink.pdus[0][0]
    assert meta["task"] == "text" and meta["mime"] == "text/plain" and meta["seconds"] >= 0.0


def test_zeros_give_no_information() -> None:
    block = m4sc.message_decoder(FakeSystem(), zero_latents=True)
    sink = run_block(block, "symbols", "answers", [received(w, i) for i, w in enumerate(WORDS)])
    assert {payload.tobytes() for _, payload in sink.pdus} == {b"nothing"}


def test_another_model_is_refused_by_name_and_the_next_message_is_answered() -> None:
    block = m4sc.message_decoder(FakeSystem())
    wrong = received("cat", 0, model_fingerprint=0xDEADBEEF)
    sink = run_block(block, "symbols", "answers", [wrong, received("dog", 1)])
    assert [meta["sequence"] for meta, _ in sink.pdus] == [1]
    assert "deadbeef" in sink.status[0]["reason"] and "1234abcd" in sink.status[0]["reason"]


def test_a_question_is_asked_of_its_message_only() -> None:
    block = m4sc.message_decoder(FakeSystem())
    block.set_query(0, 1, "which?")
    sink = run_block(block, "symbols", "answers", [received("cat", 0), received("dog", 1)])
    assert [payload.tobytes().decode() for _, payload in sink.pdus] == ["cat", "which? dog"]


def test_unknown_task_and_wrong_noise_are_counted() -> None:
    block = m4sc.message_decoder(FakeSystem())
    short = received("cat", 1, noise_var=np.ones(3, np.float32))
    sink = run_block(
        block, "symbols", "answers", [received("cat", 0, task_id=200), short, received("dog", 2)]
    )
    assert [meta["sequence"] for meta, _ in sink.pdus] == [2]
    assert block.counters["errors"] == 2


def test_a_picture_leaves_as_png() -> None:
    class Painter(FakeSystem):
        def decode(self, *args: Any) -> Any:
            return Answer("", np.full((4, 5, 3), 9, np.uint8), 0.0)

    sink = run_block(m4sc.message_decoder(Painter()), "symbols", "answers", [received("cat")])
    meta, payload = sink.pdus[0]
    assert meta["mime"] == "image/png"
    assert np.asarray(Image.open(io.BytesIO(payload.tobytes()))).shape == (4, 5, 3)


def test_an_answer_below_the_least_confidence_is_not_given() -> None:
    asked: list[float] = []

    class Doubtful(FakeSystem):
        def decode(self, *args: Any, min_confidence: float = 0.0) -> Any:
            asked.append(min_confidence)
            return Answer("a dog", None, 0.0, confidence=0.3)

    def said(least: float) -> tuple[dict[str, Any], bytes]:
        block = m4sc.message_decoder(Doubtful(), min_confidence=least)
        meta, payload = run_block(block, "symbols", "answers", [received("cat")]).pdus[0]
        return meta, payload.tobytes()

    assert said(0.0)[1] == b"a dog" and said(0.2)[1] == b"a dog"
    meta, payload = said(0.5)
    assert payload == b"not sure" and meta["confidence"] == pytest.approx(0.3)
    assert asked == [0.0, 0.2, 0.5]  # the model is told, and need not look further than that
    with pytest.raises(ValueError, match="0 to 1"):
        m4sc.message_decoder(FakeSystem(), min_confidence=2.0)


def test_frames_of_other_users_and_sources_are_left_out_and_counted() -> None:
    block = m4sc.message_decoder(FakeSystem(), user_id=3, source_id=1)
    frames = [
        received("cat", 0, user_id=3, source_id=1),
        received("dog", 1, user_id=4, source_id=1),
        received("ship", 2, user_id=3, source_id=2),
        received("seven", 3, user_id=9, source_id=1, public=True),
    ]
    sink = run_block(block, "symbols", "answers", frames)
    assert [meta["sequence"] for meta, _ in sink.pdus] == [0, 3] and block.counters["others"] == 2
