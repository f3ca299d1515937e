"""Payloads to frames and back: segments, order, erasures, mixed-up messages, bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Payload
from m4sc.phy.header.fields import FrameHeader, PayloadKind
from m4sc.phy.modulation.mcs import get_mcs
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.assembler import Assembler
from m4sc.transport.config import AssemblerConfig, TransportConfig
from m4sc.transport.frames import MAX_SYMBOLS, Address, OutgoingFrame, frames_air_time_s, to_frames
from m4sc.transport.message_header import Modality, TransportHeader, modality_of_task
from m4sc.transport.message_id import message_ids

CARRIERS = WaveformConfig().n_data_carriers
NOISE = 1e-3


@dataclass(frozen=True)
class Heard:
    """A frame as a receiver without a channel has it."""

    header: object
    symbols: np.ndarray
    noise_var: np.ndarray
    snr_db: float = 30.0
    cfo_hz: float = 0.0


def heard(frame: OutgoingFrame, noise: float = NOISE) -> Heard:
    return Heard(frame.header, frame.symbols, np.full(len(frame.symbols), noise, np.float32))


def latents(k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.5**0.5, size=(k, 2)).astype(np.float32)


def symbols_payload(k: int, essential: int = 0, seed: int = 0) -> Payload:
    return Payload(9, "image", 0xABCD1234, latents(k, seed), essential=essential)


def bytes_payload(size: int, seed: int = 0) -> Payload:
    return Payload(7, "text", 0, data=np.random.default_rng(seed).bytes(size))


def sent(payload: Payload, sequence: int = 5, **options: object) -> list[OutgoingFrame]:
    return to_frames(payload, Address(sequence, source_id=2), TransportConfig(**options))  # type: ignore[arg-type]


def complex_of(pairs: np.ndarray) -> np.ndarray:
    return pairs[:, 0] + 1j * pairs[:, 1]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 2000),
    st.integers(0, 40),
    st.integers(60, 500),
    st.integers(1, 90),
    st.randoms(use_true_random=False),
)
def test_symbols_arrive_in_any_order_of_their_frames(k, essential, segment, unit, random) -> None:
    essential = min(essential, k)
    payload = replace(symbols_payload(k, essential), unit=unit)
    frames = sent(payload, segment_symbols=segment)
    if len(frames) > 1 and unit <= segment - essential:
        assert all((len(frame.symbols) - essential) % unit == 0 for frame in frames[:-1])
    assert all(len(frame.symbols) <= segment for frame in frames)
    assembler = Assembler(CARRIERS)
    random.shuffle(frames)
    found = [message for frame in frames for message in assembler.push(heard(frame), 0.0)]
    assert len(found) == 1 and found[0].lost_segments == 0
    np.testing.assert_allclose(found[0].received.symbols, complex_of(latents(k)), atol=1e-5)
    assert found[0].received.noise_var.max() <= NOISE * 1.001
    assert not assembler.flush()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(12, 700), st.randoms(use_true_random=False))
def test_bytes_arrive_in_any_order_of_their_frames(size, segment, random) -> None:
    frames = sent(bytes_payload(size), segment_bytes=segment)
    random.shuffle(frames)
    assembler = Assembler(CARRIERS)
    found = [message for frame in frames for message in assembler.push(heard(frame), 0.0)]
    assert [message.received.data for message in found] == [bytes_payload(size).data]


def test_a_lost_segment_of_symbols_is_erased_and_nothing_else() -> None:
    frames = sent(symbols_payload(1000, 30), segment_symbols=200)
    lost = 2
    assembler = Assembler(CARRIERS)
    for i, frame in enumerate(frames):
        if i != lost:
            assert not assembler.push(heard(frame), 0.0)
    (message,) = assembler.flush()
    erased = np.isinf(message.received.noise_var)
    own = len(frames[lost].symbols) - 30
    assert message.lost_segments == 1 and erased.sum() == own and not erased[:30].any()
    assert (message.received.symbols[erased] == 0).all()
    np.testing.assert_allclose(
        message.received.symbols[~erased], complex_of(latents(1000))[~erased], atol=1e-5
    )
    assert assembler.counters["partial"] == 1 and assembler.counters["segments_lost"] == 1


def test_the_last_segment_may_be_lost_too() -> None:
    frames = sent(symbols_payload(1003), segment_symbols=200)
    assembler = Assembler(CARRIERS)
    for frame in frames[:-1]:
        assembler.push(heard(frame), 0.0)
    (message,) = assembler.flush()
    assert len(message.received.symbols) == 1003


def test_essential_symbols_of_all_segments_are_combined() -> None:
    frames = sent(symbols_payload(600, 50), segment_symbols=200)
    rng = np.random.default_rng(3)
    assembler = Assembler(CARRIERS)
    found = []
    for frame in frames:
        y = frame.symbols + (rng.normal(size=(2, len(frame.symbols))) * 0.5**0.5).T @ [1, 1j]
        found += assembler.push(Heard(frame.header, y, np.ones(len(y), np.float32)), 0.0)
    received = found[0].received
    assert received.noise_var[:50].max() == pytest.approx(1 / len(frames))
    error = np.mean(np.abs(received.symbols[:50] - complex_of(latents(600))[:50]) ** 2)
    assert error < 2.0 / len(frames)


def test_a_lost_segment_of_bytes_is_reported_and_gives_nothing() -> None:
    frames = sent(bytes_payload(900), segment_bytes=200)
    assembler = Assembler(CARRIERS)
    for frame in frames[1:]:
        assembler.push(heard(frame), 0.0)
    (message,) = assembler.expire(11.0)
    assert message.received is None and "1 of 5 frames missing" in message.reason
    assert assembler.counters["lost"] == 1


def test_frames_of_two_messages_with_one_number_are_not_joined() -> None:
    old, new = sent(bytes_payload(900, 1), segment_bytes=200), sent(bytes_payload(900, 2), segment_bytes=200)
    assembler = Assembler(CARRIERS)
    found = []
    for frame in (*old[:2], *new[2:]):  # only the check over the message tells them apart
        found += assembler.push(heard(frame), 0.0)
    assert [message.received for message in found] == [None] and "check" in found[0].reason


def test_a_later_message_of_the_sender_closes_an_unfinished_one() -> None:
    assembler = Assembler(CARRIERS)
    assembler.push(heard(sent(symbols_payload(500), 1, segment_symbols=200)[0]), 0.0)
    found = assembler.push(heard(sent(symbols_payload(100), 2)[0]), 0.0)
    assert [message.header.sequence for message in found] == [1, 2]
    assert found[0].lost_segments == 2


def test_contradicting_headers_begin_a_new_message() -> None:
    assembler = Assembler(CARRIERS)
    assembler.push(heard(sent(bytes_payload(900), segment_bytes=200)[0]), 0.0)
    found = assembler.push(heard(sent(bytes_payload(700), segment_bytes=200)[0]), 0.0)
    assert len(found) == 1 and found[0].received is None
    assert assembler.counters["contradictions"] == 1


def test_a_message_begun_anew_in_another_scheme_is_not_lost() -> None:
    assembler, payload = Assembler(CARRIERS), bytes_payload(900)
    assembler.push(heard(sent(payload, segment_bytes=200, form=PayloadFormat(kind="digital", mcs=5))[0]), 0.0)
    found = []
    for frame in sent(payload, segment_bytes=200, form=PayloadFormat(kind="digital", mcs=2)):
        found += assembler.push(heard(frame), 1.0)
    assert [message.received.data for message in found if message.received] == [payload.data]
    assert assembler.counters["anew"] == 1 and not assembler.counters["lost"] and not assembler.flush()


def test_a_segment_beyond_the_message_is_refused() -> None:
    frame = sent(bytes_payload(10))[0]
    assembler = Assembler(CARRIERS)
    odd = Heard(
        replace(frame.header, segment=9, n_segments=2), frame.symbols, np.full(len(frame.symbols), 1e-3)
    )
    assert not assembler.push(odd, 0.0) and assembler.counters["contradictions"] == 1
    assert not assembler.flush()


def test_duplicates_are_counted_and_change_nothing() -> None:
    frames = sent(symbols_payload(500), segment_symbols=200)
    assembler = Assembler(CARRIERS)
    found = []
    for frame in (frames[0], frames[0], *frames[1:], frames[1]):
        found += assembler.push(heard(frame), 0.0)
    assert len(found) == 1 and assembler.counters["duplicates"] == 2
    assert not assembler.flush()


def test_memory_is_bounded_in_messages_and_in_bytes() -> None:
    assembler = Assembler(CARRIERS, AssemblerConfig(max_messages=4, max_bytes=20_000))
    first = [sent(symbols_payload(1500), segment_symbols=800)[0]] * 12
    closed = 0
    for user, frame in enumerate(first):
        other = replace(frame.header, user_id=user)
        closed += len(assembler.push(Heard(other, frame.symbols, np.full(len(frame.symbols), 1e-3)), 0.0))
        assert sum(partial.size for partial in assembler._open.values()) <= 20_000
    assert closed and closed + len(assembler.flush()) == 12


def test_noise_alone_in_a_coded_frame_is_a_lost_message() -> None:
    frame = sent(bytes_payload(30))[0]
    noise = np.random.default_rng(1).normal(size=(len(frame.symbols), 2)) @ [1, 1j]
    assembler = Assembler(CARRIERS)
    (message,) = assembler.push(Heard(frame.header, noise, np.ones(len(noise), np.float32)), 0.0)
    assert message.received is None and assembler.counters["crc_errors"] == 1


@pytest.mark.parametrize("kind", ["qam", "digital"])
def test_latents_cross_in_the_other_kinds_too(kind: str) -> None:
    form = PayloadFormat(kind, qam_order=4096, levels=256, snr_db=25.0)
    frames = sent(symbols_payload(700), form=form, segment_symbols=300, segment_bytes=500)
    assert len(frames) > 1
    assembler = Assembler(CARRIERS)
    found = [message for frame in frames for message in assembler.push(heard(frame), 0.0)]
    error = np.abs(found[0].received.symbols - complex_of(latents(700)))
    assert np.mean(error**2) < 2.0 * np.mean(found[0].received.noise_var) < 0.2


def test_a_message_too_long_for_the_header_is_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        sent(symbols_payload(MAX_SYMBOLS + 1))


def test_air_time_counts_every_frame() -> None:
    config = WaveformConfig()
    one, two = sent(symbols_payload(128)), sent(symbols_payload(128), segment_symbols=64)
    assert frames_air_time_s(two, config) > 1.5 * frames_air_time_s(one, config)


def test_numbers_after_a_restart_are_others() -> None:
    before = set(islice(message_ids(1000.0), 100))
    assert not before & set(islice(message_ids(1005.0), 100))
    assert max(islice(message_ids(1e9), 200_000)) < 1 << 16


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 255), st.booleans(), st.integers(0, 2**32 - 1), st.integers(0, 65535))
def test_a_message_of_one_frame_needs_no_block_of_fields(task, public, fingerprint, sequence) -> None:
    header = TransportHeader(
        PayloadKind.ANALOG, 128, sequence, 3, 0, task, modality_of_task(task), 0, fingerprint, public
    )
    frame, block = header.split()
    assert block == b"" and not frame.announced
    back = TransportHeader.join(FrameHeader.unpack(frame.pack()), b"")
    assert (back.task_id, back.public, back.sequence, back.source_id) == (task, public, sequence, 3)
    assert back.modality is header.modality and back.is_of_model(fingerprint)
    assert (back.model_fingerprint == 0) == (fingerprint == 0)


def test_a_user_or_several_frames_are_announced() -> None:
    own = TransportHeader(PayloadKind.ANALOG, 128, user_id=7, task_id=1, modality=Modality.IMAGE)
    many = TransportHeader(PayloadKind.ANALOG, 128, n_segments=4, segment=2, payload_bytes=500)
    for header in (own, many):
        frame, block = header.split()
        assert frame.announced
        assert TransportHeader.join(FrameHeader.unpack(frame.pack()), block) == header


def test_another_model_of_the_same_kind_is_told_apart() -> None:
    header = TransportHeader(PayloadKind.ANALOG, 5, task_id=7, model_fingerprint=0xFEDCBA98)
    back = TransportHeader.join(header.split()[0], b"")
    assert back.is_of_model(0xFEDCBA98) and not back.is_of_model(0xFEDCBA99) and not back.is_of_model(0)


def test_the_header_stands_what_the_payload_stands() -> None:
    coded = [sent(bytes_payload(200), form=PayloadFormat(mcs=mcs))[0].protection for mcs in (0, 2, 8)]
    assert [p.index for p in coded] == sorted((p.index for p in coded), reverse=True) and coded[-1].index == 0
    assert all(p.snr_db <= get_mcs(mcs).snr_db for p, mcs in zip(coded, (0, 2, 8), strict=True))
    symbols = [
        sent(symbols_payload(50), form=PayloadFormat(snr_db=snr_db))[0].protection for snr_db in (20.0, -3.0)
    ]
    assert symbols[0].index == 1 and symbols[1].index == 3
    assert sent(symbols_payload(50), protection=0)[0].protection.index == 0
    with pytest.raises(ValueError, match="protection"):
        TransportConfig(protection=9)
