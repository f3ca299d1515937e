"""More on request: what copies say together, when a receiver asks, and what a sender keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from m4sc.codecs.base import Answer, Payload, Received
from m4sc.codecs.combining import effective_snr_db, maximal_ratio, nested, of_one_length
from m4sc.phy.waveform import WaveformConfig
from m4sc.space.channel_codec import SpaceCodec, SpaceCodecConfig
from m4sc.transport.asking import REQUEST_BYTES, Asking, AskingConfig, Request, Sent
from m4sc.transport.assembler import Assembler, ReceivedMessage
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, to_frames
from m4sc.transport.message_header import HeardFrame

COUNTS = st.integers(1, 40)


def copy(rng: np.random.Generator, sent: np.ndarray, noise_var: float) -> Received:
    noise = rng.normal(size=(len(sent), 2)) @ [1, 1j] * np.sqrt(noise_var / 2)
    return Received((sent + noise).astype(np.complex64), np.full(len(sent), noise_var, np.float32))


def unit(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.exp(2j * np.pi * rng.random(count)).astype(np.complex64)


# --- combining --------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.01, 10.0), min_size=1, max_size=6), COUNTS, st.integers(0, 99))
def test_snrs_of_copies_add(noise: list[float], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    copies = [copy(rng, unit(rng, count), level) for level in noise]
    together = maximal_ratio(copies)
    weights = 1 / np.array([one.noise_var for one in copies], np.float64)
    expected = (weights * np.array([one.symbols for one in copies])).sum(0) / weights.sum(0)
    np.testing.assert_allclose(together.symbols, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(1 / together.noise_var, weights.sum(0), rtol=1e-4)


def test_what_one_copy_lost_another_brings_and_what_all_lost_stays_lost() -> None:
    first = Received(np.array([1, np.nan, 5], np.complex64), np.array([0.1, np.inf, np.inf], np.float32))
    other = Received(np.array([3, 2j, 7], np.complex64), np.array([0.1, 0.2, np.inf], np.float32))
    together = maximal_ratio([first, other])
    np.testing.assert_allclose(together.symbols, [2, 2j, 0])
    np.testing.assert_allclose(together.noise_var, [0.05, 0.2, np.inf])


def test_copies_of_other_lengths_are_refused_or_the_better_kept() -> None:
    rng = np.random.default_rng(1)
    short, long = copy(rng, unit(rng, 8), 0.01), copy(rng, unit(rng, 64), 1.0)
    with pytest.raises(ValueError, match="as many symbols"):
        maximal_ratio([short, long])
    assert len(of_one_length([short, long]).symbols) == 64  # 64 bits to 53
    assert len(of_one_length([short, short, replace(long, noise_var=long.noise_var * 9)]).symbols) == 8


def test_effective_snr_is_that_of_awgn_that_carries_as_much() -> None:
    flat = Received(np.zeros(4, np.complex64), np.full(4, 0.1, np.float32))
    assert effective_snr_db(flat) == pytest.approx(10.0, abs=1e-4)
    half = Received(np.zeros(4, np.complex64), np.array([0.1, 0.1, np.inf, np.inf], np.float32))
    assert effective_snr_db(half) == pytest.approx(10 * np.log10(11**0.5 - 1), abs=1e-4)
    assert effective_snr_db(Received()) == -np.inf


@pytest.fixture(scope="module")
def codec() -> SpaceCodec:
    rng = torch.Generator().manual_seed(1)
    spectrum = torch.linspace(0, -3, 64).exp()
    points = torch.nn.functional.normalize(torch.randn(500, 64, generator=rng) * spectrum, dim=1)
    codec = SpaceCodec(SpaceCodecConfig(64, 24, 4)).eval()
    codec.fit(points)
    codec.points = points  # type: ignore[assignment]
    return codec


def test_a_longer_copy_of_nested_symbols_begins_with_the_shorter_one(codec: SpaceCodec) -> None:
    """Without noise the beginnings agree but for how strong this message happens to be."""
    with torch.inference_mode():
        short, long = (codec.send(codec.points[:200], n).numpy() for n in (6, 24))
    factor = codec.scale(24) / codec.scale(6)
    ratio = (np.square(long[:, :6]).sum((1, 2)) / np.square(short * factor).sum((1, 2))) ** 0.5
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1) and factor > 1.0  # 6 of 24 hold most of the power


def test_copies_of_nested_symbols_are_received_better_together(codec: SpaceCodec) -> None:
    rng = np.random.default_rng(3)
    alone, both = [], []
    with torch.inference_mode():
        for row in range(100):
            point = codec.points[row : row + 1]
            sent = [codec.send(point, n)[0].numpy() @ [1, 1j] for n in (6, 24)]
            heard = [copy(rng, one.astype(np.complex64), 1.0) for one in sent]
            for found, given_copies in ((alone, heard[1:]), (both, heard)):
                one = nested(given_copies, codec.scale)
                pairs = torch.from_numpy(one.symbols.view(np.float32).reshape(1, -1, 2).copy())
                got = codec.receive(pairs, torch.from_numpy(one.noise_var)[None])
                found.append(float((got * point).sum()))
    assert np.mean(both) > np.mean(alone) + 0.02


# --- requests ---------------------------------------------------------------------------------------------


@given(st.integers(0, 255), st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 255))
def test_requests_survive_their_bytes(source: int, user: int, sequence: int, copies: int) -> None:
    request = Request(source, user, sequence, copies)
    assert len(request.to_bytes()) == REQUEST_BYTES and Request.from_bytes(request.to_bytes()) == request


@given(st.binary(max_size=24))
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="request"):
        Request.from_bytes(data)


# --- receiver ---------------------------------------------------------------------------------------------


def message(snr_db: float, number: int = 1, count: int = 8, **fields: object) -> ReceivedMessage:
    """A message of one analogue frame as it arrived."""
    latents = np.tile(np.float32([[1, 0]]), (count, 1))
    (frame,) = to_frames(Payload(1, "image", 7, latents), Address(number), TransportConfig())
    noise_var = np.full(len(frame.symbols), 10 ** (-snr_db / 10), np.float32)
    heard = HeardFrame(frame.header, frame.symbols, noise_var, snr_db)
    (found,) = Assembler(WaveformConfig().n_data_carriers).push(heard, 0.0)
    return replace(found, **fields)


def sureness(found: ReceivedMessage) -> Answer:
    """As sure as the message was heard well: 0.5 at 0 dB."""
    assert found.received is not None
    return Answer("a cat", None, 0.0, confidence=float(np.mean(1 / (1 + found.received.noise_var))))


def together(copies: Sequence[Received], _: ReceivedMessage) -> Received:
    return of_one_length(copies)


def asking(**options: float) -> Asking:
    return Asking(AskingConfig(**{"below": 0.6, **options}), together, sureness)  # type: ignore[arg-type]


def test_an_unsure_answer_is_held_back_until_copies_make_it_sure() -> None:
    receiver = asking()
    first = receiver.push(message(0.0), 0.0)
    assert not first.told and first.requests == (Request(0, 0, 1, 1),) and len(receiver) == 1
    second = receiver.push(message(0.0), 0.1)  # 3 dB together: 0.67
    assert not second.requests and second.told[0].copies == 2
    assert second.told[0].answer.confidence == pytest.approx(2 / 3, rel=1e-3)
    assert receiver.counters == {"asked": 1, "improved": 1, "unheard": 0, "unsure": 0, "late": 0, "missed": 0}


def test_a_sure_answer_and_one_that_the_air_is_not_to_blame_for_are_told_at_once() -> None:
    assert asking().push(message(3.0), 0.0).told[0].copies == 1
    never_sure = Asking(AskingConfig(below=1.0), together, lambda _: Answer("?", None, 0.0, confidence=0.1))
    assert not never_sure.push(message(4.0), 0.0).requests and never_sure.push(message(2.0), 0.0).requests
    silent = Asking(AskingConfig(below=1.0), together, lambda _: Answer("?", None, 0.0))
    assert not silent.push(message(-9.0), 0.0).requests  # of answers without a confidence nothing is known


def test_nothing_is_asked_unless_it_is_wanted() -> None:
    unverified = Answer("text", None, 0.0, confidence=0.1, verified=False)
    assert not Asking(AskingConfig(), together, lambda _: unverified).push(message(-9.0), 0.0).requests
    assert Asking(AskingConfig(below=0.1), together, lambda _: unverified).push(message(-9.0), 0.0).requests
    verified = replace(unverified, verified=True)
    assert not Asking(AskingConfig(below=1.0), together, lambda _: verified).push(message(-9.0), 0.0).requests


def test_a_message_that_stays_unsure_is_told_after_so_many_copies() -> None:
    receiver = asking(copies=3)
    outcomes = [receiver.push(message(-20.0), 0.1 * n) for n in range(3)]
    assert [len(one.requests) for one in outcomes] == [1, 1, 0]
    assert [one.requests[0].copies for one in outcomes[:2]] == [1, 2]
    assert outcomes[2].told[0].copies == 3 and receiver.counters["unsure"] == 1


def test_a_copy_that_does_not_come_is_asked_for_again_and_then_the_answer_stands() -> None:
    receiver = asking(copies=3, timeout_s=1.0)
    receiver.push(message(0.0), 0.0)
    assert receiver.expire(0.9).requests == () == receiver.expire(0.9).told
    assert receiver.expire(1.0).requests == (Request(0, 0, 1, 2),)
    last = receiver.expire(2.0)
    assert last.told[0].copies == 1 and not last.requests and len(receiver) == 0
    assert receiver.counters["unheard"] == 2 and receiver.counters["unsure"] == 1


def test_where_frames_wait_to_be_read_it_is_waited_longer() -> None:
    receiver = asking(copies=3, timeout_s=1.0)
    receiver.push(message(0.0, 1), 0.0)
    receiver.push(message(9.0, 3), 0.0)
    assert receiver.expire(2.9, 2.0).requests == ()
    assert receiver.expire(3.0, 2.0).requests == (Request(0, 0, 1, 2), Request(0, 0, 2, 0))


def test_a_copy_that_comes_too_late_is_no_second_answer() -> None:
    receiver = asking(copies=2, timeout_s=1.0)
    receiver.push(message(0.0), 0.0)
    assert receiver.expire(1.0).told
    assert receiver.push(message(9.0), 1.5).told == () and receiver.counters["late"] == 1
    assert receiver.push(message(9.0), 9.0).told  # the number is used again


def test_another_message_of_the_same_number_is_not_combined() -> None:
    receiver = asking()
    receiver.push(message(0.0), 0.0)
    other = message(0.0)
    other = replace(other, header=replace(other.header, task_id=2))
    outcome = receiver.push(other, 0.1)
    assert outcome.told[0].copies == 1 and outcome.told[0].message.header.task_id == 1
    assert len(outcome.requests) == 1 and len(receiver) == 1


def test_a_strangers_message_of_the_same_number_loses_nothing() -> None:
    def ours_alone(found: ReceivedMessage) -> Answer:
        if found.header.model_fingerprint != 7:
            raise ValueError("sent with other weights")
        return sureness(found)

    receiver = Asking(AskingConfig(0.6), together, ours_alone)
    receiver.push(message(9.0, 1), 0.0)
    receiver.push(message(0.0, 3), 0.0)
    stranger = message(0.0, 3)
    stranger = replace(stranger, header=replace(stranger.header, model_fingerprint=8))
    with pytest.raises(ValueError, match="other weights"):
        receiver.push(stranger, 0.1)
    assert len(receiver) == 1 and receiver.push(message(0.0, 3), 0.2).told[0].copies == 2


def test_a_gap_before_a_message_that_is_refused_is_asked_for() -> None:
    def refused(found: ReceivedMessage) -> Answer:
        if found.header.sequence == 3:
            raise ValueError("no such task")
        return sureness(found)

    receiver = Asking(AskingConfig(0.6), together, refused)
    receiver.push(message(9.0, 1), 0.0)
    with pytest.raises(ValueError, match="no such task"):
        receiver.push(message(9.0, 3), 0.1)
    assert receiver.expire(0.2).requests == (Request(0, 0, 2, 0),)


def test_a_slow_sender_that_was_asked_more_than_once_is_answered_once() -> None:
    receiver = asking(copies=3, timeout_s=1.0)
    receiver.push(message(9.0, 1), 0.0)
    assert receiver.push(message(9.0, 3), 0.0).requests == (Request(0, 0, 2, 0),)
    assert receiver.expire(1.0).requests  # it came to nothing so far, so both copies will come
    assert receiver.push(message(9.0, 2), 1.5).told
    assert not receiver.push(message(9.0, 2), 3.0).told and receiver.counters["late"] == 1
    receiver.push(message(9.0, 5), 10.0)
    assert receiver.expire(11.0).requests and not receiver.expire(12.0).requests  # given up
    assert receiver.push(message(9.0, 4), 12.5).told
    assert not receiver.push(message(9.0, 4), 13.0).told and receiver.counters["late"] == 2


def test_copies_of_an_unsure_message_that_come_slowly_are_no_second_answer() -> None:
    receiver = asking(copies=4, timeout_s=1.0)
    receiver.push(message(0.0), 0.0)
    assert receiver.expire(1.0).requests and receiver.expire(2.0).requests
    assert receiver.push(message(9.0), 2.5).told[0].copies == 2
    assert not receiver.push(message(9.0), 4.0).told and not receiver.push(message(0.0), 5.5).requests


def test_long_messages_and_bytes_are_not_asked_for() -> None:
    assert asking().push(message(-9.0, n_segments=2), 0.0).told
    assert asking().push(replace(message(-9.0), received=Received(data=b"x")), 0.0).told


def test_memory_is_bounded_and_what_makes_room_is_told() -> None:
    receiver = asking(messages=2)
    outcomes = [receiver.push(message(0.0, number), 0.0) for number in range(4)]
    assert [len(one.told) for one in outcomes] == [0, 0, 1, 1] and len(receiver) == 2
    assert outcomes[3].told[0].message.header.sequence == 1
    assert [told.message.header.sequence for told in receiver.flush().told] == [2, 3] and len(receiver) == 0


def test_numbers_left_out_are_asked_for_and_asked_for_again() -> None:
    receiver = asking(copies=3, timeout_s=1.0)
    assert not receiver.push(message(9.0, 65534), 0.0).requests
    outcome = receiver.push(message(9.0, 1), 0.0)  # the numbers come round
    assert len(outcome.told) == 1 and outcome.requests == (Request(0, 0, 65535, 0), Request(0, 0, 0, 0))
    assert receiver.push(message(9.0, 0), 0.5).told and receiver.counters["missed"] == 2
    assert receiver.expire(1.0).requests == (Request(0, 0, 65535, 0),)
    assert receiver.expire(2.0).requests == () == receiver.expire(9.0).requests
    assert receiver.counters["asked"] == 3 and receiver.counters["unheard"] == 2


def test_a_sender_that_begins_anew_and_an_old_message_leave_nothing_out() -> None:
    receiver = asking()
    receiver.push(message(9.0, 10), 0.0)
    assert not receiver.push(message(9.0, 500), 0.0).requests  # far ahead: another run
    assert not receiver.push(message(9.0, 498), 0.0).requests  # came late
    assert not receiver.push(message(9.0, 501), 0.0).requests
    quiet = asking(below=0.0)
    quiet.push(message(9.0, 1), 0.0)
    assert not quiet.push(message(9.0, 3), 0.0).requests  # nobody is asked


def test_a_lost_message_is_none() -> None:
    with pytest.raises(ValueError, match="gone"):
        asking().push(replace(message(0.0), received=None, reason="it is gone"), 0.0)


@pytest.mark.parametrize("wrong", [{"below": 1.5}, {"copies": 1}, {"timeout_s": 0.0}, {"messages": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"give|must"):
        AskingConfig(**wrong)  # type: ignore[arg-type]


# --- sender -----------------------------------------------------------------------------------------------


def test_the_last_messages_are_kept_and_sent_so_often_at_most() -> None:
    sent = Sent[str](messages=2, copies=2)
    for number in range(3):
        sent.keep((0, 0, number), f"message {number}", 8)
    with pytest.raises(ValueError, match="0 was asked for, which is not kept"):
        sent.find(Request(0, 0, 0, 1))
    request = Request(0, 0, 2, 1)
    assert sent.find(request) == ("message 2", 8)
    sent.again(request, 16)
    with pytest.raises(ValueError, match="sent 2 times; no more"):
        sent.find(request)


def test_what_is_kept_is_bounded_in_bytes_too() -> None:
    sent = Sent[str](max_bytes=100)
    for number, size in enumerate((60, 30, 101, 50)):
        sent.keep((0, 0, number), "message", 8, size)
    with pytest.raises(ValueError, match="not kept"):
        sent.find(Request(0, 0, 2, 1))
    with pytest.raises(ValueError, match="not kept"):
        sent.find(Request(0, 0, 0, 1))
    assert sent.find(Request(0, 0, 1, 1)) and sent.find(Request(0, 0, 3, 1))


@pytest.mark.parametrize("wrong", [{"messages": -1}, {"copies": 0}])
def test_what_cannot_be_kept_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Sent(**wrong)
