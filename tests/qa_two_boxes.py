"""The hier blocks: M4SC Transmitter and M4SC Receiver, the user filter and the time division between them."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pmt
import pytest
from fake_system import WORDS, FakeSystem, snr_told
from flow import Sink, post, run_block, wait_until
from gnuradio import blocks, gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from m4sc.phy.waveform import WaveformConfig

pytestmark = pytest.mark.timeout(90)


def message(word: str, **more: Any) -> Any:
    return make_pdu({"task": "text", "modality": "text", **more}, word.encode())


def two_boxes(
    words: tuple[str, ...], system: str, snr_db: float = 15.0, sender_options: Any = None, **receiver: Any
) -> Sink:
    """Messages through both boxes and a channel, until the decoder's done PDU."""
    tb, sink = gr.top_block("two boxes", catch_exceptions=True), Sink()
    model = FakeSystem()
    sender = m4sc.transmitter(model, system, **(sender_options or {}))
    channel = m4sc.channel(snr_db, waveform=receiver.get("waveform"))
    taker = m4sc.receiver(model, **receiver)
    tb.connect(sender, channel, taker)
    tb.msg_connect(taker, "answers", sink, "out")
    tb.msg_connect(taker, "status", sink, "status")
    tb.msg_connect(sender, "status", sink, "status")
    tb.msg_connect(taker, "symbols", sink, "frames")
    tb.msg_connect(taker, "answers", sender, "stop")
    entry = sender.encoder
    tb.start()
    try:
        for word in words:
            post(entry, "messages", message(word, user_id=3))
        post(entry, "messages", done_pdu())
        assert sink.done.wait(30.0)
        time.sleep(0.05)
    finally:
        tb.stop()
        tb.wait()
    return sink


@pytest.mark.parametrize("system", ["semantic", "classical"])
def test_messages_cross_in_two_boxes(system: str) -> None:
    sink = two_boxes(WORDS[:3], system)
    assert [payload.tobytes().decode() for _, payload in sink.pdus] == list(WORDS[:3])
    assert sum(status.get("event") == "sent" for status in sink.status) == 3
    assert sum(status.get("event") == "received" for status in sink.status) == 3


@pytest.mark.parametrize("system", ["semantic", "classical"])
@pytest.mark.parametrize(("interleave", "precode"), [(False, False), (True, True)])
def test_interleaving_and_precoding_are_those_asked_for(system: str, interleave: bool, precode: bool) -> None:
    sink = two_boxes(WORDS[:2], system, sender_options={"interleave": interleave, "precode": precode})
    assert [payload.tobytes().decode() for _, payload in sink.pdus] == list(WORDS[:2])
    assert [(meta["interleaved"], meta["precoded"]) for meta in sink.frames] == [(interleave, precode)] * 2


@pytest.mark.parametrize("system", ["semantic", "classical"])
def test_both_boxes_use_the_waveform_given(system: str) -> None:
    plain = WaveformConfig()
    narrow = replace(plain, occupied_carriers=tuple(c for c in plain.occupied_carriers if abs(c) < 20))
    assert narrow.n_data_carriers < plain.n_data_carriers
    sink = two_boxes(WORDS[:2], system, sender_options={"waveform": narrow}, waveform=narrow)
    assert [payload.tobytes().decode() for _, payload in sink.pdus] == list(WORDS[:2])
    assert all(meta["h_hat"].size == narrow.n_data_carriers for meta in sink.frames)


@pytest.mark.parametrize(("options", "told"), [({}, None), ({"snr_db": 7.0}, 7.0)])
def test_the_codec_is_told_what_the_box_knows_of_the_link(
    options: dict[str, float], told: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = snr_told(monkeypatch)
    sink = two_boxes(WORDS[:2], "semantic", sender_options=options)
    assert heard == [told, told] and len(sink.pdus) == 2


def test_the_box_clips_as_asked() -> None:
    peaks = {}
    for clip_db in (float("inf"), 4.0):
        tb, samples = gr.top_block("clip", catch_exceptions=True), blocks.vector_sink_c()
        sender = m4sc.transmitter(FakeSystem(), end_on_done=True, clip_db=clip_db)
        tb.connect(sender, samples)
        tb.start()
        post(sender.encoder, "messages", message("storm"))
        post(sender.encoder, "messages", done_pdu())
        ended = wait_until(lambda samples=samples: samples.tags(), 20.0)  # m4sc_done, the only one here
        tb.stop()
        tb.wait()
        assert ended
        peaks[clip_db] = float(np.max(np.abs(samples.data())))
    assert peaks[4.0] < 0.9 * peaks[float("inf")]


def test_a_receiver_leaves_out_what_is_for_others() -> None:
    assert two_boxes(WORDS[:2], "semantic", user_id=4).pdus == []
    assert len(two_boxes(WORDS[:2], "semantic", user_id=3).pdus) == 2
    assert two_boxes(WORDS[:2], "semantic", source_id=9).pdus == []


@pytest.mark.parametrize(
    ("options", "meta", "passes"),
    [
        ({}, {"user_id": 5}, True),
        ({"user_id": 1}, {"user_id": 5, "public": False}, False),
        ({"user_id": 5}, {"user_id": 5, "public": False}, True),
        ({"user_id": 1}, {"user_id": 5, "public": True}, True),
        ({"user_id": 1, "take_public": False}, {"user_id": 1, "public": True}, False),
        ({"source_id": 2}, {"source_id": 3, "user_id": 0}, False),
        ({"source_id": 2, "user_id": 0}, {"source_id": 2, "user_id": 0, "public": False}, True),
    ],
)
def test_the_user_filter_reads_the_header(
    options: dict[str, Any], meta: dict[str, Any], passes: bool
) -> None:
    block = m4sc.user_filter(**options)
    symbols = np.ones(4, np.complex64)
    sink = run_block(block, "symbols", "symbols", [make_pdu(meta, symbols)])
    assert len(sink.pdus) == passes and block.counters["others"] == (not passes)
    if passes:
        assert np.array_equal(sink.pdus[0][1], symbols) and sink.pdus[0][0] == meta


@pytest.mark.parametrize("options", [{"user_id": -2}, {"user_id": 65536}, {"source_id": 70000}])
def test_a_user_that_no_header_can_hold_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"0 to (65535|255)"):
        m4sc.user_filter(**options)


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(ValueError, match="'semantic' or 'classical'"):
        m4sc.transmitter(system="telepathic")


# --- time division -------------------------------------------------------------------------------------


def bursts(value: float, lengths: list[int], between: int = 50) -> tuple[list[complex], list[Any]]:
    """Samples and tags of a transmitter: bursts of ``value``, samples of -1 between, the done tag last."""
    samples: list[complex] = [-1.0 + 0j] * between
    tags = []
    for length in lengths:
        tags.append(tag(len(samples), "packet_len", length))
        samples += [value + 0j] * length + [-1.0 + 0j] * between
    tags.append(tag(len(samples) - 1, "m4sc_done", 1))
    return samples, tags


def tag(offset: int, key: str, value: int) -> Any:
    made = gr.tag_t()
    made.offset, made.key, made.value = offset, pmt.intern(key), pmt.from_long(value)
    return made


class PatientDivision(m4sc.time_division):
    """Begins once every input holds so many samples."""

    wanted = 0

    def general_work(self, input_items: list[Any], output_items: list[Any]) -> int:
        if min(len(samples) for samples in input_items) < self.wanted:
            time.sleep(0.002)
            return 0
        self.wanted = 0
        return int(super().general_work(input_items, output_items))


def divide(
    users: list[list[int]], guard: int = 100, wanted: int = 0
) -> tuple[np.ndarray, list[Any], m4sc.time_division]:
    tb = gr.top_block("tdma", catch_exceptions=True)
    division, sink = PatientDivision(len(users), guard), blocks.vector_sink_c()
    division.wanted = wanted
    made = [bursts(user + 1.0, lengths) for user, lengths in enumerate(users)]
    sources = [blocks.vector_source_c(samples, False, 1, tags) for samples, tags in made]
    for port, source in enumerate(sources):
        tb.connect(source, (division, port))
    tb.connect(division, sink)
    tb.start()
    ended = wait_until(lambda: "m4sc_done" in [pmt.symbol_to_string(t.key) for t in sink.tags()], 20.0)
    post(division, "stop", done_pdu())
    waiter = threading.Thread(target=tb.wait, daemon=True)
    waiter.start()
    waiter.join(10.0)
    assert ended and not waiter.is_alive()
    return np.asarray(sink.data()), list(sink.tags()), division


@pytest.mark.parametrize("users", [[[300, 20_000], [40, 41, 12_000]], [[5], [9_000], [70]], [[100], []]])
def test_bursts_go_out_whole_and_alone(users: list[list[int]]) -> None:
    samples, tags, division = divide(users)
    lengths = [n for user in users for n in user]
    assert division.counters["bursts"] == len(lengths)
    starts = {t.offset: pmt.to_long(t.value) for t in tags if pmt.symbol_to_string(t.key) == "packet_len"}
    assert sorted(starts.values()) == sorted(lengths)
    heard: dict[float, list[int]] = {}
    rest = np.ones(samples.size, bool)
    for start, length in sorted(starts.items()):
        burst = samples[start : start + length]
        assert burst.size == length and len(set(burst.tolist())) == 1  # no other user's sample within
        heard.setdefault(float(burst[0].real), []).append(length)
        rest[start : start + length] = False
        assert not samples[max(0, start - 100) : start].any()  # the guard before it
    assert not samples[rest].any()
    assert heard == {user + 1.0: n for user, n in enumerate(users) if n}  # each user's in order
    done = [t.offset for t in tags if pmt.symbol_to_string(t.key) == "m4sc_done"]
    assert len(done) == 1 and samples.size - done[0] in (1, 101)  # zeros may follow, for filters


def test_users_take_turns() -> None:
    _, tags, _ = divide([[100] * 10, [150] * 10], wanted=1500)  # all of both are waiting when it begins
    order = [pmt.to_long(t.value) for t in tags if pmt.symbol_to_string(t.key) == "packet_len"]
    assert len(order) == 20 and all(a != b for a, b in itertools.pairwise(order))


@pytest.mark.parametrize(
    ("options", "word"), [((0,), "1 to 16"), ((2, 3), "64"), ((2, 64, ""), "length tag")]
)
def test_wrong_divisions_are_refused(options: tuple[Any, ...], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        m4sc.time_division(*options)
