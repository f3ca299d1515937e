"""SigMF recordings, the answer sink and the frame probe."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pmt
import pytest
from flow import Sink, post, wait_until
from gnuradio import blocks, gr, m4sc, zeromq
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from m4sc.recordings import RecordingWriter, open_recording, write_recording
from test_recordings import FullDisk

pytestmark = pytest.mark.timeout(60)


def samples_of(n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return (0.3 * (rng.standard_normal(n) + 1j * rng.standard_normal(n))).astype(np.complex64)


def play(source: Any) -> tuple[np.ndarray, list[Any]]:
    tb, sink = gr.top_block("replay", catch_exceptions=True), blocks.vector_sink_c()
    tb.connect(source, sink)
    tb.run()
    return np.asarray(sink.data()), list(sink.tags())


@pytest.mark.parametrize("n", [1, 5000, 70_001])
def test_what_is_recorded_is_replayed(tmp_path: Path, n: int) -> None:
    sent = samples_of(n)
    tb = gr.top_block("record", catch_exceptions=True)
    source, sink = blocks.vector_source_c(sent.tolist()), m4sc.sigmf_sink(str(tmp_path / "x"), 2e6, 433e6)
    tb.connect(source, sink)
    tb.run()
    text = json.loads((tmp_path / "x.sigmf-meta").read_text())
    assert text["global"]["core:datatype"] == "cf32_le" and text["global"]["core:sample_rate"] == 2e6
    assert text["captures"][0]["core:frequency"] == 433e6
    for repeat in (1, 3):
        heard, tags = play(m4sc.sigmf_source(str(tmp_path / "x.sigmf-meta"), 2e6, repeat, False))
        assert np.array_equal(heard, np.tile(sent, repeat))
        assert [(t.offset, pmt.symbol_to_string(t.key)) for t in tags] == [(repeat * n - 1, "m4sc_done")]


def test_integers_are_scaled(tmp_path: Path) -> None:
    write_recording(tmp_path / "i", np.zeros(2, np.complex64), 1e6, {})
    text = (tmp_path / "i.sigmf-meta").read_text().replace("cf32_le", "ci16_le")
    (tmp_path / "i.sigmf-meta").write_text(text)
    np.array([16384, -32768, 0, 8192], "<i2").tofile(tmp_path / "i.sigmf-data")
    heard, _ = play(m4sc.sigmf_source(str(tmp_path / "i"), 1e6, 1, False))
    assert heard.tolist() == [0.5 - 1j, 0.25j]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda meta, data: meta.unlink(), "no description"),
        (lambda meta, data: data.unlink(), "no such file"),
        (lambda meta, data: meta.write_text("junk"), "not a SigMF description"),
        (
            lambda meta, data: meta.write_text(meta.read_text().replace("cf32_le", "rf32_be")),
            "real samples .'rf32_be'",
        ),
        (lambda meta, data: meta.write_text(meta.read_text().replace("1000000", "250000")), "resample"),
        (lambda meta, data: data.write_bytes(b"12345"), "5 bytes"),
    ],
)
def test_a_recording_that_cannot_be_played_is_refused(tmp_path: Path, change: Any, sentence: str) -> None:
    meta, data = tmp_path / "x.sigmf-meta", tmp_path / "x.sigmf-data"
    write_recording(meta, samples_of(10), 1e6, {})
    change(meta, data)
    with pytest.raises(ValueError, match=sentence):
        m4sc.sigmf_source(str(meta), 1e6)


def test_a_recording_needs_a_folder_and_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        m4sc.sigmf_sink(str(tmp_path / "missing" / "x"))
    with pytest.raises(ValueError, match="no name"):
        m4sc.sigmf_sink("")


def test_a_flowgraph_started_again_goes_on_with_its_recording(tmp_path: Path) -> None:
    tb, sink = gr.top_block("record", catch_exceptions=True), m4sc.sigmf_sink(str(tmp_path / "x"), 2e6)
    source = blocks.vector_source_c(samples_of(5000).tolist())
    tb.connect(source, sink)
    for _ in range(2):
        tb.run()
        source.rewind()
    assert np.array_equal(open_recording(tmp_path / "x").samples, np.tile(samples_of(5000), 2))


def test_a_full_disk_ends_the_flowgraph_and_keeps_what_was_written(tmp_path: Path, monkeypatch: Any) -> None:
    plain = RecordingWriter._open
    monkeypatch.setattr(RecordingWriter, "_open", lambda self: FullDisk(plain(self), 8 * 1000))
    tb, sink = gr.top_block("record", catch_exceptions=True), m4sc.sigmf_sink(str(tmp_path / "x"), 2e6)
    tb.connect(blocks.null_source(8), sink)
    tb.run()
    assert "No space left on device" in str(sink.fault) and len(open_recording(tmp_path / "x")) == 1000


def test_the_end_message_ends_a_source_that_is_silent() -> None:
    """As a ZeroMQ receiver whose transmitter has gone."""
    tb = gr.top_block("end", catch_exceptions=True)
    source, sink = zeromq.pull_source(8, 1, "tcp://127.0.0.1:1", 50, True), blocks.null_sink(8)
    answers = m4sc.answer_sink()
    tb.connect(source, sink)
    tb.msg_connect(answers, "end", source, "system")
    tb.start()
    waiter = threading.Thread(target=tb.wait, daemon=True)
    waiter.start()
    post(answers, "answers", make_pdu({"sequence": 1}, b"x"))
    waiter.join(0.3)
    assert waiter.is_alive()  # only `done` ends it
    post(answers, "answers", done_pdu())
    wait_until(lambda: not answers._open, 5.0)
    post(answers, "system", pmt.cons(pmt.intern("done"), pmt.from_long(1)))  # no source feeds it here
    waiter.join(10.0)
    ended = not waiter.is_alive()
    tb.stop()
    tb.wait()
    assert ended


def test_the_answer_sink_waits_for_every_decoder_and_names_losses(capsys: pytest.CaptureFixture[str]) -> None:
    tb, sink, collected = gr.top_block("sink", catch_exceptions=True), m4sc.answer_sink("", 2), Sink()
    tb.msg_connect(sink, "done", collected, "out")
    tb.start()
    try:
        post(sink, "answers", make_pdu({"sequence": 4, "task": "text", "snr_db": 9.0}, b"ship"))
        post(sink, "status", make_pdu({"event": "lost", "reason": "3 of 5 segments", "sequence": 8}, b""))
        post(sink, "status", make_pdu({"event": "sent", "sequence": 9}, b""))
        post(sink, "answers", done_pdu())
        assert not collected.done.wait(0.3)
        post(sink, "answers", done_pdu())
        assert collected.done.wait(5.0)
    finally:
        tb.stop()
        tb.wait()
    assert (sink.counters["received"], sink.counters["faults"]) == (1, 1)
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "#4 text (9.0 dB, 0.00 s): ship",
        "#8 lost: 3 of 5 segments",
    ]


def test_the_probe_gives_two_equal_items_a_frame_and_ends() -> None:
    tb, probe = gr.top_block("probe", catch_exceptions=True), m4sc.frame_probe(8, 4)
    sinks = [blocks.vector_sink_c(8), blocks.vector_sink_f(4)]
    for port, sink in enumerate(sinks):
        tb.connect((probe, port), sink)
    points = np.arange(1, 6).astype(np.complex64)
    estimate = {"h_hat": np.array([1, 10, 0.1, 1j], np.complex64)}
    tb.start()
    try:
        post(probe, "symbols", make_pdu(estimate, points))
        post(probe, "symbols", make_pdu({**estimate, "h_hat": np.ones(5, np.complex64)}, points))
        post(probe, "symbols", make_pdu({"snr_db": 1.0}, points))
        post(probe, "symbols", done_pdu())
        assert wait_until(lambda: len(sinks[1].data()) == 8 and probe.counters["errors"] == 2)
    finally:
        tb.stop()
        tb.wait()
    assert np.asarray(sinks[0].data()).tolist() == 2 * [1, 2, 3, 4, 5, 1, 2, 3]
    assert np.allclose(sinks[1].data(), 2 * [0, 20, -20, 0], atol=1e-3)
    assert probe.counters["errors"] == 2


def test_samples_of_the_module_are_found_by_name() -> None:
    source = m4sc.message_source(["sample:cat.jpg"], "classify")
    assert Path(source._files[0]).is_file()
    with pytest.raises(ValueError, match=r"there are cat\.jpg"):
        m4sc.message_source(["sample:unicorn.jpg"], "classify")
    with pytest.raises(ValueError, match="unknown task 'sing'"):
        m4sc.message_source(["text:x"], "sing")
    with pytest.raises(ValueError, match="needs an instruction that says where"):
        m4sc.message_source(["sample:cat.jpg"], "vqa", look=True)


def test_a_source_says_where_to_look() -> None:
    source = m4sc.message_source(["sample:cat.jpg"], "vqa", "What is at the top left?", look=True)
    meta = pmt.to_python(pmt.car(source._pdu(source._files[0], "vqa", 0)))
    assert meta["look"] is True and meta["instruction"] == "What is at the top left?"
    plain = m4sc.message_source(["sample:cat.jpg"], "vqa", "What is at the top left?")
    assert "look" not in pmt.to_python(pmt.car(plain._pdu(plain._files[0], "vqa", 0)))
