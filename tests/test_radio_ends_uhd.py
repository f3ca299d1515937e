"""USRP and Soapy ends against stand-ins with their block interfaces."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pmt
import pytest
from fake_system import WORDS, FakeSystem
from flow import wait_until
from gnuradio import gr
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.waveform import WaveformConfig
from m4sc_flowgraphs.messages import OutgoingMessage
from m4sc_flowgraphs.radio_ends import RadioEndError, open_receive, open_transmit
from m4sc_flowgraphs.radio_ends.uhd import check_lo_offset
from m4sc_flowgraphs.station import Station

pytestmark = pytest.mark.timeout(60)
WAVEFORM = WaveformConfig()
CLOCK = 32e6


class _Device:
    """Settings as a USRP keeps them: rates divide its clock, gains and frequencies have a range."""

    def _setup(self) -> None:
        self.rate, self.settings = 0.0, {}

    def set_samp_rate(self, rate: float) -> None:
        self.rate = CLOCK / max(1, round(CLOCK / rate))

    def get_samp_rate(self) -> float:
        return self.rate

    def get_clock_rate(self) -> float:
        return CLOCK

    def set_center_freq(self, request: Any, channel: int) -> None:
        self.settings["freq"], self.settings["lo_offset"] = request

    def get_center_freq(self, channel: int) -> float:
        return min(max(self.settings["freq"], 70e6), 6e9)

    def get_antennas(self, channel: int) -> tuple[str, ...]:
        return ("TX/RX", "RX2")

    def get_clock_sources(self, board: int) -> tuple[str, ...]:
        return ("internal", "external")

    def set_gain(self, gain_db: float, channel: int) -> None:
        self.settings["gain"] = gain_db

    def set_antenna(self, name: str, channel: int) -> None:
        self.settings["antenna"] = name

    def set_clock_source(self, name: str, board: int) -> None:
        self.settings["clock_source"] = name


class Sink(gr.sync_block, _Device):
    """Reads length tags as gr-uhd's sink: samples outside a tagged burst are a tag gap and dropped."""

    def __init__(self, args: str, stream: Any, length_tag: str) -> None:
        gr.sync_block.__init__(self, "usrp_sink", [np.complex64], [])
        self._setup()
        self.args, self.tag, self.left, self.gaps, self.cut = args, pmt.intern(length_tag), 0, 0, 0
        self.bursts: list[list[np.ndarray]] = []
        self.times: list[float] = []
        self.message_port_register_out(pmt.intern("async_msgs"))

    def get_time_now(self) -> Any:
        return SimpleNamespace(get_real_secs=lambda: 12.75)

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        samples, place = input_items[0], 0
        tags = sorted(self.get_tags_in_window(0, 0, len(samples)), key=lambda tag: tag.offset)
        for tag in tags:
            at = tag.offset - self.nitems_read(0)
            if pmt.eq(tag.key, pmt.intern("tx_time")):
                whole, part = pmt.tuple_ref(tag.value, 0), pmt.tuple_ref(tag.value, 1)
                self.times.append(pmt.to_uint64(whole) + pmt.to_double(part))
            if pmt.eq(tag.key, self.tag):
                self._take(samples[place:at])
                self.cut += self.left > 0
                self.left, place = pmt.to_long(tag.value), at
                self.bursts.append([])
        self._take(samples[place:])
        return len(samples)

    def _take(self, samples: np.ndarray) -> None:
        if len(samples) > self.left:
            self.gaps += 1
        if self.left and len(samples):
            self.bursts[-1].append(samples[: self.left].copy())
            self.left -= min(self.left, len(samples))

    def event(self, name: str) -> None:
        codes = pmt.list1(pmt.intern(name))
        value = pmt.dict_add(pmt.make_dict(), pmt.intern("event_code"), codes)
        self.message_port_pub(pmt.intern("async_msgs"), pmt.cons(pmt.intern("uhd_async_msg"), value))


class Source(gr.sync_block, _Device):
    """Time stamps at the start and after each overflow; samples at full scale in its second block."""

    def __init__(self, args: str, stream: Any) -> None:
        gr.sync_block.__init__(self, "usrp_source", [], [np.complex64])
        self._setup()
        self.calls, self.time_s = 0, 3.5

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        out = output_items[0][:1000]
        out[:] = 0.01
        if self.calls in (0, 4):  # an overflow of 250 samples before the fifth
            self.time_s += 250 / self.rate if self.calls else 0.0
            whole = int(self.time_s)
            stamp = pmt.make_tuple(pmt.from_uint64(whole), pmt.from_double(self.time_s - whole))
            self.add_item_tag(0, self.nitems_written(0), pmt.intern("rx_time"), stamp)
        if self.calls == 1:
            out[10:13] = (1.0, -1.0j, 0.5 + 1.0j)
        self.calls += 1
        self.time_s += len(out) / self.rate
        return len(out) if self.calls <= 10 else -1


def fake_uhd(refuse: str = "") -> Any:
    made: list[Any] = []

    def make(kind: Any) -> Any:
        def build(*args: Any) -> Any:
            if refuse:
                raise RuntimeError(refuse)
            made.append(kind(*args))
            return made[-1]

        return build

    return SimpleNamespace(
        usrp_sink=make(Sink), usrp_source=make(Source), stream_args=lambda *a: a,
        tune_request=lambda freq, offset: (freq, offset), made=made,
    )  # fmt: skip


def transmit(query: str) -> tuple[Any, Any, list[str]]:
    """Six messages to a USRP stand-in; the device, the end's counters, what was told."""
    uhd, told = fake_uhd(), []
    end = open_transmit(
        f"uhd:type=b200?freq=2.45G&{query}", WAVEFORM, lambda e, t: told.append(e), driver=uhd
    )
    station = Station(FakeSystem(), lambda event: None, transmit=end)
    station.begin()
    for number, word in enumerate(WORDS):
        station.send(OutgoingMessage(word.encode(), "text", "text"), number)
    assert wait_until(lambda: end.counters["bursts"] == len(WORDS), 20)
    for name in ("underflow", "underflow_in_packet", "time_error", "burst_ack"):
        uhd.made[0].event(name)
    wait_until(lambda: end.counters["acknowledged"] == 1, 5)
    station.finish_sending()
    assert wait_until(station.has_ended, 20)
    assert station.end()
    return uhd.made[0], end.counters, told


def test_a_usrp_gets_whole_bursts_without_gaps_below_full_scale() -> None:
    sink, counters, told = transmit("gain=30&antenna=TX/RX&clock=external&master_clock_rate=32M&lo_offset=1M")
    assert len(sink.bursts) == len(WORDS) == counters["bursts"]
    assert sink.gaps == sink.cut == sink.left == 0
    samples = [np.concatenate(parts) for parts in sink.bursts]
    assert max(np.abs(burst).max() for burst in samples) < 1.0
    receiver = BurstReceiver(WAVEFORM)
    frames = receiver.push(np.concatenate(samples)) + receiver.flush()
    assert [frame.header.message_id for frame in frames] == list(range(len(WORDS)))
    assert sink.settings["gain"] == 30 and sink.settings["antenna"] == "TX/RX" and not sink.times
    assert sink.settings["clock_source"] == "external" and sink.settings["lo_offset"] == 1e6
    assert sink.args == "type=b200,master_clock_rate=32000000"
    assert counters["underflows"] == 2 and counters["late_bursts"] == 1 and counters["acknowledged"] == 1
    assert told == ["underflows", "underflows", "late_bursts"]


def test_the_level_is_as_asked_and_a_high_one_is_limited_not_clipped() -> None:
    quiet, counters, _ = transmit("level_dbfs=-30")
    burst = np.concatenate(quiet.bursts[0])[64:-64]
    assert 20 * np.log10(np.sqrt(np.mean(np.abs(burst) ** 2))) == pytest.approx(-30.0, abs=0.7)
    assert counters["limited"] == 0
    loud, counters, _ = transmit("level_dbfs=0")
    assert counters["limited"] == len(WORDS)
    assert max(np.abs(np.concatenate(parts)).max() for parts in loud.bursts) == pytest.approx(0.99, abs=1e-3)


def test_timed_bursts_lie_ahead_and_do_not_overlap() -> None:
    sink, _, _ = transmit("timed=yes&lead=0.05")
    lengths = [sum(map(len, parts)) / 1e6 for parts in sink.bursts]
    assert len(sink.times) == len(WORDS) and sink.times[0] == pytest.approx(12.8)
    for (start, length), following in zip(
        zip(sink.times, lengths, strict=True), sink.times[1:], strict=False
    ):
        assert following >= start + length - 1e-9


def test_overflows_lost_samples_and_clipping_are_counted() -> None:
    told: list[str] = []
    end = open_receive("uhd:?freq=900M", WAVEFORM, lambda event, text: told.append(event), fake_uhd())
    station = Station(FakeSystem(), lambda event: None, receive=end)
    station.begin()
    assert wait_until(lambda: end.counters["overflows"] == 1, 10)
    assert station.end()
    assert end.counters["lost_samples"] == 250 and end.counters["clipped_samples"] == 3
    assert told == ["overflow"]


@pytest.mark.parametrize(
    ("query", "word"),
    [("freq=2.45G&rate=3M", "ppm"), ("freq=9G", "tunes to"), ("freq=2.45G&antenna=dish", "RX2"),
     ("freq=2.45G&clock=sundial", "external"), ("freq=2.45G&lo_offset=100k", "leakage"),
     ("freq=0", "above 0"),
     ("freq=2.45G&level_dbfs=3", "full scale"), ("freq=2.45G&colour=red", "options are")],
)  # fmt: skip
def test_what_a_device_refuses_is_one_sentence(query: str, word: str) -> None:
    for opener in (open_transmit, open_receive):
        with pytest.raises(RadioEndError, match=word):
            opener(f"uhd:?{query}", WAVEFORM, driver=fake_uhd())


@pytest.mark.parametrize(
    ("text", "word"),
    [("LookupError: KeyError: No devices found for", "uhd_find_devices"),
     ("someone tries to claim this usb device: it is busy", "in use"),
     ("something else", "cannot be opened")],
)  # fmt: skip
def test_no_device_and_a_busy_device_are_named(text: str, word: str) -> None:
    with pytest.raises(RadioEndError, match=word):
        open_transmit("uhd:?freq=1G", WAVEFORM, driver=fake_uhd(text))


def test_the_real_drivers_say_that_no_device_is_there() -> None:
    for address in ("uhd:addr=127.0.0.9?freq=1G", "soapy:driver=none?freq=1G"):
        for opener in (open_transmit, open_receive):
            with pytest.raises(RadioEndError, match="answers to"):
                opener(address, WAVEFORM)


@pytest.mark.parametrize(
    ("offset_hz", "right"), [(0, True), (1e3, True), (15625, False), (3e5, False), (5e5, True)]
)
def test_the_oscillators_leakage_is_kept_off_the_carriers(offset_hz: float, right: bool) -> None:
    if right:
        check_lo_offset(offset_hz, WAVEFORM)
    else:
        with pytest.raises(ValueError, match="leakage"):
            check_lo_offset(offset_hz, WAVEFORM)


class SoapySink(gr.sync_block):
    """The calls of gr-soapy's sink that the end makes."""

    def __init__(self) -> None:
        gr.sync_block.__init__(self, "soapy_sink", [np.complex64], [])
        self.count, self.lock, self.tag = 0, threading.Lock(), ""

    def set_length_tag_name(self, name: str) -> None:
        self.tag = name

    def get_sample_rate(self, channel: int) -> float:
        return 1_000_010.0

    def set_sample_rate(self, channel: int, rate: float) -> None:
        self.asked = rate

    def set_frequency(self, channel: int, freq: float) -> None:
        self.freq = freq

    def set_gain(self, channel: int, gain_db: float) -> None:
        self.gain_db = gain_db

    def work(self, input_items: list[Any], output_items: list[Any]) -> int:
        self.count += len(input_items[0])
        return len(input_items[0])


def test_soapy_sends_tagged_bursts_at_the_rate_it_has() -> None:
    sink = SoapySink()
    driver = SimpleNamespace(sink=lambda *_: sink)
    end = open_transmit("soapy:driver=x?freq=1G", WAVEFORM, driver=driver)
    assert end.waveform.samp_rate == 1_000_010.0 and sink.tag == end.length_tag == "packet_len"
    with pytest.raises(RadioEndError, match="another rate"):
        open_transmit("soapy:driver=x?freq=1G&max_rate_error_ppm=5", WAVEFORM, driver=driver)
