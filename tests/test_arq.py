"""Stop-and-wait ARQ: combining, reports, adaptation, and everything hostile that may come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Payload
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.arq import REPORT_BYTES, ArqConfig, ArqSender, Combiner, CombinerConfig, Report
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, OutgoingFrame, to_frames
from m4sc.transport.message_header import HeardFrame
from m4sc_app.bench.trials.arq_trial import FadingLink, FixedScheme, with_reports, without_reports

WAVEFORM = WaveformConfig()
CARRIERS = WAVEFORM.n_data_carriers


def message(data: bytes = b"what is on the table?", number: int = 0) -> Payload:
    return Payload(1, "image", 0, None, data)


def frames_of(data: bytes, mcs: int, sequence: int = 0, **more: int) -> list[OutgoingFrame]:
    form = PayloadFormat(kind="digital", mcs=mcs)
    return to_frames(message(data), Address(sequence), TransportConfig(form=form, **more))


def through(frame: OutgoingFrame, snr_db: float, rng: np.random.Generator) -> HeardFrame:
    level = 10 ** (-snr_db / 10)
    noise = rng.standard_normal((len(frame.symbols), 2)) @ [1, 1j] * np.sqrt(level / 2)
    noisy = (frame.symbols + noise).astype(np.complex64)
    return HeardFrame(frame.header, noisy, np.full(len(noisy), level, np.float32), snr_db)


def test_copies_that_fail_alone_are_decoded_together() -> None:
    rng, (frame,) = np.random.default_rng(1), frames_of(bytes(range(64)), 3)
    combiner = Combiner(CARRIERS)
    for copy in range(1, 9):
        found = combiner.push(through(frame, -4.0, rng), 0.0)
        assert found.copies == copy and found.report.acknowledged == (found.symbols is not None)
        if found.report.acknowledged:
            break
    assert 3 <= copy <= 6 and combiner.counters["combined"] == 1
    assert found.noise_var is not None and found.noise_var[0] == pytest.approx(10**0.4 / copy, rel=1e-3)


def test_a_repeated_frame_is_reported_again_and_not_handed_on() -> None:
    rng, (frame,) = np.random.default_rng(2), frames_of(b"once", 2)
    combiner = Combiner(CARRIERS)
    assert combiner.push(through(frame, 15.0, rng), 0.0).symbols is not None
    again = combiner.push(through(frame, -20.0, rng), 1.0)
    assert again.report.acknowledged and again.symbols is None and combiner.counters["repeated"] == 1
    assert combiner.push(through(frame, 15.0, rng), 99.0).symbols is not None  # a number used again


def test_a_message_that_began_anew_in_another_scheme_is_handed_on_once() -> None:
    """Its first report came too late for the sender."""
    rng, combiner = np.random.default_rng(6), Combiner(CARRIERS)
    for mcs, data, is_new in ((6, b"the same", True), (1, b"the same", False), (2, b"another.", True)):
        found = combiner.push(through(frames_of(data, mcs)[0], 20.0, rng), 0.1)
        assert found.report.acknowledged
        assert (found.symbols is not None) == is_new


def test_frames_of_another_scheme_or_number_are_not_combined() -> None:
    rng, combiner = np.random.default_rng(3), Combiner(CARRIERS)
    for frame in (
        frames_of(b"abcdefgh", 3)[0],
        frames_of(b"abcdefgh", 4)[0],
        frames_of(b"abcdefgh", 3, 7)[0],
    ):
        assert combiner.push(through(frame, -25.0, rng), 0.0).copies == 1


def test_what_a_combiner_keeps_is_bounded_and_forgotten() -> None:
    rng, combiner = np.random.default_rng(4), Combiner(CARRIERS, CombinerConfig(4, 100_000, 5.0))
    for number in range(10):
        combiner.push(through(frames_of(bytes(32), 2, number)[0], -30.0, rng), 0.0)
    assert combiner.counters["given_up"] == 6
    combiner.push(through(frames_of(bytes(32), 2, 99)[0], -30.0, rng), 6.0)
    assert combiner.counters["given_up"] == 10
    small = Combiner(CARRIERS, CombinerConfig(max_symbols=10))
    assert small.push(through(frames_of(bytes(32), 2)[0], -30.0, rng), 0.0).symbols is None
    assert small.counters["given_up"] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_noise_variances_that_are_none_do_no_harm(value: float) -> None:
    rng, (frame,) = np.random.default_rng(5), frames_of(bytes(40), 2)
    heard = through(frame, 15.0, rng)
    noise_var = heard.noise_var.copy()
    noise_var[::9] = value
    combiner = Combiner(CARRIERS)
    combiner.push(replace(heard, noise_var=noise_var), 0.0)
    assert combiner.push(heard, 0.1).report.acknowledged


def test_a_frame_without_a_check_is_refused() -> None:
    (frame,) = to_frames(Payload(1, "image", 5, np.ones((40, 2), np.float32)), Address(), TransportConfig())
    with pytest.raises(ValueError, match="has no check"):
        Combiner(CARRIERS).push(through(frame, 10.0, np.random.default_rng(0)), 0.0)


@given(
    st.integers(0, 255), st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 255), st.booleans(),
    st.floats(-90, 90),
)  # fmt: skip
def test_a_report_is_read_as_it_was_written(
    source: int, user: int, sequence: int, segment: int, acknowledged: bool, snr_db: float
) -> None:
    report = Report(source, user, sequence, segment, acknowledged, snr_db)
    read = Report.from_bytes(report.to_bytes())
    assert read.key == report.key and read.acknowledged == acknowledged
    assert read.snr_db == pytest.approx(snr_db, abs=0.051)


@settings(max_examples=200)
@given(st.binary(max_size=2 * REPORT_BYTES))
def test_other_bytes_are_no_report(data: bytes) -> None:
    with pytest.raises(ValueError, match="report"):
        Report.from_bytes(data)


def test_a_silent_receiver_is_asked_with_more_protection_and_given_up() -> None:
    sender = ArqSender(TransportConfig(), ArqConfig(tries=6))
    sender.offer(message(), Address(3))
    sender._snr_db = 20.0
    protections, now = [], 0.0
    while len(sender):
        frame = sender.poll(now)
        if frame is not None:
            protections.append(frame.protection.index)
        now += 0.1
    assert protections == sorted(protections) and protections[0] == 0 and protections[-1] > 0
    assert sender.counters["given_up"] == 1 and sender.counters["sent"] == 6
    assert sender.counters["silent"] == 6


def test_a_message_begins_anew_where_the_channel_has_fallen_far() -> None:
    sender = ArqSender(TransportConfig())
    sender.offer(message(), Address(1))
    first = sender.poll(0.0)
    assert first is not None and first.header.mcs == 0
    sender.take(Report(0, 0, 1, 0, True, 30.0))
    sender.offer(message(), Address(2))
    fast = sender.poll(0.1)
    assert fast is not None and fast.header.mcs > 8
    sender.take(Report(0, 0, 2, 0, False, -2.0))
    slow = sender.poll(0.2)
    assert slow is not None and slow.header.mcs < 3 and sender.counters["anew"] == 1


def test_reports_of_nothing_that_is_under_way_change_nothing() -> None:
    sender = ArqSender(TransportConfig())
    sender.take(Report(0, 0, 0, 0, True, 30.0))
    sender.offer(message(), Address(5))
    assert sender.poll(0.0) is not None and sender.poll(0.01) is None
    for wrong in (
        Report(0, 0, 4, 0, True, 30.0),
        Report(0, 0, 5, 1, True, 30.0),
        Report(9, 0, 5, 0, True, 30.0),
    ):
        sender.take(wrong)
    assert sender.counters["strange"] == 4 and len(sender) == 1
    sender.take(Report(0, 0, 5, 0, True, 5.0))
    assert len(sender) == 0 and sender.counters["messages"] == 1


def test_messages_of_several_frames_and_a_full_queue() -> None:
    sender = ArqSender(TransportConfig(segment_bytes=50), ArqConfig(queue=1))
    assert sender.offer(message(bytes(180)), Address(1)) and not sender.offer(message(), Address(2))
    segments, now = [], 0.0
    while len(sender):
        frame = sender.poll(now)
        assert frame is not None
        header = frame.header
        segments.append(header.segment)
        sender.take(Report(0, 0, 1, header.segment, len(segments) != 2, 8.0))
        now += 0.1
    assert segments == [0, 1, 1, 2, 3]


@pytest.mark.parametrize("report_loss", [0.0, 0.2])
def test_nothing_is_lost_in_a_fading_channel_and_air_time_is_saved(report_loss: float) -> None:
    link = FadingLink(report_loss=report_loss, period_s=1.0)
    found = with_reports(link, 30, WAVEFORM, 11)
    assert found.lost == 0 and found.wrong == 0
    fixed = without_reports(link, FixedScheme(3, 1, 1), 30, WAVEFORM, 11)
    assert fixed.lost > 0  # the same channel, and a scheme that needs no more air time
    robust = FixedScheme(1, 3, 2)
    assert without_reports(link, robust, 30, WAVEFORM, 11).lost <= 1
    assert found.air_s < 0.7 * 30 * robust.air_s(link.n_bytes, WAVEFORM)


@pytest.mark.parametrize("bad", [{"timeout_s": 0.0}, {"tries": 0}, {"most_copies": 0.5}, {"silent_db": -1.0}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        ArqConfig(**bad)  # type: ignore[arg-type]
