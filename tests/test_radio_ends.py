"""Addresses, recordings, ZeroMQ and the burst shaper."""

from __future__ import annotations

import json
import queue
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pmt
import pytest
import zmq
from fake_system import WORDS, FakeSystem
from flow import wait_until
from gnuradio import blocks, gr, zeromq
from hypothesis import given
from hypothesis import strategies as st
from m4sc.phy.waveform import WaveformConfig
from m4sc.recordings import RecordingError
from m4sc_flowgraphs.link_events import LinkEvent
from m4sc_flowgraphs.messages import OutgoingMessage
from m4sc_flowgraphs.radio_ends import RadioEndError, open_channel, open_receive, open_transmit, parse_address
from m4sc_flowgraphs.radio_ends.burst_shaper import BurstShaper, shape_burst
from m4sc_flowgraphs.radio_ends.tag_header import header_bytes
from m4sc_flowgraphs.sequence_gaps import SequenceGaps
from m4sc_flowgraphs.station import Station, StationConfig
from sigmf.validate import validate

pytestmark = pytest.mark.timeout(90)
WAVEFORM = WaveformConfig()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Events:
    """Keeps events; answers by sequence number."""

    def __init__(self) -> None:
        self.all: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
        self.seen: list[LinkEvent] = []

    def __call__(self, event: LinkEvent) -> None:
        self.seen.append(event)

    def answers(self) -> dict[int, str]:
        return {e.values["sequence"]: e.values["answer"] for e in self.seen if e.kind == "answer"}


def text(word: str) -> OutgoingMessage:
    return OutgoingMessage(word.encode(), "text", "text", name=word)


def send_all(address: str, words: tuple[str, ...] = WORDS, **options: Any) -> tuple[Station, Events]:
    events = Events()
    sender = Station(
        FakeSystem(), events, open_transmit(address, WAVEFORM, **options), config=StationConfig()
    )
    sender.begin()
    for number, word in enumerate(words):
        sender.send(text(word), number)
    sender.finish_sending()
    return sender, events


@pytest.mark.parametrize("address", [
    "nonsense", "laser:x", "zmq://host", "zmq://127.0.0.1:99999", "zmq://127.0.0.1:5555?mode=mail",
    "sim:?volume=3", "sim:?snr_db=loud", "sim:?snr_db=1&snr_db=2", "sim:?channel=pigeon", "sim:?seed=1.5",
    "sim:?snr_db", "file:", "uhd:?rate=1e6", "uhd:?freq=2.4G&gain=x", "sim:",
])  # fmt: skip
def test_bad_addresses_are_refused_in_one_sentence(address: str) -> None:
    opener = open_channel if address.startswith("sim:?") else open_transmit
    with pytest.raises(RadioEndError) as error:
        opener(address, WAVEFORM)
    assert len(str(error.value)) > 20 and "\n" not in str(error.value)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9./+-]{1,9}", fullmatch=True),
        max_size=4,
    )
)
def test_options_survive_parsing(options: dict[str, str]) -> None:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    address = parse_address(f"uhd:type=b200?{query}")
    assert address.options == options and address.place == "type=b200" and address.kind == "uhd"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(0, 65535))
def test_gaps_between_sequence_numbers_are_the_lost_messages(steps: list[int], first: int) -> None:
    gaps, number = SequenceGaps(), first
    gaps.take(3, number)
    for step in steps:
        number = (number + step) % 65536
        assert gaps.take(3, number) == step - 1
        assert gaps.take(3, number) == 0  # another frame of the same message
    assert gaps.lost == sum(steps) - len(steps)
    assert gaps.take(9, 77) == 0


def test_a_number_that_was_asked_for_is_lost_no_more_and_moves_nothing() -> None:
    gaps = SequenceGaps()
    assert [gaps.take(3, number) for number in (65534, 3)] == [0, 4] and gaps.lost == 4
    assert gaps.take(3, 0) == -1 and gaps.take(3, 0) == 0 and gaps.lost == 3  # the copy after it is none
    assert gaps.take(3, 65534) == 0  # a copy of what was there
    assert gaps.take(3, 4) == 0 and gaps.lost == 3  # the count goes on from the newest
    assert gaps.take(3, 2000) == 0 and gaps.take(3, 2002) == 1  # begun anew


@pytest.mark.parametrize("receiver_first", [True, False])
def test_messages_cross_zeromq_whoever_comes_first(receiver_first: bool) -> None:
    address, told = f"zmq://127.0.0.1:{free_port()}", []
    got = Events()

    def receive() -> Station:
        notify = lambda event, text: told.append(text)  # noqa: E731
        station = Station(FakeSystem(), got, receive=open_receive(address, WAVEFORM, notify))
        station.begin()
        return station

    receiver = receive() if receiver_first else None
    sender, sent = send_all(address)
    if receiver is None:
        time.sleep(0.5)
        receiver = receive()
    try:
        assert wait_until(lambda: len(got.answers()) == len(WORDS), 30)
        assert wait_until(sender.has_ended, 10)
    finally:
        assert receiver.end() and sender.end()
    assert got.answers() == dict(enumerate(WORDS))
    assert sum(e.kind == "sent" for e in sent.seen) == len(WORDS)
    assert any("connected" in text for text in told)


def test_a_receiver_survives_its_transmitters_end_and_hears_the_next_one() -> None:
    address, got, told = f"zmq://127.0.0.1:{free_port()}", Events(), []
    end = open_receive(address, WAVEFORM, lambda event, text: told.append(text))
    receiver = Station(FakeSystem(), got, receive=end)
    receiver.begin()
    try:
        for first in (0, 3):
            words = WORDS[first : first + 3]
            sender, _ = send_all(address, words)
            assert wait_until(sender.has_ended, 20)
            assert wait_until(lambda n=first + 3: sum(e.kind == "answer" for e in got.seen) == n, 20)
            assert sender.end()
        assert wait_until(lambda: any("has gone" in text for text in told), 5)
    finally:
        assert receiver.end()
    assert [e.values["answer"] for e in got.seen if e.kind == "answer"] == list(WORDS)


def test_a_transmitter_ends_though_its_receiver_left_after_the_last_message() -> None:
    address, got = f"zmq://127.0.0.1:{free_port()}", Events()
    receiver = Station(FakeSystem(), got, receive=open_receive(address, WAVEFORM))
    receiver.begin()
    sender = Station(FakeSystem(), Events(), open_transmit(address, WAVEFORM))
    sender.begin()
    sender.send(text("cat"), 0)
    assert wait_until(got.answers, 20) and receiver.end()
    sender.finish_sending()
    assert wait_until(sender.has_ended, 10) and sender.end()


def test_the_wire_format_is_gr_zeromqs() -> None:
    samples = (np.arange(5000) + 1j).astype(np.complex64)
    for ours_sends in (True, False):
        port = free_port()
        tb, sink = gr.top_block("wire"), blocks.vector_sink_c()
        source = blocks.vector_source_c(samples.tolist(), False)
        if ours_sends:
            out = open_transmit(f"zmq://127.0.0.1:{port}", WAVEFORM).block
            into: Any = zeromq.pull_source(8, 1, f"tcp://127.0.0.1:{port}", 20)
        else:
            out = zeromq.push_sink(8, 1, f"tcp://127.0.0.1:{port}", 20)
            into = open_receive(f"zmq://127.0.0.1:{port}", WAVEFORM).block
        tb.connect(source, out)
        tb.connect(into, sink)
        tb.start()
        arrived = wait_until(lambda sink=sink: len(sink.data()) >= samples.size, 10)
        tb.stop()
        tb.wait()
        assert arrived and np.array_equal(np.asarray(sink.data()), samples)


def test_tags_that_a_stock_sink_sends_are_left_out_and_told() -> None:
    samples = (np.arange(5000) + 1j).astype(np.complex64)
    values = (pmt.PMT_NIL, pmt.from_long(7), pmt.to_pmt({"a": [1.5, 2]}), pmt.init_c32vector(2, [1j, 2]))
    tags = [
        gr.tag_utils.python_to_tag((100 * k, pmt.intern("k"), v, pmt.PMT_F)) for k, v in enumerate(values)
    ]
    port, told = free_port(), []
    tb, sink = gr.top_block("tags"), blocks.vector_sink_c()
    tb.connect(
        blocks.vector_source_c(samples.tolist(), False, 1, tags),
        zeromq.push_sink(8, 1, f"tcp://127.0.0.1:{port}", 20, True),
    )
    end = open_receive(f"zmq://127.0.0.1:{port}", WAVEFORM, lambda event, text: told.append(text))
    tb.connect(end.block, sink)
    tb.start()
    arrived = wait_until(lambda: len(sink.data()) >= samples.size, 10)
    tb.stop()
    tb.wait()
    assert arrived and np.array_equal(np.asarray(sink.data()), samples)
    assert sum("Pass Tags" in text for text in told) == 1
    assert end.counters["bad_messages"] == 0


_PMTS = st.recursive(
    st.sampled_from(
        [pmt.PMT_T, pmt.PMT_F, pmt.PMT_NIL, pmt.init_u8vector(3, [1, 2, 3]), pmt.init_f64vector(1, [2])]
    )
    | st.builds(pmt.intern, st.text("abc"))
    | st.builds(pmt.from_long, st.integers(-(2**40), 2**40))
    | st.builds(pmt.from_uint64, st.integers(0, 2**64 - 1))
    | st.builds(pmt.from_double, st.floats(allow_nan=False))
    | st.builds(pmt.from_complex, st.complex_numbers(allow_nan=False, allow_infinity=False)),
    lambda inner: (
        st.builds(pmt.cons, inner, inner)
        | st.builds(lambda k, v: pmt.dict_add(pmt.make_dict(), k, v), inner, inner)
        | st.builds(pmt.make_tuple, inner, inner)
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(_PMTS, _PMTS, _PMTS), max_size=4), st.binary(max_size=40))
def test_a_header_of_tags_ends_where_the_samples_begin(tags: list[Any], samples: bytes) -> None:
    header = struct.pack("=HBQQ", 0x5FF0, 1, 12, len(tags))
    for parts in tags:
        header += struct.pack("=Q", 3) + b"".join(pmt.serialize_str(part) for part in parts)
    assert header_bytes(header + samples) == len(header)
    assert header_bytes(header[:-1]) is None


@given(st.binary(max_size=80))
def test_any_bytes_behind_the_magic_number_are_measured_or_refused(data: bytes) -> None:
    message = struct.pack("=HBQQ", 0x5FF0, 1, 0, 2) + data
    end = header_bytes(message)
    assert end is None or end <= len(message)
    assert header_bytes(data[:1]) is None


def test_what_is_no_samples_is_counted_and_told() -> None:
    port, told = free_port(), []
    end = open_receive(f"zmq://127.0.0.1:{port}", WAVEFORM, lambda event, text: told.append((event, text)))
    context = zmq.Context()
    sender = context.socket(zmq.PUSH)
    sender.linger = 0
    sender.bind(f"tcp://127.0.0.1:{port}")
    tb = gr.top_block("odd")
    tb.connect(end.block, blocks.null_sink(8))
    tb.start()
    try:
        for _ in range(3):
            sender.send(b"12345")
        assert wait_until(lambda: end.counters["bad_messages"] == 3, 10)
        assert [event for event, _ in told].count("bad_messages") == 1
    finally:
        tb.stop()
        tb.wait()
        sender.close()
        context.term()


@pytest.mark.parametrize("mode", ["push", "pub"])
def test_a_transmitter_tells_that_two_receivers_share_its_samples(mode: str) -> None:
    port, told = free_port(), []
    out = open_transmit(
        f"zmq://127.0.0.1:{port}?mode={mode}", WAVEFORM, lambda event, text: told.append(text)
    )
    tb = gr.top_block("two")
    tb.connect(blocks.null_source(8), blocks.throttle(8, 1e5), out.block)
    context = zmq.Context()
    receivers = [context.socket(zmq.PULL if mode == "push" else zmq.SUB) for _ in range(2)]
    tb.start()
    try:
        for receiver in receivers:
            receiver.connect(f"tcp://127.0.0.1:{port}")
        assert wait_until(lambda: sum("is connected" in text for text in told) == 2, 10)
        shared = wait_until(lambda: any("share the samples" in text for text in told), 1)
        assert shared == (mode == "push")
    finally:
        tb.stop()
        tb.wait()
        context.destroy(0)


def test_a_port_in_use_is_named() -> None:
    address = f"zmq://127.0.0.1:{free_port()}"
    first = open_transmit(address, WAVEFORM)
    with pytest.raises(RadioEndError, match="cannot listen"):
        open_transmit(address, WAVEFORM)
    del first


def record(name: Path, query: str = "", **options: Any) -> None:
    sender, _ = send_all(f"file:{name}{query}", **options)
    assert wait_until(sender.has_ended, 30)
    assert sender.end()


def replay(address: str) -> dict[int, str]:
    got = Events()
    station = Station(FakeSystem(), got, receive=open_receive(address, WAVEFORM))
    station.begin()
    assert station.sink.done.wait(30)
    assert station.end()
    return got.answers()


def test_recordings_replay_and_describe_every_frame(tmp_path: Path) -> None:
    record(tmp_path / "air", "?freq=2.45G&snr_db=20&cfo_hz=400")
    described = json.loads((tmp_path / "air.sigmf-meta").read_text())
    validate(described)
    size = (tmp_path / "air.sigmf-data").stat().st_size // 8
    marks = described["annotations"]
    assert len(marks) == len(WORDS)
    assert all(
        0 <= m["core:sample_start"] < m["core:sample_start"] + m["core:sample_count"] <= size for m in marks
    )
    assert described["captures"][0]["core:frequency"] == 2.45e9
    assert described["global"]["core:sample_rate"] == WAVEFORM.samp_rate
    assert replay(f"file:{tmp_path / 'air'}") == dict(enumerate(WORDS))


def test_sixteen_bit_recordings_replay(tmp_path: Path) -> None:
    record(tmp_path / "a")
    samples = np.fromfile(tmp_path / "a.sigmf-data", np.complex64).view(np.float32)
    np.round(samples / np.abs(samples).max() * 20000).astype("<i2").tofile(tmp_path / "a.sigmf-data")
    meta = json.loads((tmp_path / "a.sigmf-meta").read_text())
    meta["global"] |= {"core:datatype": "ci16_le"}
    del meta["global"]["core:sha512"]
    (tmp_path / "a.sigmf-meta").write_text(json.dumps(meta))
    assert replay(f"file:{tmp_path / 'a.sigmf-meta'}") == dict(enumerate(WORDS))


@pytest.mark.parametrize(
    ("change", "word"),
    [({"core:datatype": "ru8"}, "ru8"), ({"core:num_channels": 2}, "2 channels"),
     ({"core:datatype": 3}, "'3' are not read")],
)  # fmt: skip
def test_unsuitable_recordings_are_refused(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    record(tmp_path / "x")
    path = tmp_path / "x.sigmf-meta"
    meta = json.loads(path.read_text())
    meta["global"] |= change
    path.write_text(json.dumps(meta))
    with pytest.raises(RecordingError, match=word):
        open_receive(f"file:{tmp_path / 'x'}", WAVEFORM)
    path.with_suffix(".sigmf-data").unlink(missing_ok=True)
    with pytest.raises(RecordingError, match=rf"no such file|{word}"):
        open_receive(f"file:{tmp_path / 'x'}", WAVEFORM)


def test_a_bare_recording_is_replayed_with_its_type_and_what_is_missing_is_told(tmp_path: Path) -> None:
    record(tmp_path / "a")
    pairs = np.fromfile(tmp_path / "a.sigmf-data", np.float32)
    np.round(pairs / np.abs(pairs).max() * 120).astype("i1").tofile(tmp_path / "bare.iq")
    told: list[str] = []
    open_receive(f"file:{tmp_path / 'bare.iq'}?datatype=ci8", WAVEFORM, lambda kind, text: told.append(text))
    assert told == ["bare.iq does not say its rate; 1e+06 samples/s are taken"]
    assert replay(f"file:{tmp_path / 'bare.iq'}?datatype=ci8&rate=1M") == dict(enumerate(WORDS))


@given(st.floats(0.01, 4.0), st.integers(1, 300), st.integers(0, 50))
def test_no_shaped_burst_reaches_full_scale_and_none_is_distorted(gain: float, length: int, pad: int) -> None:
    rng = np.random.default_rng(length)
    burst = (rng.standard_normal(length) + 1j * rng.standard_normal(length)).astype(np.complex64)
    shaped, limited = shape_burst(burst, gain, pad)
    assert shaped.size == length + 2 * pad and np.abs(shaped).max() <= 0.9901
    inner = shaped[pad : pad + length]
    factor = np.vdot(burst, inner) / np.vdot(burst, burst)
    assert np.allclose(inner, factor * burst, atol=1e-5) and abs(factor.imag) < 1e-5
    assert limited == (np.abs(burst * np.float32(gain)).max() > 0.99)


@pytest.mark.parametrize("seed", range(3))
def test_the_shaper_passes_bursts_whole_and_nothing_else(seed: int) -> None:
    rng, samples, tags, bursts = np.random.default_rng(seed), [], [], []
    for _ in range(12):
        samples.append(np.full(int(rng.integers(0, 9000)), 0.25, np.complex64))  # outside: must vanish
        tag = gr.tag_t()
        length = int(rng.integers(1, 12000))
        tag.offset, tag.key, tag.value = (
            sum(map(len, samples)),
            pmt.intern("packet_len"),
            pmt.from_long(length),
        )
        tags.append(tag)
        bursts.append(((rng.random(length) + 0.1) / 2 * np.exp(1j)).astype(np.complex64))
        samples.append(bursts[-1])
    tb = gr.top_block("shaper", catch_exceptions=True)
    source = blocks.vector_source_c(np.concatenate(samples).tolist(), False, 1, tags)
    shaper, sink = BurstShaper(1.0, 10), blocks.vector_sink_c()
    tb.connect(source, shaper, sink)
    finished = threading.Thread(target=tb.run, daemon=True)
    finished.start()
    finished.join(20)
    assert not finished.is_alive() and shaper.counters["bursts"] == 12
    assert np.allclose(np.asarray(sink.data()), np.concatenate([np.pad(b, 10) for b in bursts]))
    marks = [(t.offset, pmt.to_long(t.value)) for t in sink.tags()]
    lengths = [len(b) + 20 for b in bursts]
    assert marks == list(zip(np.cumsum([0, *lengths[:-1]]).tolist(), lengths, strict=True))


def test_a_receiver_connects_when_it_starts_and_takes_nothing_before() -> None:
    address = f"zmq://127.0.0.1:{free_port()}"
    end, got = open_receive(address, WAVEFORM), Events()
    sender, _ = send_all(address)
    receiver = Station(FakeSystem(), got, receive=end)
    try:
        time.sleep(0.7)
        assert sender.counters()["samples"] == 0  # nobody has come
        receiver.begin()
        assert wait_until(lambda: len(got.answers()) == len(WORDS), 30)
    finally:
        assert receiver.end() and sender.end()


def test_a_stopped_subscriber_costs_bounded_memory_and_is_told() -> None:
    port, told = free_port(), []
    end = open_transmit(
        f"zmq://127.0.0.1:{port}?mode=pub", WAVEFORM, lambda event, text: told.append((event, text))
    )
    n_samples = 16_000_000  # 128 MB: more than is kept and what the kernel's buffers take
    flowgraph = gr.top_block()
    source = blocks.null_source(gr.sizeof_gr_complex)
    flowgraph.connect(source, blocks.head(gr.sizeof_gr_complex, n_samples), end.block)
    context = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    subscriber.set_hwm(1)
    subscriber.linger = 0
    subscriber.subscribe(b"")
    subscriber.connect(f"tcp://127.0.0.1:{port}")
    time.sleep(0.5)  # its subscription arrives; it never reads
    before = resident_bytes()
    try:
        flowgraph.start()
        assert wait_until(lambda: end.counters["samples"] == n_samples, 60)
        assert end.counters["overruns"] >= 1
        assert resident_bytes() - before < 60e6
        assert [event for event, _ in told].count("overrun") >= 1
    finally:
        subscriber.close()
        context.term()
        flowgraph.stop()
        flowgraph.wait()


def resident_bytes() -> int:
    """Memory of this process in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
