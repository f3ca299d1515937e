"""Picture files and pictures of other libraries to one form: uint8 (H, W, 3) sRGB, upright and opaque.

The size is read from the header and held against the bounds before any pixel is decoded.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from m4sc.media.kinds import read_file
from m4sc.media.limits import FILES, Limits, MessageError
from m4sc.media.webp import WebPError, WebPFrame, first_frame, is_webp

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112  # EXIF tag
# EXIF 2.3, Table 8: how the stored picture lies; names of PIL.Image.Transpose
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_MOST_SCANS = 100  # of a progressive JPEG picture: each goes over all coefficients
_SCAN = b"\xff\xda"
_ANIMATED = "the picture is animated; its first frame is sent"
_STRIP = 1 << 20  # pixels taken over at once from Pillow, whose way to an array holds them three times


def read_picture(payload: bytes, limits: Limits = FILES) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture file's bytes to uint8 (H, W, 3) sRGB.

    Turned upright as its EXIF orientation says; transparent parts over white; 16-bit and float grey scaled to
    8 bit; of an animation the first frame.

    Returns:
        The picture, and what a person should know of how it was read.

    Raises:
        MessageError: too large, broken, or not a picture.
    """
    from PIL import Image, UnidentifiedImageError

    limits.check_bytes(payload, "picture")
    frame = _first_of_webp(payload, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is bounded here
            stored = io.BytesIO(payload if frame is None else frame.payload)
            with Image.open(stored, formats=_formats(payload, limits)) as picture:
                notes = _reduce(picture, payload, limits)
                if frame is not None and frame.animated:
                    notes.append(_ANIMATED)
                    return _on_canvas(_to_rgb(picture), frame), tuple(notes)
                if getattr(picture, "is_animated", False) and picture.format != "MPO":
                    notes.append(_ANIMATED)
                return _upright(_to_rgb(picture), _orientation(picture)), tuple(notes)
    except UnidentifiedImageError as exc:
        raise MessageError(_unknown(payload)) from exc
    except MessageError:
        raise
    except Image.DecompressionBombError as exc:
        raise MessageError(f"the picture is too large; at most {limits.pixels / 1e6:.1f} megapixels") from exc
    except MemoryError as exc:
        raise MessageError("the picture is too large for this machine's memory") from exc
    except Exception as exc:  # Pillow's decoders raise whatever a broken file makes them stumble over
        raise MessageError("the picture cannot be read; it is broken or not a picture file") from exc


def as_picture(value: Any, limits: Limits = FILES) -> np.ndarray:
    """A picture in any usual form to uint8 (H, W, 3).

    Args:
        value: a path, a Pillow picture, or an array, grey (H, W), (H, W, C) or (C, H, W) with 1, 3 or 4
            channels: uint8, uint16 over its whole range, other integers in 0..255, bool, or float in 0..1.

    Raises:
        MessageError: another type, shape or range.
    """
    from PIL import Image

    if isinstance(value, str | Path):
        return read_picture(read_file(value, limits), limits)[0]
    if isinstance(value, Image.Image):
        _check_pixels(*value.size, limits)
        return _upright(_to_rgb(value), _orientation(value))
    if isinstance(value, bytes | bytearray | memoryview):
        raise MessageError("a picture is pixels or a path, not a file's bytes; use Message.from_bytes")
    try:
        pixels = np.asarray(value)
    except Exception as exc:
        raise MessageError(
            f"a {type(value).__name__} is no picture; give pixels, a picture or a path"
        ) from exc
    pixels = _channels_last(pixels)
    _check_pixels(pixels.shape[1], pixels.shape[0], limits)
    levels = _to_bytes(pixels)
    if levels.shape[2] == 4:
        return _pixels(_over_white(Image.fromarray(levels, "RGBA")))
    return np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:2], 3)))


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1), (H, W, 3) or (H, W, 4) of any array that is a picture."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise MessageError(
            f"an array of shape {pixels.shape} is no picture; give (H, W), (H, W, 3) or (H, W, 4)"
        )
    return pixels


def _to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Levels of any number type as uint8."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind not in "iuf":
        raise MessageError(f"a picture has numbers, not {pixels.dtype}")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise MessageError("the picture has NaN or infinite values")
    low, high = pixels.min(), pixels.max()
    most = 1.0 if pixels.dtype.kind == "f" else 65535 if pixels.dtype == np.uint16 else 255
    if low < 0 or high > most:
        raise MessageError(
            f"a picture of {pixels.dtype} has values from 0 to {most:g}; got {low:g} to {high:g}"
        )
    return np.round(pixels * (255.0 / most)).astype(np.uint8)


def _to_rgb(picture: Image.Image) -> np.ndarray:
    """uint8 (H, W, 3) of a Pillow picture of any mode; transparent parts over white."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        grey = _grey_levels(np.asarray(picture))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        picture = _over_white(picture.convert("RGBA"))
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    return _pixels(picture)


def _pixels(picture: Image.Image) -> np.ndarray:
    """uint8 (H, W, 3) of an RGB picture, a strip at a time."""
    picture.load()
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP // max(1, width))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, width, bottom)), np.uint8)
    return pixels


def _over_white(picture: Image.Image) -> Image.Image:
    """An RGBA picture laid over white paper."""
    from PIL import Image

    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper


def _grey_levels(grey: np.ndarray) -> np.ndarray:
    """Deep grey, (H, W) of integers or floats, to uint8.

    Integers count from 0 to 65535, floats from 0 to 1 or to 255, as they are stored usually; a picture with
    values outside its range is stretched from its darkest to its brightest value.
    """
    known = np.isfinite(grey)
    if not known.any():
        raise MessageError("the picture has no finite values")
    low, high = (float(grey[known].min()), float(grey[known].max())) if known.any() else (0.0, 0.0)
    tops = (1.0, 255.0) if grey.dtype.kind == "f" else (65535.0,)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    start, span = (0.0, top) if top is not None else (low, high - low or 1.0)
    levels = np.nan_to_num(grey.astype(np.float32), nan=start, posinf=start + span, neginf=start)
    return np.clip(np.round((levels - start) * (255.0 / span)), 0, 255).astype(np.uint8)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF: the picture is as it is stored
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    from PIL import Image

    name = _TURNS.get(orientation)
    if name is None:
        return pixels
    return np.asarray(Image.fromarray(pixels).transpose(Image.Transpose[name]), np.uint8)


def _reduce(picture: Image.Image, payload: bytes, limits: Limits) -> list[str]:
    """Check the size before the pixels are decoded; a large JPEG picture is decoded at a fraction of it."""
    width, height = picture.size
    progressive = bool(picture.info.get("progressive"))
    if picture.format not in ("JPEG", "MPO") or progressive or width * height <= limits.pixels:
        _check_pixels(width, height, limits)
        if progressive and payload.count(_SCAN) > _MOST_SCANS:
            raise MessageError(f"the picture is too large: it comes in more than {_MOST_SCANS} scans")
        return []
    if width * height > limits.coarse_pixels:
        _check_pixels(width, height, limits)
    fraction = 1
    while (-(-width // fraction)) * (-(-height // fraction)) > limits.pixels:
        fraction *= 2
    picture.draft(None, (width // fraction, height // fraction))
    _check_pixels(*picture.size, limits)
    return [f"the picture of {width} x {height} pixels is read as {picture.width} x {picture.height}"]


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise MessageError(
            f"the picture is too large: {width} x {height} pixels; "
            f"at most {limits.pixels / 1e6:.1f} megapixels are read"
        )


def _first_of_webp(payload: bytes, limits: Limits) -> WebPFrame | None:
    """Of a WebP file the picture that is read, its size within the bounds; None of other files."""
    if not is_webp(payload):
        return None
    try:
        frame = first_frame(payload)
    except WebPError as exc:
        raise MessageError("the picture cannot be read; it is a broken WebP file") from exc
    _check_pixels(*frame.canvas, limits)
    return frame


def _on_canvas(pixels: np.ndarray, frame: WebPFrame) -> np.ndarray:
    """The first frame of an animation where it stands, over white."""
    height, width = pixels.shape[:2]
    if (width, height) == frame.canvas:
        return pixels
    canvas = np.full((frame.canvas[1], frame.canvas[0], 3), 255, np.uint8)
    canvas[frame.top : frame.top + height, frame.left : frame.left + width] = pixels
    return canvas


def _is_heic(payload: bytes) -> bool:
    return payload[4:8] == b"ftyp" and payload[8:12] in _HEIC_BRANDS


def _formats(payload: bytes, limits: Limits) -> tuple[str, ...]:
    """Those of the bounds that this Pillow and its plugins read."""
    from PIL import Image

    Image.init()
    if "HEIF" in limits.picture_formats and _is_heic(payload):
        with contextlib.suppress(ImportError):
            importlib.import_module("pillow_heif").register_heif_opener()
    return tuple(name for name in limits.picture_formats if name in Image.OPEN)


def _unknown(payload: bytes) -> str:
    if _is_heic(payload):
        return (
            "HEIC pictures need the package pillow-heif; install it with pip, or export the picture as JPEG"
        )
    if payload[:5].lower() in (b"<?xml", b"<svg "):
        return "drawings (SVG) are not read; export it as PNG"
    return "the picture cannot be read; it is broken or not a picture file"
