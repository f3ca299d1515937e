"""Semantic encoder: message PDU to latents."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fake_system import FakeSystem, signature
from flow import run_block
from gnuradio import m4sc
from PIL import Image

pytestmark = pytest.mark.timeout(60)


def picture(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_latents_are_the_models_and_metadata_name_task_and_model() -> None:
    block = m4sc.semantic_encoder(FakeSystem())
    sink = run_block(
        block, "messages", "latents", [({"task": "text", "sequence": 7, "user_id": 3}, b"storm here")]
    )
    meta, payload = sink.pdus[0]
    assert payload.dtype == np.float32
    np.testing.assert_array_equal(payload.view(np.complex64), signature("storm"))
    assert meta["sequence"] == 7 and meta["user_id"] == 3 and meta["task_id"] == 7
    assert meta["modality"] == "text" and meta["model_fingerprint"] == 0x1234ABCD


def test_bad_messages_are_named_and_the_next_one_goes_on() -> None:
    block = m4sc.semantic_encoder(FakeSystem())
    sink = run_block(
        block,
        "messages",
        "latents",
        [
            ({"task": "classify", "sequence": 0}, b"no picture"),
            ({"task": "text", "sequence": 1}, b"  "),
            ({"task": "sing", "sequence": 2}, b"x"),
            ({"task": "classify", "modality": "text", "sequence": 3}, b"x"),
            ({"task": "digits", "sequence": 4}, b"no sound"),
            ({"task": "classify", "sequence": 5}, picture(10)),
        ],
    )
    assert [meta["sequence"] for meta, _ in sink.pdus] == [5]
    np.testing.assert_array_equal(sink.pdus[0][1].view(np.complex64), signature("cat"))
    reasons = {s["sequence"]: s["reason"] for s in sink.status}
    for sequence, word in enumerate(("broken", "empty", "unknown task 'sing'", "is about image", "sound")):
        assert word in reasons[sequence]
    assert block.counters["errors"] == 5


def test_messages_without_a_sequence_are_numbered() -> None:
    sink = run_block(
        m4sc.semantic_encoder(FakeSystem()), "messages", "latents", [({"task": "text"}, b"cat")] * 3
    )
    assert [meta["sequence"] for meta, _ in sink.pdus] == [0, 1, 2]


def test_a_model_that_is_none_is_an_error_not_a_crash() -> None:
    block = m4sc.semantic_encoder(object())
    sink = run_block(block, "messages", "latents", [({"task": "text"}, b"cat")])
    assert not sink.pdus and "lacks encode" in sink.status[0]["reason"]
