"""Group encoder and decoder: messages to several users in one frame, each behind a channel of its own."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_system import FakeSystem
from flow import Sink, post, put, run_block, wait_until
from gnuradio import blocks, gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.privacy import KeyRing
from m4sc_flowgraphs.station import Station, StationConfig
from PIL import Image

pytestmark = pytest.mark.timeout(120)


def picture(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def asked(user: int, level: int = 10, task: str = "classify", **more: Any) -> tuple[dict[str, Any], bytes]:
    return {"user_id": user, "task": task, **more}, picture(level)


def frames(messages: list[Any], **options: Any) -> tuple[Sink, Any]:
    block = m4sc.group_encoder(FakeSystem(), **options)
    return run_block(block, "messages", "symbols", messages), block


def test_users_who_ask_about_one_picture_share_one_frame() -> None:
    sink, block = frames([asked(1), asked(2), asked(3)], users=3)
    ((meta, symbols),) = sink.pdus
    assert meta["payload_kind"] == "group" and meta["users"] == 3 and meta["public_share"] == 1.0
    assert meta["public_symbols"] == 96 and symbols.dtype == np.complex64
    assert block.counters["frames"] == 1 and block.counters["errors"] == 0


def test_a_user_who_asks_twice_waits_for_the_next_frame_and_none_waits_for_ever() -> None:
    sink, _ = frames([asked(1), asked(1, 250), asked(2)], users=2, wait_s=0.2)
    assert [meta["users"] for meta, _ in sink.pdus] == [2, 1]
    late = m4sc.group_encoder(FakeSystem(), users=5, wait_s=0.2)
    tb, out = gr.top_block("late", catch_exceptions=True), Sink()
    tb.msg_connect(late, "symbols", out, "out")
    tb.start()
    try:
        put(late, "messages", make_pdu(*asked(4)), 5.0)
        assert wait_until(lambda: len(out.pdus) == 1)  # without done, and without the other four
    finally:
        tb.stop()
        tb.wait()


def test_a_frame_has_the_number_that_its_messages_have_in_common() -> None:
    same = [asked(1, sequence=7), asked(2, sequence=7), asked(1, sequence=8), asked(2, sequence=9)]
    sink, _ = frames([*same, asked(1), asked(2)], users=2)
    numbers = [meta["sequence"] for meta, _ in sink.pdus]
    assert numbers[0] == 7 and len(numbers) == 3
    assert (numbers[2] - numbers[1]) % 65536 == 1  # of the encoder's own, where they differ or have none


def test_a_bad_message_names_its_user_and_the_others_go_on() -> None:
    messages = [
        asked(1),
        ({"user_id": 2, "task": "sing"}, picture(10)),
        ({"user_id": 3, "task": "classify"}, b"no picture"),
        ({"task": "classify"}, picture(10)),
        asked(4),
    ]
    sink, block = frames(messages, users=9)
    assert [meta["users"] for meta, _ in sink.pdus] == [2]
    reasons = " | ".join(status["reason"] for status in sink.status)
    assert "unknown task 'sing'" in reasons and "needs its user_id" in reasons
    assert [s.get("user_id") for s in sink.status] == [2, 3, None]
    assert block.counters["errors"] == 3


def test_what_the_codec_refuses_is_told_with_the_users_id() -> None:
    class Picky(FakeSystem):
        def encode(self, message: Any, task: str, *rest: Any, **more: Any) -> Any:
            if np.mean(message.data) > 200:
                raise ValueError("too bright")
            return super().encode(message, task, *rest, **more)

    block = m4sc.group_encoder(Picky(), users=2)
    sink = run_block(block, "messages", "symbols", [asked(1), asked(2, 250)])
    assert [meta["users"] for meta, _ in sink.pdus] == [1]
    (status,) = sink.status
    assert status["user_id"] == 2 and "user 2: too bright" in status["reason"]
    assert block.counters["refused"] == 1


def test_more_users_than_fit_go_with_the_next_frame() -> None:
    sink, block = frames([asked(n) for n in range(1, 81)], users=200, wait_s=30.0, queue_len=100)
    counts = [meta["users"] for meta, _ in sink.pdus]
    assert sum(counts) == 80 and len(counts) == 2
    assert any("80 users do not fit one frame" in status["reason"] for status in sink.status)
    assert block.counters["errors"] == 0


def test_feedback_chooses_the_protection() -> None:
    block = m4sc.group_encoder(FakeSystem(), users=2)
    block.set_user_snr(2, -3.0)
    weak = run_block(block, "messages", "symbols", [asked(1), asked(2)]).pdus[0][0]
    strong = frames([asked(1), asked(2)], users=2)[0].pdus[0][0]
    assert weak["mcs"] < strong["mcs"] and weak["protection"] > strong["protection"]
    tb, sink = gr.top_block("f", catch_exceptions=True), Sink()
    tb.msg_connect(block, "status", sink, "status")
    tb.start()
    try:
        post(block, "feedback", make_pdu({"user_id": 2}, b""))
        assert wait_until(lambda: bool(sink.status))
    finally:
        tb.stop()
        tb.wait()
    assert "feedback needs user_id and snr_db" in sink.status[0]["reason"]


@pytest.mark.parametrize("options", [{"users": 0}, {"wait_s": -1.0}, {"layout": "cdma"}, {"source_id": 256}])
def test_wrong_parameters_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"give|use"):
        m4sc.group_encoder(FakeSystem(), **options)
    with pytest.raises(ValueError, match="n_sources is 0"):
        m4sc.group_encoder(FakeSystem(), n_sources=0)
    with pytest.raises(ValueError, match="give 0 to 65535"):
        m4sc.group_decoder(70000)
    with pytest.raises(ValueError, match="64 hex digits"):
        m4sc.group_decoder(1, key="abc")


def cell(
    messages: list[Any],
    users: dict[int, dict[str, Any]],
    decoders: dict[int, Any] | None = None,
    **encoder: Any,
) -> tuple[dict[int, Sink], dict[int, Any]]:
    """One transmitter; each user behind a channel, a receiver and decoders of its own."""
    tb = gr.top_block("cell", catch_exceptions=True)
    head = m4sc.group_encoder(FakeSystem(), users=len(users), **encoder)
    sender = m4sc.frame_transmitter()
    tb.msg_connect(head, "symbols", sender, "symbols")
    sinks, taken, kept = {}, {}, list[Any]()  # GNU Radio keeps no message block alive
    for seed, (user, given) in enumerate(users.items()):
        air = dict(given)
        late = blocks.skiphead(gr.sizeof_gr_complex, air.pop("skip", 0))
        radio, receiver, sink = m4sc.channel(seed=seed, **air), m4sc.frame_receiver(), Sink()
        own = (decoders or {}).get(user) or m4sc.group_decoder(user)
        answers = m4sc.message_decoder(FakeSystem(), user_id=user)
        tb.connect(sender, late, radio, receiver)
        tb.msg_connect(receiver, "symbols", own, "symbols")
        tb.msg_connect(own, "symbols", answers, "symbols")
        tb.msg_connect(answers, "answers", sink, "out")
        tb.msg_connect(own, "status", sink, "status")
        sinks[user], taken[user] = sink, own
        kept += [late, radio, receiver, answers]
    tb.start()
    try:
        for message in messages:
            put(head, "messages", make_pdu(*message), 20.0)
        put(head, "messages", done_pdu(), 20.0)
        for sink in sinks.values():
            assert sink.done.wait(60.0), "a user did not finish in time"
    finally:
        tb.stop()
        tb.wait()
    return sinks, taken


@pytest.mark.parametrize("layout", ["tdm", "ofdma"])
def test_each_user_answers_its_own_message_behind_its_own_channel(layout: str) -> None:
    messages = [asked(1, 10), asked(2, 60), asked(3, 10), asked(1, 250), asked(2, 250), asked(3, 250)]
    air = {1: {"snr_db": 5.0}, 2: {"snr_db": 12.0, "cfo_hz": 300.0}, 3: {"snr_db": 20.0}}
    sinks, taken = cell(messages, air, layout=layout)
    said = {user: [text.tobytes().decode() for _, text in sink.pdus] for user, sink in sinks.items()}
    assert said == {1: ["cat", "harbour"], 2: ["dog", "harbour"], 3: ["cat", "harbour"]}
    assert all(block.counters["groups"] == 2 and not block.counters["lost"] for block in taken.values())
    first = sinks[1].pdus[0][0]
    assert first["user_id"] == 1 and first["task"] == "classify"


def test_a_user_who_is_not_served_hears_nothing_and_counts_it() -> None:
    sinks, taken = cell([asked(1), asked(2)], {1: {"snr_db": 15.0}, 9: {"snr_db": 15.0}})
    assert len(sinks[1].pdus) == 1 and not sinks[9].pdus
    assert taken[9].counters["others"] == 1


def test_a_hidden_part_opens_with_its_key_alone(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys.json")
    key = ring.add(2).key.hex()
    air = {1: {"snr_db": 15.0}, 2: {"snr_db": 15.0}}
    messages = [asked(1, 10), asked(2, 60)]
    for given, said, event in ((key, "dog", None), ("", None, "no key"), ("00" * 32, None, "not the one")):
        own = {2: m4sc.group_decoder(2, key=given)}
        sinks, taken = cell(messages, air, own, keys=str(tmp_path / "keys.json"), tolerance=0.01)
        assert sinks[1].pdus[0][1].tobytes() == b"cat"
        if event is None:
            assert sinks[2].pdus[0][1].tobytes().decode() == said
            assert not taken[2].counters["private_lost"]
        else:
            assert taken[2].counters["private_lost"] == 1
            assert event in sinks[2].status[0]["reason"] and sinks[2].status[0]["event"] == "private_lost"
            assert sinks[2].pdus[0][1].tobytes().decode() == "nothing"


def test_who_joins_in_the_middle_of_a_frame_hears_the_next_one_and_the_others_all() -> None:
    messages = [asked(1), asked(2), asked(1, 250), asked(2, 250)]
    air = {1: {"snr_db": 15.0}, 2: {"snr_db": 15.0, "skip": 1500}}  # a burst begins at 800 and has 1,440
    sinks, taken = cell(messages, air)
    assert [text.tobytes() for _, text in sinks[1].pdus] == [b"cat", b"harbour"]
    assert [text.tobytes() for _, text in sinks[2].pdus] == [b"harbour"]
    assert taken[2].counters["groups"] == 1 and not taken[2].counters["lost"]


def test_a_user_learns_from_another_tasks_public_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    from m4sc.sharing import aside as module
    from m4sc.tasks import get_task

    class Better:
        task_ids = get_task("classify").task_id, get_task("vqa").task_id

        def joined(self, own: Any, other: Any) -> Any:
            assert len(other.symbols) == 96
            return replace(own, noise_var=np.full(len(own.symbols), 0.25, np.float32))

    group, _ = frames([asked(1, 10), asked(2, 60, "vqa"), asked(3, 60, "vqa")], users=3)
    about, symbols = group.pdus[0]
    heard = make_pdu({**about, "noise_var": np.full(len(symbols), 1e-3, np.float32)}, symbols)
    for found, noise in ((Better(), 0.25), (None, 1e-3)):
        monkeypatch.setattr(module, "shipped_aside", lambda found=found: found)
        for user, expected in ((1, noise), (2, 1e-3)):
            block = m4sc.group_decoder(user)
            ((meta, _),) = run_block(block, "symbols", "symbols", [heard]).pdus
            assert np.allclose(meta["noise_var"], expected)
            assert block.counters["aside"] == (user == 1 and found is not None)


def test_other_frames_pass_and_broken_groups_are_told() -> None:
    plain = make_pdu({"payload_kind": "analog", "task_id": 1}, np.ones(8, np.complex64))
    ((meta, _),) = run_block(m4sc.group_decoder(1), "symbols", "symbols", [plain]).pdus
    assert meta["payload_kind"] == "analog"
    group, _ = frames([asked(1)], users=1)
    about, symbols = group.pdus[0]
    noise = np.full(len(symbols), 1e-3, np.float32)
    broken = [
        ({**about, "noise_var": noise}, -symbols[::-1].copy()),
        ({**about, "noise_var": noise[:-1]}, symbols[:-1].copy()),
        ({**about, "noise_var": noise, "payload_bytes": 0}, symbols),
    ]
    block = m4sc.group_decoder(1)
    sink = run_block(block, "symbols", "symbols", [make_pdu(*one) for one in broken])
    assert not sink.pdus and block.counters["lost"] == 3
    assert [status["event"] for status in sink.status] == ["lost"] * 3


def test_what_a_users_receiver_reports_protects_its_next_frames() -> None:
    tb, sink = gr.top_block("loop", catch_exceptions=True), Sink()
    head, sender = m4sc.group_encoder(FakeSystem(), users=2), m4sc.frame_transmitter()
    radio = m4sc.channel(seed=3, snr_db=-2.0)
    ear = m4sc.receiver(FakeSystem(), user_id=2, question="Is it near?")
    tb.msg_connect(head, "symbols", sender, "symbols")
    tb.connect(sender, radio, ear)
    tb.msg_connect(ear, "feedback", head, "feedback")
    tb.msg_connect(ear, "answers", sink, "out")
    tb.msg_connect(ear, "status", sink, "status")
    tb.start()
    try:
        for turn in range(8):  # a frame is read when samples of the next one come
            for user in (1, 2):
                put(head, "messages", make_pdu(*asked(user, 60, "vqa")), 20.0)
            wait_until(lambda turn=turn: ear.own.counters["received"] >= turn, 10.0)
        put(head, "messages", done_pdu(), 20.0)
        assert sink.done.wait(60.0)
    finally:
        tb.stop()
        tb.wait()
    told = [status.get("reason") or "" for status in sink.status]
    assert any("the directory failed its check" in reason for reason in told)  # 10 dB were expected
    assert len(sink.pdus) >= 4
    assert all(text.tobytes() == b"Is it near? dog" for _, text in sink.pdus)


def test_done_goes_on_when_the_last_source_has_ended_and_not_before() -> None:
    head, tb, sink = m4sc.group_encoder(FakeSystem(), users=2, n_sources=2), gr.top_block("two"), Sink()
    tb.msg_connect(head, "symbols", sink, "out")
    tb.start()
    try:
        put(head, "messages", make_pdu(*asked(1)), 5.0)
        put(head, "messages", done_pdu(), 5.0)
        put(head, "messages", make_pdu(*asked(2)), 5.0)
        assert wait_until(lambda: bool(sink.pdus)) and not sink.done.is_set()
        put(head, "messages", done_pdu(), 5.0)
        assert sink.done.wait(10.0)
    finally:
        tb.stop()
        tb.wait()
    assert [meta["users"] for meta, _ in sink.pdus] == [2]


def test_a_receiver_without_a_user_says_what_a_frame_of_several_needs() -> None:
    group, _ = frames([asked(1), asked(2)], users=2)
    meta, symbols = group.pdus[0]
    heard = make_pdu({**meta, "noise_var": np.full(len(symbols), 1e-3, np.float32)}, symbols)
    sink = run_block(m4sc.message_decoder(FakeSystem()), "symbols", "answers", [heard])
    assert not sink.pdus and "give this receiver its user id" in sink.status[0]["reason"]
    with pytest.raises(ValueError, match="give its user_id too"):
        m4sc.receiver(FakeSystem(), key="00" * 32)


def test_a_station_that_receives_for_a_user_takes_its_part(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys.json")
    key = ring.add(2).key.hex()
    for given in (key, ""):
        events = list[Any]()
        head, sender = m4sc.group_encoder(FakeSystem(), keys=str(ring.path)), m4sc.frame_transmitter()
        radio = m4sc.channel(seed=1, snr_db=15.0)
        end = SimpleNamespace(block=radio, waveform=WaveformConfig(), real_time=False)
        config = StationConfig(user_id=2, key=given, query="What?")
        station = Station(FakeSystem(), events.append, receive=end, config=config)
        station.msg_connect(head, "symbols", sender, "symbols")
        station.connect(sender, radio)
        station.begin()
        try:
            for message in (asked(1, 10), asked(2, 60)):
                put(head, "messages", make_pdu(*message), 5.0)
            put(head, "messages", done_pdu(), 5.0)
            assert wait_until(station.has_ended, 30.0)
        finally:
            assert station.end()
        (answer,) = [event.values["answer"] for event in events if event.kind == "answer"]
        told = [event.values["text"] for event in events if event.kind == "private_lost"]
        assert answer == ("What? dog" if given else "What? nothing")
        assert bool(told) != bool(given) and all("public part alone" in text for text in told)
