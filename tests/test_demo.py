"""The demo's message set, scores and grid, with a made-up radio in place of GNU Radio."""

import io
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from m4sc.message import Message
from m4sc.tasks import TASKS, get_task
from m4sc_app.demo.command import results_file, run_demo, run_grid
from m4sc_app.demo.link import Delivery, open_radio
from m4sc_app.demo.messages import message_set, mosaic, select
from m4sc_app.demo.points import Point
from m4sc_app.demo.scoring import score, word_f1
from m4sc_app.errors import MissingPartError, UserError
from PIL import Image


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    return message_set(tmp_path_factory.mktemp("cache"))


def fake_radio(messages, *, system, channel, snr_db, zero_latents, seed):
    """Answers right at 0 dB and above, loses every frame below."""
    rng = np.random.default_rng(seed)
    symbols = (rng.normal(size=64) + 1j * rng.normal(size=64)).astype(np.complex64)
    ok = snr_db >= 0 and not zero_latents
    return [
        Delivery(64, 0.004, 1, int(not ok), m.references[0] if ok else None,
                 m.payload if ok and system == "classical" else None, symbols, symbols[:48])
        for m in messages
    ]  # fmt: skip


def test_set_holds_what_the_demo_promises(messages):
    kinds = [m.modality for m in messages]
    assert kinds.count("image") >= 5 and kinds.count("speech") >= 1 and kinds.count("text") >= 1
    assert len({m.name for m in messages}) == len(messages)


def test_every_message_can_be_sent_and_fits_its_task(messages):
    for m in messages:
        assert Message.from_bytes(m.payload, m.modality).modality == get_task(m.task).modality
        assert m.references


def test_photographs_are_pictures_of_something(messages):
    for m in messages:
        if m.modality == "image":
            pixels = np.asarray(Image.open(io.BytesIO(m.payload)))
            assert max(pixels.shape) <= 384 and pixels.std() > 20


def test_speech_is_cached(tmp_path):
    first = message_set(tmp_path)
    stamps = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    assert message_set(tmp_path) == first and stamps
    assert stamps == {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}


def test_mosaic_keeps_reading_order():
    tiles = [np.full((50, 70, 3), v, np.uint8) for v in (10, 60, 110, 160)]
    out = mosaic(tiles, tile=8)
    assert [out[0, 0, 0], out[0, -1, 0], out[-1, 0, 0], out[-1, -1, 0]] == [10, 60, 110, 160]
    with pytest.raises(UserError, match="four"):
        mosaic(tiles[:3])


def test_select_names_the_known(messages):
    assert [m.name for m in select(messages, ["cat"])] == ["cat"]
    with pytest.raises(UserError, match="astronaut"):
        select(messages, ["dog"])


words = st.lists(st.sampled_from(["red", "boat", "sea", "sky", "cat"]), min_size=1, max_size=8).map(" ".join)


@given(words, words)
def test_scores_stay_in_range(a, b):
    assert 0 <= word_f1(a, b) <= 1
    assert word_f1(a, a) == 1
    assert word_f1(a, b) == word_f1(b, a)


def test_scores_by_hand():
    assert score("transcribe", "the cat sat", ("no", "the cat sat down")) == ("word_accuracy", 0.75)
    assert score("digits", "seven", ("7",)) == ("word_accuracy", 1.0)  # by the rules of the evaluation
    assert score("classify", "A cat.", ("cat",)) == ("exact", 1.0)
    assert score("classify", "dog", ("cat",)) == ("exact", 0.0)
    for task in TASKS:
        assert score(task, None, ("cat",))[1] == score(task, "  ", ("cat",))[1] == 0.0


def test_lost_frames_score_zero(messages, tmp_path):
    points = [Point("semantic", "awgn", snr_db, False, 1) for snr_db in (10, -10)]
    rows = run_grid(lambda: fake_radio, messages[:2], points, tmp_path)
    assert [r.score for r in rows] == [1, 1, 0, 0]


def test_json_has_every_field(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("M4SC_HOME", str(tmp_path / "home"))
    run_demo(snr_db=[10, -10], channels=["awgn"], systems=None, only=["cat", "paragraph"],
             out=tmp_path / "out", model="default", zero_latents=True, seed=1,
             as_json=True, radio=fake_radio)  # fmt: skip
    out = json.loads(capsys.readouterr().out)
    needed = {"task", "modality", "snr_db", "complex_symbols", "air_time_s", "score", "answer", "file",
              "frames_sent", "frames_lost", "system", "channel"}  # fmt: skip
    assert len(out["rows"]) == 8 and all(needed <= row.keys() for row in out["rows"])
    assert {row["score"] for row in out["rows"] if row["system"] == "semantic"} == {0}
    assert not any(row["zero_latents"] for row in out["rows"] if row["system"] == "classical")
    assert "Control run" in Path(out["report"]).read_text()


def test_results_are_found_beside_the_weights(tmp_path):
    assert results_file(str(tmp_path)) is None
    (tmp_path / "results.jsonl").write_text("")
    assert results_file(str(tmp_path)) == tmp_path / "results.jsonl"


def test_demo_without_the_flowgraph_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "gnuradio.gr", ModuleType("gnuradio.gr"))
    monkeypatch.setitem(sys.modules, "m4sc_flowgraphs.loopback", ModuleType("m4sc_flowgraphs.loopback"))
    with pytest.raises(MissingPartError, match="flowgraph"):
        open_radio("default")
    monkeypatch.setitem(sys.modules, "gnuradio.gr", None)
    with pytest.raises(MissingPartError, match="GNU Radio"):
        open_radio("default")


def test_the_same_message_is_encoded_once(messages):
    """Every channel of one SNR sends the same; another SNR, task or question may be encoded otherwise."""
    from m4sc_flowgraphs.remembering import RememberingSystem

    calls = []

    class Counting:
        fingerprint = 7

        def encode(self, message, task, instruction=None, **budget):
            calls.append((task, instruction, budget))
            return object()

        def answer_without_channel(self, message, task, instruction=None):
            return object()

    system = RememberingSystem(Counting())
    cat = Message("image", np.zeros((8, 8, 3), np.uint8))
    first = system.encode(cat, "classify", None, snr_db=10.0)
    assert system.encode(cat, "classify", None, snr_db=10.0) is first and len(calls) == 1
    others = [
        system.encode(cat, "classify", None, snr_db=0.0),
        system.encode(cat, "caption", None, snr_db=10.0),
        system.encode(cat, "classify", "What is it?", snr_db=10.0),
        system.encode(cat, "classify", None, snr_db=10.0, picture=True),
        system.encode(Message("image", np.ones((8, 8, 3), np.uint8)), "classify", None, snr_db=10.0),
        system.encode(Message("image", np.zeros((4, 16, 3), np.uint8)), "classify", None, snr_db=10.0),
        system.answer_without_channel(cat, "classify"),
    ]
    assert len({id(found) for found in [first, *others]}) == 8 and len(calls) == 7
    assert system.answer_without_channel(cat, "classify") is others[-1]
    assert system.fingerprint == 7


def test_the_source_codec_encodes_the_same_message_once(monkeypatch):
    from m4sc.codecs import source_coding
    from m4sc_flowgraphs.remembering import RememberingSource

    calls, encode = [], source_coding.source_encode
    monkeypatch.setattr(source_coding, "source_encode", lambda m: calls.append(m) or encode(m))
    source = RememberingSource()
    texts = [Message("text", text) for text in ("a boat", "a boat", "a goat")]
    coded = [source.source_encode(text) for text in texts]
    assert coded[0] == coded[1] != coded[2] and len(calls) == 2
    assert [source.source_decode(one, "text").data for one in coded] == ["a boat", "a boat", "a goat"]
