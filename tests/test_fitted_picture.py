"""Files that fit a number of symbols: within it, better with more, of any size, and lost whole."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from m4sc.codecs.base import Budget, Payload, Received
from m4sc.codecs.fitted_picture import FittedPictureCodec, highest, scheme_at
from m4sc.codecs.picture import ReconstructionCodec
from m4sc.codecs.rivals.picture_files import FORMATS, JPEG_XL, PictureFiles, has_jpeg_xl
from m4sc.coding.reconstruction.codec import load_codec
from m4sc.evaluate.crossing import Crossing, cross
from m4sc.evaluate.metrics.image import psnr_db
from m4sc.message import Message, MessageError
from m4sc.phy.modulation.mcs import MCS_TABLE
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.shipped import weights_folder
from m4sc.tasks import get_task
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, digital_symbols, to_frames
from scipy.ndimage import gaussian_filter

TASK = get_task("reconstruct")


def grainy(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise of two scales, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    grains = [
        gaussian_filter(rng.normal(size=(height, width, 3)), (s, s, 0)) * s * a for s, a in ((8, 90), (1, 30))
    ]
    return np.clip(128 + sum(grains), 0, 255).astype(np.uint8)


def sent(payload: Payload, snr_db: float, told_db: float | None = None) -> Crossing:
    """Across AWGN of an SNR; the transport is told another if `told_db` is given."""
    config = TransportConfig(PayloadFormat(snr_db=snr_db if told_db is None else told_db), interleave=False)
    return cross(payload, "awgn", snr_db, np.random.default_rng(0), config)


@settings(max_examples=40, deadline=None)
@given(
    n_bytes=st.integers(1, 9000), mcs=st.integers(0, len(MCS_TABLE) - 1), segment=st.sampled_from((64, 1024))
)
def test_symbols_are_counted_as_they_are_sent(n_bytes: int, mcs: int, segment: int) -> None:
    config = TransportConfig(PayloadFormat(mcs=mcs), segment_bytes=segment)
    if n_bytes > 200 * segment:
        return
    frames = to_frames(Payload(1, "image", data=bytes(n_bytes)), Address(), config)
    assert digital_symbols(n_bytes, config) == sum(len(frame.symbols) for frame in frames)


def test_the_codecs_scheme_is_kept_unless_the_transport_is_told_one() -> None:
    payload = Payload(1, "image", data=bytes(100), mcs=2)
    assert {f.header.mcs for f in to_frames(payload, Address(), TransportConfig())} == {2}
    told = TransportConfig(PayloadFormat(mcs=5))
    assert {f.header.mcs for f in to_frames(payload, Address(), told)} == {5}
    free = to_frames(replace(payload, mcs=-1), Address(), TransportConfig())
    assert {f.header.mcs for f in free} != {2}


@pytest.mark.parametrize("form", [form for form in FORMATS if form != JPEG_XL or has_jpeg_xl()])
def test_more_symbols_or_a_better_channel_give_a_better_picture(form: str) -> None:
    codec, picture = FittedPictureCodec(PictureFiles(form, speed=8)), grainy(96, 120)
    quality = []
    for symbols, snr_db in ((8000, 1.0), (16000, 1.0), (16000, 10.0)):
        payload = codec.encode(Message("image", picture), TASK, Budget(symbols, snr_db))
        crossing = sent(payload, snr_db)
        assert crossing.symbols <= symbols and crossing.received is not None
        shown = codec.decode(crossing.received, TASK).image
        assert shown is not None and shown.shape == picture.shape
        quality.append(psnr_db(shown, picture))
    assert quality[0] < quality[1] < quality[2]


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), symbols=st.integers(600, 5000))
def test_any_size_fits_or_is_refused(height: int, width: int, symbols: int) -> None:
    codec, picture = FittedPictureCodec(), grainy(height, width)
    try:
        payload = codec.encode(Message("image", picture), TASK, Budget(symbols, 10.0))
    except ValueError as exc:
        assert "give more symbols" in str(exc)
        return
    crossing = sent(payload, 10.0)
    assert crossing.symbols <= symbols and crossing.received is not None
    shown = codec.decode(crossing.received, TASK).image
    assert shown is not None and shown.shape == picture.shape


def test_a_picture_too_large_for_its_symbols_is_made_smaller() -> None:
    codec, picture = FittedPictureCodec(), grainy(256, 200, 3)
    payload = codec.encode(Message("image", picture), TASK, Budget(900, 10.0))
    assert payload.data[4] > 1  # the reduction
    shown = codec.decode(Received(data=payload.data), TASK).image
    assert shown is not None and shown.shape == picture.shape and psnr_db(shown, picture) > 12


def test_grey_and_one_pixel() -> None:
    codec = FittedPictureCodec()
    for picture in (np.full((64, 64, 3), 128, np.uint8), np.full((1, 1, 3), 7, np.uint8)):
        payload = codec.encode(Message("image", picture), TASK, Budget(2000, 10.0))
        shown = codec.decode(Received(data=payload.data), TASK).image
        assert shown is not None and psnr_db(shown, picture) > 35


def test_what_cannot_be_sent_is_refused() -> None:
    codec = FittedPictureCodec()
    for symbols in (0, 1, 50):
        with pytest.raises(ValueError, match="give more symbols"):
            codec.encode(Message("image", grainy(64, 64)), TASK, Budget(symbols, 10.0))
    with pytest.raises(ValueError, match="picture is needed"):
        codec.encode(Message("text", "a"), TASK, Budget(1000, 10.0))
    with pytest.raises(ValueError, match="at most"):
        codec.encode(Message("image", np.zeros((2, 2000, 3), np.uint8)), TASK, Budget(1000, 10.0))


def test_a_block_in_error_costs_the_picture() -> None:
    codec = FittedPictureCodec()
    payload = codec.encode(Message("image", grainy(96, 96)), TASK, Budget(4000, 10.0))
    assert sent(payload, 10.0).received is not None
    assert sent(payload, 4.0, told_db=10.0).received is None


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 400), seed=st.integers(0, 99))
def test_broken_bytes_are_told_or_shown_at_their_size(cut: int, seed: int) -> None:
    codec, picture = FittedPictureCodec(), grainy(48, 40)
    data = codec.encode(Message("image", picture), TASK, Budget(2000, 10.0)).data
    rng = np.random.default_rng(seed)
    broken = bytearray(data[: max(0, len(data) - cut)] if seed % 2 else data)
    for _ in range(0 if seed % 2 else 3):
        broken[int(rng.integers(len(broken)))] = int(rng.integers(256))
    try:
        shown = codec.decode(Received(data=bytes(broken)), TASK).image
    except MessageError:
        return
    assert shown is not None and shown.ndim == 3


def test_bytes_that_name_no_size_are_refused() -> None:
    codec = FittedPictureCodec()
    data = codec.encode(Message("image", grainy(48, 40)), TASK, Budget(2000, 10.0)).data
    for head in (b"", b"\0\0\0\x28\x01", b"\0\x30\0\x28\x03", b"\0\x31\0\x28\x01"):
        with pytest.raises(MessageError):
            codec.decode(Received(data=head + data[5:] if head else b""), TASK)


def test_the_scheme_follows_the_snr_and_the_search_finds_the_highest() -> None:
    schemes = [scheme_at(snr_db) for snr_db in (-20, 1, 4, 7, 10, 13)]
    assert schemes == sorted(schemes) and schemes[0] == 0
    assert [highest(lambda n, x=x: n <= x, 10) for x in (0, 1, 7, 10, 20)] == [0, 1, 7, 10, 10]  # type: ignore[misc]


def test_reconstruct_takes_any_number_of_symbols() -> None:
    codec = ReconstructionCodec(load_codec(weights_folder("reconstruct")), 5)
    small, large = grainy(32, 32), grainy(64, 96)
    own = codec.encode(Message("image", small), TASK, Budget(512, 10.0))
    assert own.latents is not None and len(own.latents) == 512  # what a tile takes: as ever
    payload = codec.encode(Message("image", large), TASK, Budget(2500, 10.0))
    assert payload.data and not payload.fingerprint
    crossing = sent(payload, 10.0)
    assert crossing.received is not None and crossing.symbols <= 2500
    analogue = Received(own.symbols, np.full(512, 0.1, np.float32))
    both = codec.decode_many([crossing.received, analogue], TASK, [None, None])
    assert [one.image.shape for one in both if one.image is not None] == [large.shape, small.shape]


def test_a_receiver_shows_what_reconstruct_sent_as_a_file() -> None:
    from m4sc.codecs.source_coding import source_decode, source_encode

    codec, picture = FittedPictureCodec(), grainy(80, 64)
    data = codec.encode(Message("image", picture), TASK, Budget(3000, 10.0)).data
    assert psnr_db(np.asarray(source_decode(data, "image").data), picture) > 20
    other = source_decode(source_encode(Message("image", picture)), "image")  # WebP, as ever
    assert np.asarray(other.data).shape == picture.shape
    with pytest.raises(MessageError):
        source_decode(data[:40], "image")
