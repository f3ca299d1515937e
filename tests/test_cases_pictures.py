"""Pictures as people have them: read as they look, or refused in one sentence before memory is taken."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from m4sc.codecs.source_coding import source_decode, source_encode
from m4sc.message import Message, MessageError
from m4sc_app.bench.trials.sample_files import picture_file as file_of
from m4sc_app.bench.trials.sample_files import png_header
from PIL import Image

# (H, W), dark at the upper left, so that no turn leaves it as it is
RAMP = np.round(np.linspace(0, 200, 64) + np.linspace(0, 55, 48)[:, None]).astype(np.uint8)


def rgb(grey: np.ndarray = RAMP) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return file_of(Image.fromarray(rgb()), "PNG", exif=exif.tobytes())


def see_through() -> Image.Image:
    """A black picture of which the left half is transparent."""
    levels = np.zeros((48, 64, 4), np.uint8)
    levels[:, 32:, 3] = 255
    return Image.fromarray(levels, "RGBA")


HALF_WHITE = rgb(np.where(np.arange(64) < 32, 255, 0).astype(np.uint8)[None].repeat(48, 0))


def palette() -> bytes:
    picture = Image.new("P", (64, 48), 0)
    picture.putpalette([0, 0, 0, 0, 0, 0])
    picture.paste(1, (32, 0, 64, 48))
    return file_of(picture, "GIF", transparency=0)


def animation() -> bytes:
    frames = [Image.fromarray(rgb()), Image.new("RGB", (64, 48), "red")]
    return file_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)


TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
def test_a_photo_stands_upright(orientation: int) -> None:
    picture = Message.from_bytes(turned(orientation), "image").data
    assert np.array_equal(picture, TURNS[orientation](rgb()))


DEEP = {
    "16 bit PNG": lambda: file_of(Image.fromarray(RAMP.astype(np.uint16) * 257)),
    "16 bit TIFF": lambda: file_of(Image.fromarray(RAMP.astype(np.uint16) * 257), "TIFF"),
    "32 bit TIFF": lambda: file_of(Image.fromarray(RAMP.astype(np.int32) * 257), "TIFF"),
    "float TIFF, 0 to 1": lambda: file_of(Image.fromarray(RAMP.astype(np.float32) / 255), "TIFF"),
    "float TIFF, 0 to 255": lambda: file_of(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "float TIFF, -1 to 1": lambda: file_of(Image.fromarray(RAMP.astype(np.float32) / 127.5 - 1), "TIFF"),
}


@pytest.mark.parametrize("case", DEEP)
def test_deep_grey_is_scaled(case: str) -> None:
    assert np.abs(Message.from_bytes(DEEP[case](), "image").data.astype(int) - rgb()).max() <= 1


CLEAR = {
    "RGBA PNG": lambda: file_of(see_through()),
    "RGBA WebP": lambda: file_of(see_through(), "WEBP", lossless=True),
    "LA PNG": lambda: file_of(see_through().convert("LA")),
    "palette GIF": palette,
}


@pytest.mark.parametrize("case", CLEAR)
def test_transparent_parts_are_white(case: str) -> None:
    assert np.abs(Message.from_bytes(CLEAR[case](), "image").data.astype(int) - HALF_WHITE).max() <= 2


def test_a_colour_key_is_transparent() -> None:
    black_and_red = np.zeros((48, 64, 3), np.uint8)
    black_and_red[:, 32:, 0] = 255
    picture = Message.from_bytes(
        file_of(Image.fromarray(black_and_red), transparency=(0, 0, 0)), "image"
    ).data
    assert (picture[:, :32] == 255).all() and (picture[:, 32:] == (255, 0, 0)).all()


def test_of_an_animation_the_first_frame_and_a_word_about_it() -> None:
    message = Message.from_bytes(animation(), "image")
    assert np.array_equal(message.data, rgb())
    assert "animated" in " ".join(message.notes)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_print_colours(kind: str) -> None:
    picture = Message.from_bytes(file_of(Image.new("CMYK", (64, 48), (0, 255, 255, 0)), kind), "image").data
    assert picture[..., 0].min() > 200 and picture[..., 1:].max() < 60  # red


# --- in Python ---------------------------------------------------------------------------------------------

FORMS = {
    "grey": lambda: RAMP,
    "grey with a channel": lambda: RAMP[:, :, None],
    "RGBA": lambda: np.dstack([rgb(), np.full_like(RAMP, 255)]),
    "float": lambda: rgb().astype(np.float64) / 255,
    "channels first": lambda: rgb().transpose(2, 0, 1),
    "float, channels first": lambda: rgb().transpose(2, 0, 1).astype(np.float32) / 255,
    "16 bit": lambda: rgb().astype(np.uint16) * 257,
    "int64": lambda: rgb().astype(np.int64),
    "Pillow, RGB": lambda: Image.fromarray(rgb()),
    "Pillow, L": lambda: Image.fromarray(RAMP),
    "nested lists": lambda: rgb().tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_in_python(form: str) -> None:
    picture = Message("image", FORMS[form]()).data
    assert picture.dtype == np.uint8 and np.array_equal(picture, rgb())


def test_a_path_and_a_black_and_white_array(tmp_path) -> None:
    path = tmp_path / "ramp.png"
    Image.fromarray(rgb()).save(path)
    assert np.array_equal(Message("image", path).data, rgb())
    assert np.array_equal(Message("image", str(path)).data, rgb())
    assert set(Message("image", RAMP > 100).data.ravel()) == {0, 255}
    tensor = pytest.importorskip("torch").from_numpy(rgb().transpose(2, 0, 1).copy())
    assert np.array_equal(Message("image", tensor).data, rgb())


WRONG = {
    "bytes": (lambda: file_of(Image.fromarray(rgb())), "from_bytes"),
    "five channels": (lambda: np.zeros((48, 64, 5), np.uint8), "shape"),
    "no rows": (lambda: np.zeros((0, 64, 3), np.uint8), "shape"),
    "float up to 255": (lambda: rgb().astype(float), "0 to 1"),
    "negative": (lambda: rgb().astype(int) - 9, "0 to 255"),
    "not finite": (lambda: np.full((48, 64, 3), np.nan), "NaN"),
    "words": (lambda: np.array([["a", "b"]]), "numbers"),
    "nothing": (lambda: None, "shape"),
}


@pytest.mark.parametrize("form", WRONG)
def test_what_is_no_picture_is_refused(form: str) -> None:
    make, word = WRONG[form]
    with pytest.raises(MessageError, match=word):
        Message("image", make())


# --- bounds ------------------------------------------------------------------------------------------------


def webp_header(width: int, height: int, chunk: str) -> bytes:
    """A WebP file of a few bytes that claims a size."""
    if chunk == "VP8L":
        data = b"\x2f" + struct.pack("<I", width - 1 | (height - 1) << 14) + bytes(5)
    elif chunk == "VP8X":
        data = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    else:
        data = b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(10)
    body = b"WEBP" + chunk.encode() + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


LARGE = {
    **{f"WebP {chunk}": webp_header(16383, 16383, chunk) for chunk in ("VP8L", "VP8X", "VP8 ")},
    "PNG": png_header(13000, 13000),
    "PNG of 4 thousand million": png_header(65535, 65535),
    "BMP": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 13000, 13000, 1, 24, 0, 0, 0, 0, 0, 0),
    "PPM": b"P6 13000 13000 255\n" + bytes(9),
    "GIF": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    + b"\x2c" + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00\x3b",
}  # fmt: skip


def memory_taken(call: Callable[[], object]) -> int:
    """Bytes by which the process was larger while it called than before (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # its peak is forgotten
    before = peak_bytes()
    call()
    return peak_bytes() - before


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.parametrize("case", LARGE)
def test_a_large_picture_is_called_large_before_it_is_decoded(case: str) -> None:
    def read() -> None:
        with pytest.raises(MessageError, match="too large"):
            Message.from_bytes(LARGE[case], "image")

    assert memory_taken(read) < 64 << 20


def test_a_small_file_of_a_large_picture_costs_a_receiver_nothing() -> None:
    bomb = file_of(Image.new("RGB", (3000, 3000)), "WEBP", lossless=True)
    assert len(bomb) < 2000

    def read() -> None:
        with pytest.raises(MessageError, match="too large"):
            source_decode(bomb, "image")

    assert memory_taken(read) < 8 << 20


@pytest.mark.parametrize("case", LARGE)
def test_a_receiver_decodes_no_more_than_its_codec_sends(case: str) -> None:
    def read() -> None:
        with pytest.raises(MessageError):
            source_decode(LARGE[case], "image")

    assert memory_taken(read) < 8 << 20


def test_the_first_frame_of_an_animation_costs_no_canvas_of_the_others() -> None:
    side = 1400
    seen: list[np.ndarray] = []
    taken = []
    for more in (1, 7):
        shades = [(40 * n, 255 - 30 * n, 0) for n in range(more)]
        frames = [Image.new("RGB", (side, side), shade) for shade in ((255, 0, 0), *shades)]
        raw = file_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, method=0)
        taken.append(memory_taken(lambda raw=raw: seen.append(Message.from_bytes(raw, "image").data)))
    assert taken[1] - taken[0] < 2 * 4 * side**2  # six more frames, and not one canvas for each
    assert (seen[0] == [255, 0, 0]).all()


@pytest.mark.parametrize("alpha", [False, True])
def test_an_animation_as_libwebp_shows_it(alpha: bool) -> None:
    """Frames that cover a part of the canvas, with and without transparency."""
    from m4sc.media.webp import first_frame

    picture = Image.fromarray(rgb()).convert("RGBA" if alpha else "RGB")
    if alpha:
        picture.putalpha(Image.fromarray(RAMP))
    for lossless in (True, False):
        raw = file_of(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)], lossless=lossless)
        frame = first_frame(raw)
        assert frame.animated and frame.canvas == (64, 48) and (frame.left, frame.top) == (0, 0)
        with Image.open(io.BytesIO(raw)) as shown, Image.open(io.BytesIO(frame.payload)) as still:
            assert not still.is_animated
            assert np.array_equal(np.asarray(still.convert("RGBA")), np.asarray(shown.convert("RGBA")))


def test_a_frame_that_covers_a_part_of_its_canvas() -> None:
    from m4sc.media.webp import first_frame

    raw = bytearray(animation())
    assert raw[12:16] == b"VP8X"
    raw[24:27], raw[27:30] = (99).to_bytes(3, "little"), (79).to_bytes(3, "little")  # canvas of 100 x 80
    at = raw.index(b"ANMF") + 8
    raw[at : at + 3], raw[at + 3 : at + 6] = (5).to_bytes(3, "little"), (4).to_bytes(3, "little")
    frame = first_frame(bytes(raw))
    assert (frame.left, frame.top, frame.canvas) == (10, 8, (100, 80))
    seen = Message.from_bytes(bytes(raw), "image").data
    assert (
        np.array_equal(seen[8:56, 10:74], rgb()) and (seen[:8] == 255).all() and (seen[:, 74:] == 255).all()
    )


@pytest.mark.parametrize("change", ["size", "place", "no frame", "cut"])
def test_a_broken_animation_is_refused(change: str) -> None:
    raw = bytearray(animation())
    at = raw.index(b"ANMF")
    if change == "size":
        raw[at + 14] += 1
    elif change == "place":
        raw[at + 8] = 200
    elif change == "no frame":
        raw[at : at + 4] = b"XXXX"
        raw[raw.index(b"ANMF") : raw.index(b"ANMF") + 4] = b"XXXX"
    else:
        del raw[at + 20 :]
    with pytest.raises(MessageError, match="broken WebP"):
        Message.from_bytes(bytes(raw), "image")


def test_a_photo_beyond_the_bound_is_read_at_a_fraction_of_its_size() -> None:
    photo = file_of(Image.new("L", (6400, 3200), 90), "JPEG")
    message = Message.from_bytes(photo, "image")
    assert message.data.shape == (1600, 3200, 3) and abs(int(message.data.mean()) - 90) < 3
    assert "6400 x 3200" in message.notes[0]


@pytest.mark.parametrize(
    "payload", [b"", b"GIF89a", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", bytes(99)]
)
def test_other_files_are_no_pictures(payload: bytes) -> None:
    with pytest.raises(MessageError, match="picture"):
        Message.from_bytes(payload, "image")


def test_what_the_classical_codec_sends_it_reads() -> None:
    for shape in ((48, 64, 3), (1, 900, 3), (700, 1000, 3)):
        sent = Message("image", np.full(shape, 77, np.uint8))
        back = source_decode(source_encode(sent), "image").data
        assert back.ndim == 3 and abs(int(back.mean()) - 77) < 3
