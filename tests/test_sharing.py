"""Several users in one frame: what is shared, where it stands, who can read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Payload
from m4sc.codecs.shared import Request, encode_users
from m4sc.message import Message
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.bits import BitReader, BitWriter
from m4sc.sharing.combine import combine
from m4sc.sharing.directory import (
    MAX_BYTES,
    OFDMA,
    TDM,
    ByteFamily,
    Directory,
    DirectoryError,
    Member,
    SymbolFamily,
)
from m4sc.sharing.group import Group, Served, SharingConfig, TooManyUsersError, to_group
from m4sc.sharing.layout import carriers_of, equal_share_rows, place_parts
from m4sc.sharing.privacy import KeyFileError, KeyRing, UserKey
from m4sc.sharing.receiving import NotServedError, Parts, read_parts
from m4sc.sharing.split import PRIVATE, choose_split, split_tokens
from m4sc.transport.assembler import Assembler
from m4sc.transport.message_header import HeardFrame, TransportHeader

WAVEFORM = WaveformConfig()
CARRIERS = WAVEFORM.n_data_carriers
PRINT = 0xABCD1234


def tokens(seed: int, t: int = 16, unit: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.5**0.5, size=(t * unit, 2)).astype(np.float32)


def payload(latents: np.ndarray, unit: int = 8, task: int = 4) -> Payload:
    return Payload(task, "image", PRINT, latents, unit=unit)


def parts_of(group: Group, noise: float = 1e-3) -> Parts:
    """A frame as a receiver without a channel reads it."""
    header = group.frame.header
    y = group.frame.symbols
    return read_parts(y, np.full(len(y), noise, np.float32), header.mcs, header.payload_bytes, CARRIERS)


def related(seed: int, users: int, changed: int) -> list[np.ndarray]:
    """Messages that are one but for `changed` tokens of each."""
    base = tokens(seed)
    out = []
    for user in range(users):
        own = base.copy()
        for k in range(changed):
            at = (user * changed + k) % 16
            own[8 * at : 8 * at + 8] = tokens(100 * seed + 10 * user + k + 1, 1)
        out.append(own)
    return out


@pytest.mark.parametrize("layout", [TDM, OFDMA])
@pytest.mark.parametrize("changed", [0, 3, 16])
def test_each_user_gets_its_own_message_back(layout: int, changed: int) -> None:
    sent = related(1, 4, changed)
    users = [Served(10 + n, payload(one)) for n, one in enumerate(sent)]
    group = to_group(users, WAVEFORM, SharingConfig(tolerance=1e-6, layout=layout))
    parts = parts_of(group)
    for user, latents in zip(users, sent, strict=True):
        found = parts.take(user.user_id)
        assert found.received is not None and not found.private_lost and found.task_id == 4
        np.testing.assert_allclose(found.received.symbols, payload(latents).symbols, atol=1e-5)
    if changed == 0:
        assert group.public_symbols == 128 and group.private_symbols == (0,) * 4
    if changed == 16:
        assert group.public_share == 0.0 and sum(group.private_symbols) == 4 * 128


def test_what_agrees_is_sent_once_and_what_differs_apart() -> None:
    group = to_group(
        [Served(n, payload(one)) for n, one in enumerate(related(2, 4, 2))],
        WAVEFORM,
        SharingConfig(tolerance=1e-6),
    )
    assert group.public_symbols == 128  # at every position at least two agree
    assert group.private_symbols == (16,) * 4
    assert group.public_share == pytest.approx(14 / 16)


def test_near_tokens_become_their_mean_and_no_one_is_farther_off_than_the_tolerance() -> None:
    base = tokens(3)
    near = np.array([payload(base + 0.1 * tokens(n)).symbols.reshape(16, 8) for n in range(4)])
    split = split_tokens(near, 0.05)
    assert (split.places != PRIVATE).all() and len(split.public) == 16
    mean = np.mean(np.abs(near) ** 2) * 8
    far = np.sum(np.abs(near - split.public[split.places]) ** 2, axis=-1) / mean
    assert 0.001 < far.max() <= 0.05
    assert split_tokens(near, 1e-4).n_symbols == near.size


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 5), st.floats(0, 2), st.integers(0, 99))
def test_no_split_is_dearer_than_sending_all_or_farther_off_than_the_tolerance(
    n: int, t: int, copies: int, tolerance: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sent = rng.normal(size=(n, t, 4)) + 1j * rng.normal(size=(n, t, 4))
    for _ in range(copies):
        a, b, c, d = rng.integers([n, t, n, t])
        sent[a, b] = sent[c, d] + 0.1 * rng.normal(size=4)
    split = choose_split(sent, tolerance, lambda _: 0)
    assert split.n_symbols <= sent.size
    whole = np.empty_like(sent)
    for user in range(n):
        own = iter(split.private[user])
        for i, place in enumerate(split.places[user]):
            whole[user, i] = next(own) if place == PRIVATE else split.public[place]
    energy = np.sum(np.abs(sent) ** 2, axis=-1)  # what is strong says most: its limit is the tighter
    limits = tolerance * energy.mean() ** 2 / energy.mean(axis=0)
    assert (np.sum(np.abs(whole - sent) ** 2, axis=-1) <= limits + 1e-5).all()


def test_a_short_message_of_a_point_has_its_symbols_in_common_with_a_long_one() -> None:
    point = tokens(8, 8) * np.linspace(2, 0.5, 64)[:, None].astype(np.float32)
    users = [
        Served(n, Payload(4, "image", PRINT, 1.04 * point[: 8 * k] if k < 8 else point))
        for n, k in enumerate((8, 6, 8, 3))
    ]
    group = to_group(users, WAVEFORM)
    assert group.public_symbols == 64 and group.private_symbols == (0,) * 4 and group.public_share == 1.0
    parts = parts_of(group)
    for user, k in enumerate((8, 6, 8, 3)):
        found = parts.take(user)
        assert found.received is not None and found.public_symbols == 8 * k == len(found.received.symbols)
        error = np.mean(np.abs(found.received.symbols - users[user].payload.symbols) ** 2)
        assert error < 0.002 * np.mean(np.abs(users[user].payload.symbols) ** 2)
    assert len(group.directory.pack()) <= 14


def test_what_is_weak_may_differ_more_than_what_is_strong() -> None:
    strong = np.repeat([4.0, 4.0, 1.0, 1.0], 8)
    base = strong * np.exp(2j * np.pi * np.random.default_rng(2).random(32))
    near = np.array([base, base + 1.6 * np.exp(2j * np.pi * np.random.default_rng(3).random(32))])
    split = split_tokens(near.reshape(2, 4, 8), 0.1)
    assert split.firsts == (2, 3) and (split.places[:, :2] == PRIVATE).all()


def test_a_token_that_moved_is_found_at_its_new_position() -> None:
    first = payload(tokens(4)).symbols.reshape(16, 8)
    moved = np.roll(first, 1, axis=0)
    split = choose_split(np.array([first, moved]), 1e-6, lambda _: 0)
    assert split.n_symbols == 128 and (split.places != PRIVATE).all()
    dear = choose_split(np.array([first, moved]), 1e-6, lambda s: 1000 if len(s.public) else 0)
    assert dear.n_symbols == 256  # where telling it costs more than it saves, nothing is public


members = st.builds(Member, st.integers(0, 0xFFFF), st.integers(0, 255))
blocks = st.builds(
    ByteFamily, st.integers(1, 4000), st.integers(0, 11), st.lists(members, min_size=1, max_size=4).map(tuple)
)


@st.composite
def families(draw: st.DrawFn) -> SymbolFamily:
    t = draw(st.integers(1, 20))
    firsts = tuple(sorted(draw(st.sets(st.integers(0, t - 1)))))
    others = draw(st.integers(0, 9))
    most = len(firsts) + others - 1
    users = []
    for user in draw(st.lists(members, min_size=1, max_size=4)):
        places = draw(st.lists(st.integers(-1, most), min_size=1, max_size=t))
        sealed = draw(st.booleans())
        users.append(replace(user, places=tuple(places), sealed=sealed, check=0xBEEF if sealed else 0))
    return SymbolFamily(t, draw(st.integers(1, 512)), firsts, others, tuple(users))


@settings(max_examples=80, deadline=None)
@given(st.lists(families(), max_size=3), st.lists(blocks, max_size=3), st.sampled_from([None, 0, 2**64 - 1]))
def test_a_directory_comes_back(
    symbols: list[SymbolFamily], data: list[ByteFamily], nonce: int | None
) -> None:
    directory = Directory(OFDMA, tuple(symbols), tuple(data), nonce)
    assert Directory.unpack(directory.pack()) == directory


@given(st.lists(st.tuples(st.integers(0, 5000), st.booleans()), max_size=9))
def test_small_numbers_come_back_and_large_ones_are_refused(numbers: list[tuple[int, bool]]) -> None:
    out = BitWriter()
    for value, _ in numbers:
        out.put_small(value)
    bits = BitReader(out.bytes())
    for value, exact in numbers:
        assert bits.take_small(value if exact else 5000) == value
    bits.finish()
    short = BitWriter()
    short.put_small(8)
    with pytest.raises(ValueError, match=r"more than 7|larger"):
        BitReader(short.bytes()).take_small(7)
    with pytest.raises(ValueError, match=r"larger|end"):
        BitReader(bytes(9)).take_small(MAX_BYTES)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_other_bytes_are_refused_or_a_directory(data: bytes) -> None:
    try:
        found = Directory.unpack(data)
    except DirectoryError:
        return
    assert found.pack()


def test_a_directory_that_lies_about_the_payload_is_refused() -> None:
    group = to_group([Served(1, payload(tokens(1)))], WAVEFORM)
    y, header = group.frame.symbols[:-1], group.frame.header
    with pytest.raises(DirectoryError, match="symbols; the payload has"):
        read_parts(y, np.full(len(y), 1e-3, np.float32), header.mcs, header.payload_bytes, CARRIERS)
    with pytest.raises(DirectoryError):
        read_parts(y, np.full(len(y), np.inf, np.float32), header.mcs, header.payload_bytes, CARRIERS)
    with pytest.raises(DirectoryError, match="does not exist"):
        read_parts(y, np.full(len(y), 1e-3, np.float32), header.mcs, 0, CARRIERS)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([TDM, OFDMA]),
    st.integers(1, 90),
    st.integers(0, 300),
    st.lists(st.integers(0, 200), max_size=20),
)
def test_every_part_has_places_of_its_own(layout: int, told: int, public: int, private: list[int]) -> None:
    found = place_parts(layout, told, public, private, CARRIERS)
    taken = np.concatenate([found.directory, found.public, *found.private])
    assert [len(part) for part in found.private] == private
    assert len(set(taken.tolist())) == len(taken) == told + public + sum(private)
    assert taken.max(initial=0) < found.n_symbols
    if layout == OFDMA:
        columns = [set((part % CARRIERS).tolist()) for part in found.private]
        assert sum(map(len, columns)) == len(set().union(*columns)) if columns else True


@given(st.lists(st.integers(0, 300), min_size=1, max_size=CARRIERS))
def test_no_allocation_takes_longer_than_equal_shares(sizes: list[int]) -> None:
    widths, rows = carriers_of(sizes, CARRIERS)
    assert sum(widths) <= CARRIERS
    assert all(width * rows >= size for width, size in zip(widths, sizes, strict=True))
    assert rows <= max(1, equal_share_rows(sizes, CARRIERS))
    assert rows >= -(-sum(sizes) // CARRIERS)


def test_more_users_than_carriers_or_than_a_frame_holds_are_refused_with_the_number_that_fits() -> None:
    users = [Served(n, payload(tokens(n))) for n in range(60)]
    with pytest.raises(TooManyUsersError, match="60 users do not fit one frame") as caught:
        to_group(users, WAVEFORM, SharingConfig(layout=OFDMA))
    assert 1 <= caught.value.fitting < 60
    assert to_group(users[: caught.value.fitting], WAVEFORM, SharingConfig(layout=OFDMA)).frame
    with pytest.raises(TooManyUsersError):
        to_group(users[: caught.value.fitting + 1], WAVEFORM, SharingConfig(layout=OFDMA))


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([], "no user to serve"),
        ([Served(3, payload(tokens(1)))] * 2, "user 3 is there twice"),
        ([Served(70000, payload(tokens(1)))], "user ids are 0 to 65535"),
        (
            [Served(1, payload(tokens(1))), Served(2, replace(payload(tokens(1)), fingerprint=5))],
            "of different models",
        ),
        ([Served(1, Payload(7, "text", data=b"x" * 5000))], "too long to share a frame"),
    ],
)
def test_bad_requests_are_refused_in_a_sentence(users: list[Served], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_group(users, WAVEFORM)


def test_bytes_go_once_to_those_who_get_the_same_and_apart_to_others() -> None:
    same, other = Payload(7, "text", data=b"the same for both"), Payload(7, "text", data=b"another")
    users = [
        Served(1, same, 0.0),
        Served(2, same, 20.0),
        Served(3, other, 20.0),
        Served(4, payload(tokens(1))),
    ]
    group = to_group(users, WAVEFORM)
    shared, alone = group.directory.data
    assert shared.mcs < alone.mcs  # for the weakest of those who need it
    parts = parts_of(group)
    for user, wanted in ((1, same), (2, same), (3, other)):
        found = parts.take(user)
        assert found.received is not None and found.received.data == wanted.data
    with pytest.raises(NotServedError, match="nothing for user 9"):
        parts.take(9)


def test_a_lost_own_part_leaves_the_public_one_and_says_so() -> None:
    users = [Served(n, payload(one)) for n, one in enumerate(related(5, 4, 4))]
    group = to_group(users, WAVEFORM, SharingConfig(tolerance=1e-6))
    parts = parts_of(group)
    lost = parts.noise_var.copy()
    lost[parts.places.private[2]] = np.inf
    found = replace(parts, noise_var=lost).take(2)
    assert found.private_lost and found.reason == "its own part did not arrive"
    assert found.received is not None
    assert np.isfinite(found.received.noise_var).sum() == 12 * 8
    assert not replace(parts, noise_var=lost).take(1).private_lost


def test_a_frame_crosses_the_radio_and_the_assembler_leaves_it_alone() -> None:
    sent = related(6, 3, 3)
    group = to_group([Served(n, payload(one), 5.0) for n, one in enumerate(sent)], WAVEFORM, sequence=77)
    rng = np.random.default_rng(1)
    air = np.concatenate([np.zeros(400), group.frame.modulate(WAVEFORM), np.zeros(800)])
    air = air + (rng.normal(size=air.size) + 1j * rng.normal(size=air.size)) * (0.05 / 2**0.5)
    receiver = BurstReceiver(WAVEFORM)
    (frame,) = receiver.push(air.astype(np.complex64)) + receiver.flush()
    header = TransportHeader.join(frame.header, frame.message)
    assert header == replace(group.frame.header, model_fingerprint=header.model_fingerprint, short=True)
    assert header.is_of_model(PRINT) and header.sequence == 77
    parts = read_parts(frame.symbols, frame.noise_var, header.mcs, header.payload_bytes, CARRIERS)
    for user, latents in enumerate(sent):
        found = parts.take(user)
        assert found.received is not None
        error = np.abs(found.received.symbols - payload(latents).symbols)
        assert np.mean(error**2) < 0.3
    with pytest.raises(ValueError, match=r"give this receiver its user id"):
        Assembler(CARRIERS).push(HeardFrame(header, frame.symbols, frame.noise_var), 0.0)


class Coder:
    """Tokens that depend on the message's first pixel, at the rate that is asked for."""

    def encode(
        self,
        message: Message,
        task: str,
        instruction: str | None = None,
        snr_db: float | None = None,
        rate: int | None = None,
    ) -> Payload:
        unit = rate or (4 if task == "classify" else 8)
        if task == "caption":
            return Payload(2, "image", PRINT, tokens(9, 1, 32))
        if message.data[0, 0, 0] == 255:
            raise ValueError("nothing to see")
        whole = tokens(int(message.data[0, 0, 0])).reshape(16, 8, 2)[:, :unit]
        return payload(whole.reshape(-1, 2), unit, 1 if task == "classify" else 4)


def picture(value: int) -> Message:
    return Message("image", np.full((8, 8, 3), value, np.uint8))


def test_users_of_one_picture_share_its_tokens_at_the_highest_rate_that_one_needs() -> None:
    one = picture(5)
    wanted = [Request(1, one, "classify"), Request(2, one, "vqa"), Request(3, one, "caption")]
    served = encode_users(Coder(), wanted)
    group = to_group(served, WAVEFORM)
    assert group.public_symbols == 128 and group.private_symbols == (0, 0, 32)
    alone = encode_users(Coder(), wanted[:1])
    assert alone[0].payload.latents is not None and len(alone[0].payload.latents) == 64
    other = encode_users(Coder(), [wanted[0], replace(wanted[1], message=picture(6))])
    assert other[0].payload.latents is not None and len(other[0].payload.latents) == 64


def test_an_unknown_task_or_a_message_that_does_not_suit_names_the_user() -> None:
    with pytest.raises(ValueError, match="unknown task 'sing'"):
        encode_users(Coder(), [Request(1, picture(1), "sing")])
    with pytest.raises(ValueError, match="user 8: nothing to see"):
        encode_users(Coder(), [Request(8, picture(255), "vqa")])


# --- privacy -----------------------------------------------------------------------------------------------


def test_only_the_right_key_shows_a_users_own_part() -> None:
    key, sent = UserKey(1, bytes(range(32))), related(7, 3, 5)
    users = [Served(n, payload(one)) for n, one in enumerate(sent)]
    users.append(Served(8, Payload(7, "text", data=b"for user eight")))
    eight = UserKey(8, bytes(32))
    how = SharingConfig(tolerance=1e-6)
    group = to_group(users, WAVEFORM, how, sealers={1: key, 8: eight}, nonce=5)
    parts = parts_of(group)
    found = parts.take(1, key)
    assert found.received is not None and not found.private_lost
    np.testing.assert_allclose(found.received.symbols, payload(sent[1]).symbols, atol=1e-5)
    for wrong, why in ((None, "no key"), (UserKey(1, bytes(32)), "not the one it was sent with")):
        hidden = parts.take(1, wrong)
        assert hidden.private_lost and why in hidden.reason and hidden.received is not None
        assert np.isfinite(hidden.received.noise_var).sum() == 11 * 8  # what is public stays
    text = parts.take(8, eight)
    assert text.received is not None and text.received.data == b"for user eight"
    assert parts.take(8).received is None
    assert parts.take(0).received is not None  # who has no secret needs no key
    with pytest.raises(ValueError, match="need a nonce"):
        to_group(users, WAVEFORM, how, sealers={1: key})


def test_hidden_symbols_tell_nothing_of_their_order_phase_or_magnitude() -> None:
    key = UserKey(3, bytes(32))
    sent = np.tile(np.array([1.0, 1j, -1.0, 4.0], np.complex64), 500)
    hidden = [key.hide(sent, nonce) for nonce in (1, 2)]
    for one in hidden:
        assert np.vdot(one, one).real == pytest.approx(np.vdot(sent, sent).real, rel=1e-5)
        assert abs(np.vdot(sent, one)) < 0.1 * np.vdot(sent, sent).real
        power = np.abs(one) ** 2 / np.mean(np.abs(one) ** 2)
        assert np.mean(power**2) == pytest.approx(2.0, abs=0.3)  # as of Gaussian noise; as sent 2.9
        for k in range(4):  # wherever a symbol was strong, it is not any longer
            assert power[k::4].mean() == pytest.approx(1.0, abs=0.2)
    assert abs(np.vdot(*hidden)) < 0.1 * np.vdot(sent, sent).real
    assert np.mean(np.abs(key.turned(sent, 1)) ** 4) > 2.5 * np.mean(np.abs(sent) ** 2) ** 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 70), st.integers(0, 2**64 - 1), st.floats(0, 0.5))
def test_hidden_symbols_come_back_and_equal_noise_stays_as_it_is(
    count: int, nonce: int, noise: float
) -> None:
    key, rng = UserKey(7, bytes(range(32))), np.random.default_rng(count)
    sent = (rng.normal(size=count) + 1j * rng.normal(size=count)).astype(np.complex64)
    shown, variances = key.show(key.hide(sent, nonce), np.full(count, noise, np.float32), nonce)
    np.testing.assert_allclose(shown, sent, atol=1e-4)
    np.testing.assert_allclose(variances, noise, rtol=1e-3, atol=1e-6)


def test_unequal_noise_and_lost_symbols_are_noise_on_all_and_told_as_much() -> None:
    key, rng, count = UserKey(7, bytes(32)), np.random.default_rng(4), 4000
    sent = (rng.normal(size=count) + 1j * rng.normal(size=count)) * 0.5**0.5
    noise = np.repeat([0.01, 0.5, 3.0, np.inf], 1000).astype(np.float32)
    drawn = (rng.normal(size=count) + 1j * rng.normal(size=count)) * (np.minimum(noise, 9) / 2) ** 0.5
    shown, variances = key.show((key.hide(sent, 9) + drawn).astype(np.complex64), noise, 9)
    error = np.mean(np.abs(shown - sent) ** 2)
    assert error == pytest.approx(float(variances[0]), rel=0.1) and len(set(variances.tolist())) == 1
    assert error < 1.2  # the mean of what arrived would be far above
    assert error > np.mean(noise[:1000])
    lost, all_lost = key.show(np.ones(5, np.complex64), np.full(5, np.inf, np.float32), 9)
    assert not lost.any() and np.isinf(all_lost).all()


def test_nonces_never_come_twice_over_restarts_crashes_and_processes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    KeyRing(path).add(4)
    seen: list[int] = []
    first, second = KeyRing(path), KeyRing(path)
    for ring in (first, second, first, KeyRing(path), second):
        seen += [ring.nonce() for _ in range(5)]
        KeyRing(path).add(100 + len(seen))
    assert len(set(seen)) == len(seen) == 25
    assert KeyRing(path).users == [4, 105, 110, 115, 120, 125]
    assert path.stat().st_mode & 0o77 == 0


def test_a_broken_key_file_and_a_missing_key_are_told(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys.json")
    with pytest.raises(KeyFileError, match="no key for user 5"):
        ring.get(5)
    made = ring.add(5)
    assert KeyRing(tmp_path / "keys.json").get(5) == made
    with pytest.raises(ValueError, match="has a key already"):
        ring.add(5)
    ring.remove(5)
    assert KeyRing(tmp_path / "keys.json").users == []
    (tmp_path / "keys.json").write_text('{"keys": 3}')
    with pytest.raises(KeyFileError, match="holds no keys"):
        KeyRing(tmp_path / "keys.json")


# --- uplink ------------------------------------------------------------------------------------------------


def test_one_message_from_two_users_is_better_than_either() -> None:
    from m4sc.codecs.base import Received

    rng, sent = np.random.default_rng(1), payload(tokens(1)).symbols
    heard = []
    for noise in (0.5, 0.2):
        n = (rng.normal(size=128) + 1j * rng.normal(size=128)) * (noise / 2) ** 0.5
        heard.append(Received((sent + n).astype(np.complex64), np.full(128, noise, np.float32)))
    lost = Received(np.zeros(128, np.complex64), np.full(128, np.inf, np.float32))
    both = combine([*heard, lost])
    error = [float(np.mean(np.abs(one.symbols - sent) ** 2)) for one in (*heard, both)]
    assert error[2] < min(error[:2])
    assert both.noise_var == pytest.approx(1 / (1 / 0.5 + 1 / 0.2), rel=1e-5)
    assert np.isinf(combine([lost, lost]).noise_var).all()
    with pytest.raises(ValueError, match="of 64 and 128 symbols"):
        combine([heard[0], Received(sent[:64], np.ones(64, np.float32))])
