"""Frame transmitter, channel and frame receiver, through a real stream."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pmt
import pytest
from fake_system import signature
from flow import Sink, post, wait_until
from gnuradio import blocks, gr, m4sc
from gnuradio.m4sc.pdu import done_pdu, make_pdu

pytestmark = pytest.mark.timeout(90)
GAP = 700


def symbols_pdu(sequence: int, symbols: np.ndarray, **more: Any) -> Any:
    meta = {"sequence": sequence, "task_id": 7, "modality": "text", "model_fingerprint": 0xFEDCBA98}
    return make_pdu({**meta, **more}, symbols)


def transmit(pdus: list[Any], **options: Any) -> tuple[np.ndarray, list[Any], m4sc.frame_transmitter]:
    """Samples and tags of a transmitter that ends after the last burst."""
    tb = gr.top_block("tx", catch_exceptions=True)
    sender = m4sc.frame_transmitter(**{"gap_samples": GAP, "end_on_done": True, **options})
    sink = blocks.vector_sink_c()
    tb.connect(sender, sink)
    for pdu in [*pdus, done_pdu()]:
        post(sender, "symbols", pdu)
    tb.start()
    tb.wait()
    return np.asarray(sink.data()), list(sink.tags()), sender


def link(pdus: list[Any], seconds: float = 30.0, **channel: Any) -> tuple[Sink, m4sc.frame_receiver]:
    """PDUs through transmitter, channel and receiver."""
    tb, sink = gr.top_block("link", catch_exceptions=True), Sink()
    sender, radio = m4sc.frame_transmitter(gap_samples=GAP), m4sc.channel(**channel)
    receiver = m4sc.frame_receiver()
    tb.connect(sender, radio, receiver)
    tb.msg_connect(receiver, "symbols", sink, "out")
    tb.msg_connect(receiver, "status", sink, "status")
    tb.start()
    try:
        for pdu in [*pdus, done_pdu()]:
            post(sender, "symbols", pdu)
        assert sink.done.wait(seconds), "the receiver did not pass done on"
    finally:
        tb.stop()
        tb.wait()
    return sink, receiver


def error_db(got: np.ndarray, sent: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.abs(got - sent) ** 2) / np.mean(np.abs(sent) ** 2) + 1e-12))


def test_bursts_are_tagged_and_separated_by_the_gap() -> None:
    from m4sc.phy.air_time import air_time_s

    samples, tags, sender = transmit(
        [symbols_pdu(0, signature("cat")), symbols_pdu(1, signature("dog"))], packet_len_key="packet_len"
    )
    lengths = [(t.offset, pmt.to_long(t.value)) for t in tags if pmt.symbol_to_string(t.key) == "packet_len"]
    (first, n_first), (second, n_second) = lengths
    assert first == GAP and second == first + n_first + GAP and n_first == n_second
    assert len(samples) == second + n_second + 2 * GAP  # its own gap, and the one that flushes the receiver
    assert not samples[first + n_first : second].any() and samples[first : first + n_first].any()
    seconds = air_time_s(96, sender.waveform)
    assert n_first == pytest.approx(seconds * sender.waveform.samp_rate, abs=1)


@pytest.mark.parametrize("gap", [1, 2000, 4095, 4096, 9000])
def test_the_stream_ends_however_its_end_falls_into_buffers(gap: int) -> None:
    samples, _, sender = transmit([symbols_pdu(0, signature("cat"))], gap_samples=gap)
    assert sender.counters["sent"] == 1 and len(samples) > 3 * gap


def test_a_bad_pdu_is_counted_and_the_next_burst_is_sent() -> None:
    wrong = [
        make_pdu({}, np.ones(4, np.float32)),
        pmt.intern("junk"),
        symbols_pdu(0, signature("cat"), payload_kind="laser"),
        symbols_pdu(0, signature("cat"), modality="smell"),
    ]
    samples, _, sender = transmit([*wrong, symbols_pdu(1, signature("dog"))])
    assert sender.counters["errors"] == 4 and sender.counters["sent"] == 1
    assert samples.any()


def test_header_and_symbols_arrive_in_order_with_their_noise_variance() -> None:
    rng = np.random.default_rng(5)
    sent = [
        (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(np.complex64) / np.float32(np.sqrt(2))
        for n in (1, 48, 96, 333, 1000)
    ]
    pdus = [symbols_pdu(300 + i, s, user_id=i + 1, source_id=9) for i, s in enumerate(sent)]
    sink, receiver = link(pdus, snr_db=25.0, cfo_hz=700.0)
    assert [meta["sequence"] for meta, _ in sink.pdus] == [300, 301, 302, 303, 304]
    for i, ((meta, got), clean) in enumerate(zip(sink.pdus, sent, strict=True)):
        assert meta["user_id"] == i + 1 and meta["source_id"] == 9 and meta["task_id"] == 7
        assert meta["model_fingerprint"] == 0xFEDCBA98 and meta["modality"] == "text"
        assert got.shape == clean.shape and meta["noise_var"].shape == clean.shape
        assert meta["cfo_hz"] == pytest.approx(700.0, abs=150.0)
        if clean.size > 40:
            assert error_db(got, clean) < -18.0
            measured = np.mean(np.abs(got - clean) ** 2)
            assert 0.3 < float(np.mean(meta["noise_var"])) / measured < 3.0
    assert receiver.counters["frames"] == 5 and receiver.counters["errors"] == 0


def test_multipath_is_equalised() -> None:
    sent = np.concatenate([signature(f"m{i}") for i in range(4)])
    taps = (1.0, 0.35j, 0.0, -0.2)
    sink, _ = link([symbols_pdu(0, sent)], snr_db=30.0, taps=taps, cfo_hz=-400.0)
    ((meta, got),) = sink.pdus
    assert error_db(got, sent) < -18.0
    assert np.ptp(np.abs(meta["h_hat"][np.abs(meta["h_hat"]) > 0])) > 0.2  # the channel is seen as selective


def test_snr_is_the_defined_one() -> None:
    sent = np.concatenate([signature(f"s{i}") for i in range(10)])
    for snr_db in (5.0, 15.0):
        sink, _ = link([symbols_pdu(0, sent), symbols_pdu(1, sent)], snr_db=snr_db)
        measured = [-error_db(got, sent) for _, got in sink.pdus]
        assert len(measured) == 2
        assert np.mean(measured) == pytest.approx(snr_db, abs=1.2)


def test_noise_alone_yields_no_frame() -> None:
    tb, sink = gr.top_block("noise"), Sink()
    rng = np.random.default_rng(11)
    noise = (rng.standard_normal(200_000) + 1j * rng.standard_normal(200_000)).astype(np.complex64)
    source, receiver = blocks.vector_source_c(noise.tolist(), False), m4sc.frame_receiver()
    tb.connect(source, receiver)
    tb.msg_connect(receiver, "symbols", sink, "out")
    tb.start()
    tb.wait()
    assert not sink.pdus and receiver.counters["frames"] == 0


def test_not_a_number_in_the_stream_does_not_stop_the_receiver() -> None:
    samples, _, _ = transmit([symbols_pdu(3, signature("ship"))])
    bad = np.concatenate([np.full(500, np.nan + 0j), samples, np.zeros(3000)]).astype(np.complex64)
    tb, sink = gr.top_block("nan", catch_exceptions=True), Sink()
    source, receiver = blocks.vector_source_c(bad.tolist(), False), m4sc.frame_receiver()
    tb.connect(source, receiver)
    tb.msg_connect(receiver, "symbols", sink, "out")
    tb.start()
    tb.wait()
    assert receiver.counters["frames"] == 1


def test_idle_zeros_keep_the_stream_running_and_stop_ends_it() -> None:
    tb = gr.top_block("idle")
    sender, probe = m4sc.frame_transmitter(idle="zeros"), blocks.vector_sink_c()
    head = blocks.head(gr.sizeof_gr_complex, 5000)
    tb.connect(sender, head, probe)
    tb.start()
    assert wait_until(lambda: len(probe.data()) == 5000)
    tb.stop()
    tb.wait()
    assert not np.any(probe.data())

    tb = gr.top_block("stop")
    sender, null = m4sc.frame_transmitter(), blocks.null_sink(gr.sizeof_gr_complex)
    tb.connect(sender, null)
    tb.start()
    post(sender, "stop", done_pdu())
    started = time.monotonic()
    tb.wait()
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize("options", [{"gap_samples": -1}, {"idle": "x"}, {"amplitude": 0.0}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        m4sc.frame_transmitter(**options)


def test_channels_without_energy_or_with_unequal_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="no energy"):
        m4sc.channel(taps=(0.0, 0.0))
    with pytest.raises(ValueError, match="one power a path"):
        m4sc.channel(doppler_hz=5.0, delays_samples=(0.0,), powers_db=(0.0, -3.0))


def test_channel_state_leaves_on_its_own_port() -> None:
    tb, sink, states = gr.top_block("csi", catch_exceptions=True), Sink(), Sink()
    samples, _, _ = transmit([symbols_pdu(n, signature("ship")) for n in (4, 5)])
    turned = samples * 0.5j * np.exp(2j * np.pi * 300e-6 * np.arange(samples.size))
    source, receiver = blocks.vector_source_c(turned.astype(np.complex64), False), m4sc.frame_receiver()
    tb.connect(source, receiver)
    tb.msg_connect(receiver, "csi", states, "out")
    tb.msg_connect(receiver, "symbols", sink, "out")
    tb.start()
    tb.wait()
    assert wait_until(lambda: len(states.pdus) == 2 and len(sink.pdus) == 2)
    assert [meta["sequence"] for meta, _ in states.pdus] == [4, 5]
    for (state, h_hat), (meta, _) in zip(states.pdus, sink.pdus, strict=True):
        assert h_hat.dtype == np.complex64 and h_hat.shape == (48,)
        assert np.array_equal(h_hat, meta["h_hat"]) and np.allclose(np.abs(h_hat), 0.5, atol=0.02)
        assert state["cfo_hz"] == pytest.approx(300.0, abs=5.0) and state["snr_db"] > 30.0
        assert abs(state["sfo_ppm"]) < 5.0 and state["start_sample"] == meta["start_sample"]


def test_faults_of_the_samples_are_counted_and_reported_and_the_next_frame_received() -> None:
    good, _, _ = transmit([symbols_pdu(3, np.tile(signature("ship"), 8))])
    cut = good[: GAP + 1500]
    bad = np.concatenate([np.full(300, np.nan), cut, good, np.zeros(4000), cut]).astype(np.complex64)
    tb, sink = gr.top_block("faults", catch_exceptions=True), Sink()
    source, receiver = blocks.vector_source_c(bad, False), m4sc.frame_receiver()
    slow = blocks.throttle(gr.sizeof_gr_complex, 100e3, True)  # so that messages travel while samples do
    tb.connect(source, slow, receiver)
    tb.msg_connect(receiver, "symbols", sink, "out")
    tb.msg_connect(receiver, "status", sink, "status")
    tb.start()
    tb.wait()
    assert wait_until(lambda: len(sink.status) >= 3)
    assert [meta["sequence"] for meta, _ in sink.pdus] == [3]
    faults = [status for status in sink.status if status["event"] == "fault"]
    # The last fault is found when the flowgraph stops: always counted, its message may find nobody left.
    assert [fault["kind"] for fault in faults[:2]] == ["non_finite", "truncated"] and len(faults) <= 3
    assert receiver.counters["non_finite"] == 300 and receiver.counters["truncated"] == 2
    assert faults[1]["start_sample"] == pytest.approx(300 + GAP, abs=10) and faults[1]["reason"]


def test_what_a_stream_that_ends_has_brought_is_published_before_the_blocks_behind_hear_of_it() -> None:
    """PDUs are built slowly here; a block that has heard of the end takes no messages any more."""

    class Slow(m4sc.frame_receiver):
        def _publish(self, frame: Any, heard: bool) -> None:
            time.sleep(0.02)
            super()._publish(frame, heard)

    samples, _, _ = transmit([symbols_pdu(number, signature("cat")) for number in range(12)])
    tb, store, receiver = gr.top_block("end", catch_exceptions=True), blocks.message_debug(False), Slow()
    source = blocks.vector_source_c(samples, False)
    tb.connect(source, receiver)
    tb.msg_connect(receiver, "symbols", store, "store")
    tb.start()
    tb.wait()
    assert receiver.counters["frames"] == store.num_messages() == 12
    numbers = [
        pmt.to_python(pmt.dict_ref(pmt.car(store.get_message(i)), pmt.intern("sequence"), pmt.PMT_NIL))
        for i in range(12)
    ]
    assert numbers == list(range(12))


def test_streams_of_another_item_size_are_refused() -> None:
    tb, source, receiver = gr.top_block("size"), blocks.null_source(gr.sizeof_float), m4sc.frame_receiver()
    with pytest.raises(ValueError, match="itemsize"):
        tb.connect(source, receiver)
    sender, sink = m4sc.frame_transmitter(), blocks.null_sink(gr.sizeof_short)
    with pytest.raises(ValueError, match="itemsize"):
        tb.connect(sender, sink)
