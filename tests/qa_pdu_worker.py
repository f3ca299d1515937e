"""The worker behind every PDU block: order, faults, a full queue, start and stop."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pmt
import pytest
from flow import Sink, post, run_block, wait_until
from gnuradio import gr
from gnuradio.m4sc.pdu import PduError, make_pdu, read_pdu
from gnuradio.m4sc.worker import pdu_worker

pytestmark = pytest.mark.timeout(60)


class Doubler(pdu_worker):
    """Sends each payload twice; fails on empty ones; as slow as told."""

    def __init__(self, delay_s: float = 0.0, **options: Any) -> None:
        super().__init__("doubler", "in", "out", **options)
        self.delay_s = delay_s

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Any:
        time.sleep(self.delay_s)
        if meta.get("bad"):
            raise RuntimeError("told to fail")
        yield meta, payload
        yield {**meta, "copy": True}, payload


def numbered(n: int, **more: Any) -> tuple[dict[str, Any], np.ndarray]:
    return {"sequence": n, **more}, np.array([n], np.float32)


def test_order_is_kept_and_done_comes_last() -> None:
    block = Doubler()
    sink = run_block(block, "in", "out", [numbered(n) for n in range(40)])
    assert [meta["sequence"] for meta, _ in sink.pdus] == [n for n in range(40) for _ in (0, 1)]
    assert block.counters["received"] == 40 and block.counters["sent"] == 80


def test_a_fault_is_counted_reported_and_the_next_message_goes_on() -> None:
    block = Doubler()
    junk = pmt.intern("not a pdu")
    sink = run_block(block, "in", "out", [numbered(0), junk, numbered(1, bad=True), numbered(2)])
    assert {meta["sequence"] for meta, _ in sink.pdus} == {0, 2}
    assert block.counters["errors"] == 2
    assert any(s.get("sequence") == 1 and "told to fail" in s["reason"] for s in sink.status)
    assert any("not a PDU" in s["reason"] for s in sink.status)


def test_stop_on_error_passes_done_on_and_ignores_the_rest() -> None:
    block = Doubler(on_error="stop")
    sink = run_block(block, "in", "out", [numbered(0), numbered(1, bad=True), numbered(2), numbered(3)])
    assert {meta["sequence"] for meta, _ in sink.pdus} == {0}
    assert [s["event"] for s in sink.status] == ["error", "stopped"]


class BadEnd(Doubler):
    """Fails at its end, and whenever it has nothing to do."""

    def finish(self) -> None:
        raise RuntimeError("the end fails")

    def idle(self) -> Any:
        raise OSError("time-outs fail")


@pytest.mark.parametrize("on_error", ["skip", "stop"])
def test_a_fault_at_the_end_still_ends_in_done(on_error: str) -> None:
    block = BadEnd(on_error=on_error)
    sink = run_block(block, "in", "out", [numbered(0)])  # waits for done
    assert block.counters["errors"] >= 1
    assert any("fail" in s["reason"] for s in sink.status)


def test_a_worker_outlives_what_its_handler_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults outside of what a subclass does: reading, publishing, telling."""
    block = Doubler()

    def broken(waiting: Any) -> None:
        raise RuntimeError("the handler fails")

    monkeypatch.setattr(block, "handle", broken)
    sink = run_block(block, "in", "out", [numbered(0), numbered(1)])
    assert block.counters["errors"] == 3  # two messages and done
    assert sum("the handler fails" in s["reason"] for s in sink.status) == 3


def test_back_pressure_loses_nothing() -> None:
    block = Doubler(delay_s=0.02, queue_len=1)
    sink = run_block(block, "in", "out", [numbered(n) for n in range(15)])
    assert len(sink.pdus) == 30 and block.counters["dropped"] == 0


def test_stopping_while_busy_returns_and_a_second_run_works() -> None:
    block, sink, tb = Doubler(delay_s=0.05, queue_len=4), Sink(), gr.top_block()
    tb.msg_connect(block, "out", sink, "out")
    for _ in range(2):
        before = len(sink.pdus)
        tb.start()
        for n in range(30):
            post(block, "in", make_pdu(*numbered(n)))
        assert wait_until(lambda before=before: len(sink.pdus) > before)
        started = time.monotonic()
        tb.stop()
        tb.wait()
        assert time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    ("options", "words"),
    [({"queue_len": 0}, "queue_len"), ({"on_error": "x"}, "skip")],
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Doubler(**options)


def test_pdus_keep_types_and_refuse_others() -> None:
    meta = {"text": "x", "n": 2**32 - 1, "flag": True, "h": np.ones(3, np.complex64), "none": None}
    back, payload = read_pdu(make_pdu(meta, np.arange(4, dtype=np.float32)))
    assert back["n"] == 2**32 - 1 and back["flag"] is True and back["h"].dtype == np.complex64
    assert "none" not in back and payload.dtype == np.float32
    assert read_pdu(make_pdu({}, b""))[1].size == 0
    with pytest.raises(TypeError, match="float64"):
        make_pdu({}, np.ones(2))
    with pytest.raises(PduError):
        read_pdu(pmt.from_long(3))
