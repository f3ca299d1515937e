"""WebP files by their chunks (RFC 9649): libwebp takes memory for two canvases when it opens one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ALPHA, _ANIMATION = 0x10, 0x02  # flags of a VP8X chunk
_PICTURES = (b"VP8 ", b"VP8L")
_FRAME_HEAD = 16  # bytes of an ANMF chunk before the frame's own chunks


class WebPError(ValueError):
    """Bytes that are no whole WebP file."""


@dataclass(frozen=True)
class WebPFrame:
    """A still picture and its place.

    Attributes:
        payload: a WebP file of one picture.
        canvas: width and height of what is shown.
        left, top: of the picture on the canvas.
        animated: whether it is the first of several frames.
    """

    payload: bytes
    canvas: tuple[int, int]
    left: int = 0
    top: int = 0
    animated: bool = False


def is_webp(payload: bytes) -> bool:
    """Whether a file begins as one."""
    return payload[:4] == b"RIFF" and payload[8:12] == b"WEBP"


def first_frame(payload: bytes) -> WebPFrame:
    """The first frame of a WebP file, as a file of its own; a still picture's file is left as it is.

    Raises:
        WebPError: no size, or an animation without a whole frame.
    """
    kind, data = next(_chunks(payload, 12), (b"", b""))
    if kind != b"VP8X":
        return WebPFrame(payload, _size(kind, data))
    if len(data) < 10:
        raise WebPError("the header is cut off")
    canvas = _number(data[4:7]) + 1, _number(data[7:10]) + 1
    if not data[0] & _ANIMATION:
        _same_size(payload, canvas)
        return WebPFrame(payload, canvas)
    frame = next((part for name, part in _chunks(payload, 12) if name == b"ANMF"), b"")
    if len(frame) <= _FRAME_HEAD:
        raise WebPError("an animation without a frame")
    left, top = 2 * _number(frame[0:3]), 2 * _number(frame[3:6])
    size = _number(frame[6:9]) + 1, _number(frame[9:12]) + 1
    if left + size[0] > canvas[0] or top + size[1] > canvas[1]:
        raise WebPError("a frame beside the canvas")
    return WebPFrame(_still(frame[_FRAME_HEAD:], size), canvas, left, top, True)


def _still(chunks: bytes, size: tuple[int, int]) -> bytes:
    """A file of a frame's chunks."""
    parts = {name: data for name, data in _chunks(chunks, 0) if name in (*_PICTURES, b"ALPH")}
    picture = next((name for name in _PICTURES if name in parts), None)
    if picture is None or _size(picture, parts[picture]) != size:
        raise WebPError("a frame without a picture of its size")
    body = _chunk(picture, parts[picture])
    if b"ALPH" in parts and picture == b"VP8 ":
        sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
        head = _chunk(b"VP8X", struct.pack("<I", _ALPHA) + sides)
        body = head + _chunk(b"ALPH", parts[b"ALPH"]) + body
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _same_size(payload: bytes, canvas: tuple[int, int]) -> None:
    """A still picture has the size of its canvas; libwebp finds out after it took memory for both."""
    for kind, data in _chunks(payload, 12):
        if kind in _PICTURES and _size(kind, data) != canvas:
            raise WebPError("a picture of another size than its canvas")


def _chunks(data: bytes, place: int) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes of each chunk from a place on; the last one may be cut."""
    while place + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, place + 4)
        yield data[place : place + 4], data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _size(kind: bytes, data: bytes) -> tuple[int, int]:
    """Width and height that a picture's chunk says."""
    if kind == b"VP8L" and len(data) >= 5:
        bits = _number(data[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise WebPError("no picture in the file")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
