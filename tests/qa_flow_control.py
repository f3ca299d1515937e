"""Nothing piles up: senders of ours wait for room, what others send without room is dropped and counted."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pmt
import pytest
from fake_system import FakeSystem
from flow import Sink, post, wait_until
from gnuradio import gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu
from gnuradio.m4sc.worker import pdu_worker

pytestmark = pytest.mark.timeout(60)


class Slow(pdu_worker):
    """Passes PDUs on; `held` stops it while it is not set."""

    def __init__(self, queue_len: int = 16, name: str = "slow") -> None:
        super().__init__(name, "in", "out", queue_len)
        self.held = threading.Event()
        self.held.set()
        self.seen: list[int] = []

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Any:
        while not self.held.wait(0.02) and not self._stopping.is_set():
            pass
        self.seen.append(int(meta["sequence"]))
        yield meta, payload


class Box(gr.hier_block2):
    """A slow block in a box in a box."""

    def __init__(self, inner: Any) -> None:
        gr.hier_block2.__init__(self, "box", gr.io_signature(0, 0, 0), gr.io_signature(0, 0, 0))
        for port, register in (("in", self.message_port_register_hier_in),
                               ("out", self.message_port_register_hier_out)):  # fmt: skip
            register(port)
        self.inner = inner
        self.msg_connect(self, "in", inner, "in")
        self.msg_connect(inner, "out", self, "out")


def numbered(n: int, n_bytes: int = 4) -> Any:
    return make_pdu({"sequence": n}, np.zeros(n_bytes, np.uint8))


def waiting(block: Any, port: str = "in") -> int:
    """PDUs of a block in GNU Radio's own queue."""
    return int(block.to_basic_block().nmsgs(pmt.intern(port)))


def test_strangers_pdus_are_dropped_counted_and_told_once_a_second() -> None:
    tb, block, sink = gr.top_block("flood"), Slow(queue_len=4), Sink()
    tb.msg_connect(block, "out", sink, "out")
    tb.msg_connect(block, "status", sink, "status")
    block.held.clear()
    tb.start()
    try:
        n = 3000
        for i in range(n):
            post(block, "in", numbered(i, 4000))
        assert wait_until(lambda: block.counters["dropped"] >= n - 5)
        assert waiting(block) == 0  # the old worker kept them all here
        post(block, "in", done_pdu())
        block.held.set()
        assert sink.done.wait(10.0)
        assert block.counters["received"] + block.counters["dropped"] == n
        assert len(sink.pdus) == block.counters["received"] <= 5
        assert wait_until(lambda: sum(s.get("count", 0) for s in sink.status) == block.counters["dropped"])
        assert len(sink.status) <= 4
    finally:
        tb.stop()
        tb.wait()


@pytest.mark.parametrize("boxed", [False, True])
def test_a_sender_of_ours_waits_and_nothing_is_lost(boxed: bool) -> None:
    tb, sink = gr.top_block("wait"), Sink()
    first, second = Slow(queue_len=3, name="first"), Slow(queue_len=2, name="second")
    target = Box(Box(second)) if boxed else second
    tb.kept = target
    tb.msg_connect(first, "out", target, "in")
    tb.msg_connect(target, "out", sink, "out")
    second.held.clear()
    tb.start()
    try:
        taken = 0
        while first.put(numbered(taken), 0.3):
            taken += 1
        # in the second: one in hand, two waiting; in the first: one in hand, three waiting
        assert taken == 7 and waiting(second) == waiting(first) == 0
        second.held.set()
        for n in range(taken, 40):
            assert first.put(numbered(n), 5.0)
        assert first.put(done_pdu())
        assert sink.done.wait(10.0)
        assert [meta["sequence"] for meta, _ in sink.pdus] == list(range(40))
        assert first.counters["dropped"] == second.counters["dropped"] == 0
    finally:
        tb.stop()
        tb.wait()


def test_a_sender_takes_a_place_at_all_its_receivers_or_none() -> None:
    tb, first = gr.top_block("two"), Slow(name="first")
    quick, slow = Slow(queue_len=2, name="quick"), Slow(queue_len=2, name="slow")
    for block in (quick, slow):
        tb.msg_connect(first, "out", block, "in")
    slow.held.clear()
    tb.start()
    try:
        for n in range(10):
            assert first.put(numbered(n), 5.0)
        assert wait_until(lambda: len(quick.seen) == 3)
        time.sleep(0.2)
        assert quick.seen == [0, 1, 2]  # as many as the slow one has room for
        slow.held.set()
        assert wait_until(lambda: slow.seen == quick.seen == list(range(10)))
    finally:
        tb.stop()
        tb.wait()


def test_stopping_wakes_who_waits_and_a_second_run_begins_empty() -> None:
    tb, source, block = gr.top_block("again"), None, Slow(queue_len=2)
    source, sink = m4sc.message_source([f"text {i}" for i in range(9)], "text"), Sink()
    tb.msg_connect(source, "messages", block, "in")
    tb.msg_connect(block, "out", sink, "out")
    block.held.clear()
    tb.start()
    assert wait_until(lambda: source.counters["sent"] == 3)
    caller: list[bool] = []
    thread = threading.Thread(target=lambda: caller.append(block.put(numbered(99))))
    thread.start()
    time.sleep(0.1)
    begun = time.monotonic()
    tb.stop()
    tb.wait()
    thread.join(5.0)
    assert time.monotonic() - begun < 5.0 and caller == [False]
    assert source.counters["sent"] == 3
    assert block.counters["received"] + block.counters["dropped"] == 3
    block.held.set()
    tb.start()  # goes on with the fourth message
    try:
        assert sink.done.wait(10.0)
        assert [m["sequence"] for m, _ in sink.pdus][-6:] == [3, 4, 5, 6, 7, 8]
        assert block.counters["received"] + block.counters["dropped"] == 9
    finally:
        tb.stop()
        tb.wait()


def test_a_flowgraph_that_ended_by_itself_runs_again() -> None:
    tb, sink = gr.top_block("twice", catch_exceptions=True), Sink()
    source, block, answers = m4sc.message_source(["text:a", "text:b"], "text"), Slow(), m4sc.answer_sink()
    tb.msg_connect(source, "messages", block, "in")
    tb.msg_connect(block, "out", answers, "answers")
    tb.msg_connect(block, "out", sink, "out")
    tb.msg_connect(answers, "done", source, "stop")
    for run in (1, 2, 3):
        tb.start()
        waiter = threading.Thread(target=tb.wait, daemon=True)
        waiter.start()
        waiter.join(10.0)
        assert not waiter.is_alive()
        assert answers.counters["received"] == block.counters["sent"] == 2 * run
        assert [meta["sequence"] for meta, _ in sink.pdus] == list(range(2 * run))


def test_lock_and_unlock_keep_the_place() -> None:
    tb, block, sink = gr.top_block("lock"), Slow(), Sink()
    source = m4sc.message_source([f"text {i}" for i in range(30)], "text", interval_s=0.02)
    other = Slow(name="other")
    tb.msg_connect(source, "messages", block, "in")
    tb.msg_connect(block, "out", sink, "out")
    tb.start()
    try:
        for _ in range(2):
            before = len(sink.pdus)
            assert wait_until(lambda before=before: len(sink.pdus) > before + 3)
            tb.lock()
            tb.msg_connect(block, "out", other, "in")
            tb.unlock()
            assert wait_until(lambda before=before: len(sink.pdus) > before + 6)
            tb.lock()
            tb.msg_disconnect(block, "out", other, "in")
            tb.unlock()
        assert sink.done.wait(20.0)
        got = [meta["sequence"] for meta, _ in sink.pdus]
        assert got == sorted(set(got)) and got[-1] == 29
        assert len(got) + block.counters["dropped"] >= 28  # one may be on its way at each stop
    finally:
        tb.stop()
        tb.wait()


def test_a_ring_of_blocks_does_not_wait_for_itself() -> None:
    tb = gr.top_block("ring")
    ring = [Slow(queue_len=1, name=f"ring{i}") for i in range(3)]
    for i, block in enumerate(ring):
        tb.msg_connect(block, "out", ring[(i + 1) % 3], "in")
    tb.start()
    try:
        for n in range(20):
            ring[n % 3].put(numbered(n), 0.2)
        before = sum(len(block.seen) for block in ring)
        assert wait_until(lambda: sum(len(block.seen) for block in ring) > before + 100)
    finally:
        tb.stop()
        tb.wait()


class Shut(gr.sync_block):
    """Takes no sample, so that only its input buffer fills."""

    def __init__(self) -> None:
        gr.sync_block.__init__(self, "shut", [np.complex64], [])

    def work(self, input_items: Any, output_items: Any) -> int:
        time.sleep(0.01)
        return 0


def test_the_transmitter_holds_no_more_than_it_may() -> None:
    tb, sender, block = gr.top_block("air"), m4sc.frame_transmitter(queue_len=5), Slow(queue_len=2)
    hold = Shut()
    tb.connect(sender, hold)
    tb.msg_connect(block, "out", sender, "symbols")
    symbols = np.ones(4000, np.complex64)
    tb.start()
    try:
        taken = 0
        while block.put(make_pdu({"sequence": taken}, symbols), 0.5):
            taken += 1
            assert taken < 100
        assert sender.counters["received"] + 5 + 1 + 2 >= taken
        assert sender.counters["dropped"] == 0 and wait_until(lambda: waiting(sender, "symbols") == 0)
        for n in range(500):
            post(sender, "symbols", make_pdu({"sequence": n}, symbols))
        assert wait_until(lambda: sender.counters["dropped"] == 500)
    finally:
        tb.stop()
        tb.wait()


def test_a_slow_decoder_holds_a_simulated_link_back_and_loses_nothing() -> None:
    """Decoder, receiver, channel, transmitter, encoder: all wait, up to the caller of put."""

    class SlowSystem(FakeSystem):
        def decode(self, *args: Any, **more: Any) -> Any:
            time.sleep(0.01)
            return super().decode(*args, **more)

    tb, sink, model = gr.top_block("link", catch_exceptions=True), Sink(), SlowSystem()
    sender, taker = m4sc.transmitter(model), m4sc.receiver(model)
    channel = m4sc.channel(20.0)
    tb.connect(sender, channel, taker)
    tb.msg_connect(taker, "answers", sink, "out")
    tb.msg_connect(taker, "answers", sender, "stop")
    tb.start()
    try:
        for n in range(300):
            pdu = make_pdu({"task": "text", "modality": "text", "sequence": n}, b"storm")
            assert sender.put(pdu, 20.0)
        assert sender.put(done_pdu())
        assert sink.done.wait(30.0)
        assert [meta["sequence"] for meta, _ in sink.pdus] == list(range(300))
    finally:
        tb.stop()
        tb.wait()


def test_a_flood_grows_no_queue_of_any_block() -> None:
    """`m4sc_app.bench.flood` with fewer PDUs; the old worker kept all 4000 of 16 kB: 65 MB."""
    from m4sc_app.bench.flood import flood, flooded_blocks

    for name in ("message_encoder", "frame_transmitter", "frame_probe", "answer_sink"):
        make, port = flooded_blocks()[name]
        growth_mb, accounted = flood(make(), port, 4000, 16_384)
        assert accounted == 4000 and growth_mb < 20.0, (name, growth_mb, accounted)
