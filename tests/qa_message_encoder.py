"""Message encoder: message PDU to payload."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fake_system import FakeSystem, signature
from flow import run_block
from gnuradio import m4sc
from m4sc.codecs.source_coding import source_decode
from PIL import Image

pytestmark = pytest.mark.timeout(60)


def picture(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_latents_are_the_models_and_metadata_name_task_and_model() -> None:
    block = m4sc.message_encoder(FakeSystem())
    sink = run_block(
        block, "messages", "payload", [({"task": "text", "sequence": 7, "user_id": 3}, b"storm here")]
    )
    meta, payload = sink.pdus[0]
    assert payload.dtype == np.float32
    np.testing.assert_array_equal(payload.view(np.complex64), signature("storm"))
    assert meta["sequence"] == 7 and meta["user_id"] == 3 and meta["task_id"] == 7
    assert meta["modality"] == "text" and meta["model_fingerprint"] == 0x1234ABCD


def test_a_look_sends_what_the_question_points_at() -> None:
    halves = np.full((8, 8, 3), 250, np.uint8)
    halves[:, :4] = 5
    buffer = io.BytesIO()
    Image.fromarray(halves).save(buffer, "PNG")
    asked = {"task": "vqa", "instruction": "What is on the left?"}
    sent = [({**asked, "look": True}, buffer.getvalue()), (asked, buffer.getvalue())]
    sink = run_block(m4sc.message_encoder(FakeSystem()), "messages", "payload", sent)
    for (_, payload), word in zip(sink.pdus, ("cat", "ship"), strict=True):
        np.testing.assert_array_equal(payload.view(np.complex64), signature(word))


def test_bad_messages_are_named_and_the_next_one_goes_on() -> None:
    block = m4sc.message_encoder(FakeSystem())
    sink = run_block(
        block,
        "messages",
        "payload",
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


def test_messages_without_a_sequence_are_numbered_and_a_restart_goes_on_elsewhere() -> None:
    def numbers() -> list[int]:
        block = m4sc.message_encoder(FakeSystem())
        sink = run_block(block, "messages", "payload", [({"task": "text"}, b"cat")] * 3)
        return [meta["sequence"] for meta, _ in sink.pdus]

    first, second = numbers(), numbers()
    assert [(n - first[0]) % 0x10000 for n in first] == [0, 1, 2]
    assert not set(first) & set(second)


def test_the_classical_system_sends_a_source_codecs_bytes() -> None:
    block = m4sc.message_encoder(system="classical")
    meta, payload = run_block(block, "messages", "payload", [({"task": "text"}, b"storm here")]).pdus[0]
    assert payload.dtype == np.uint8 and meta["model_fingerprint"] == 0
    assert source_decode(payload.tobytes(), "text").data == "storm here"
    with pytest.raises(ValueError, match="'semantic' or 'classical'"):
        m4sc.message_encoder(system="fax")


def test_a_model_that_is_none_is_an_error_not_a_crash() -> None:
    block = m4sc.message_encoder(object())
    sink = run_block(block, "messages", "payload", [({"task": "text"}, b"cat")])
    assert not sink.pdus and "lacks encode" in sink.status[0]["reason"]
