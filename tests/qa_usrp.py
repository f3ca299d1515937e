"""What the USRP blocks count, show and print."""

from __future__ import annotations

from typing import Any

import numpy as np
import pmt
import pytest
from flow import Sink, post, wait_until
from gnuradio import blocks, gr, m4sc

pytestmark = pytest.mark.timeout(60)


def async_message(*names: str) -> Any:
    """As gr-uhd's sink sends it: ``(uhd_async_msg . {event_code: (name ...)})``."""
    codes = pmt.list1(pmt.intern(names[0]))
    for name in names[1:]:
        codes = pmt.list_add(codes, pmt.intern(name))
    value = pmt.dict_add(pmt.make_dict(), pmt.intern("event_code"), codes)
    return pmt.cons(pmt.intern("uhd_async_msg"), value)


def test_events_are_counted_told_and_printed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    tb, events, sink = gr.top_block("events"), m4sc.usrp_events(), Sink()
    tb.msg_connect(events, "status", sink, "status")
    tb.start()
    post(events, "async_msgs", async_message("underflow", "underflow_in_packet"))
    for bad in (pmt.PMT_T, pmt.cons(pmt.intern("x"), pmt.from_long(1))):
        post(events, "async_msgs", bad)
    for name in ("time_error", "seq_error_in_burst", "burst_ack", "user_payload"):
        post(events, "async_msgs", async_message(name))
    assert wait_until(lambda: len(sink.status) == 5)
    wanted = {"underflows": 2, "late_bursts": 1, "sequence_errors": 1, "acknowledged": 1, "other_events": 1}
    assert dict(events.counters) == {**wanted, "errors": 2}
    assert [s["kind"] for s in sink.status] == [
        "underflows", "underflows", "late_bursts", "sequence_errors", "other_events"
    ]  # fmt: skip
    tb.stop()
    tb.wait()
    assert "radio: underflows 2, late bursts 1, sequence errors 1" in capsys.readouterr().out


def tag(offset: int, value: Any) -> Any:
    made = gr.tag_t()
    made.offset, made.key, made.value = offset, pmt.intern("rx_time"), value
    return made


def stamp(seconds: float) -> Any:
    return pmt.make_tuple(pmt.from_uint64(int(seconds)), pmt.from_double(seconds % 1.0))


def test_overflows_and_clipping_are_counted_and_samples_pass(capsys: pytest.CaptureFixture[str]) -> None:
    samples = np.full(30_000, 0.01, np.complex64)
    samples[5], samples[20_000] = 1.0, 0.2 - 1.0j
    tags = [tag(0, stamp(5.0)), tag(100, pmt.PMT_T), tag(10_000, stamp(5.0 + 10_250 / 1e6))]
    tb, watch, sink, told = gr.top_block("watch"), m4sc.usrp_watch(1e6), blocks.vector_sink_c(), Sink()
    source = blocks.vector_source_c(samples, False, 1, tags)
    tb.connect(source, watch, sink)
    tb.msg_connect(watch, "status", told, "status")
    tb.run()
    assert np.array_equal(np.asarray(sink.data(), np.complex64), samples)
    wanted = {"overflows": 1, "lost_samples": 250, "clipped_samples": 2, "errors": 1}
    assert dict(watch.counters) == wanted
    assert watch.counts_text() == "overflows 1, lost samples 250, clipped samples 2, errors 1"
    assert "radio: overflows 1, lost samples 250" in capsys.readouterr().out
    assert wait_until(lambda: [s["kind"] for s in told.status] == ["overflows"])


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        m4sc.usrp_watch(0.0)
