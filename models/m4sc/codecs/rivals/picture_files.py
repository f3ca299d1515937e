"""Pictures as files: JPEG, JPEG 2000, JPEG XL, WebP, AVIF, and a frame of H.265, for HEIC and BPG."""

from __future__ import annotations

import importlib
import importlib.util
import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from m4sc.media.limits import Limits
from m4sc.message import Message, MessageError

MOST_SIDE = 1024
JPEG_XL = "jpegxl"
"""Of Pillow where the package pillow-jxl-plugin is installed, which no other part needs."""
FORMATS = ("jpeg", "jpeg2000", JPEG_XL, "webp", "avif", "heic")
_PILLOW = {"jpeg": "JPEG", "jpeg2000": "JPEG2000", JPEG_XL: "JXL", "webp": "WEBP", "avif": "AVIF"}
_CHROMA = {420: "yuv420p", 444: "yuv444p"}
_HALF_STEP = 0.15  # of adaptive quantisers' strength
_WORST_QP = 51  # of H.265; its quality 100 is QP 1


@dataclass(frozen=True)
class PictureFiles:
    """A source codec of pictures.

    Attributes:
        form: one of `FORMATS`.
        side: pixels of the longer side at most; larger pictures are scaled down.
        quality: 1 to 100, as the format understands it. Of JPEG 2000 the PSNR in dB, of H.265 on its scale of
            quantisers, coarsest to finest.
        chroma: of H.265 and AVIF, 420, with colour at half the width and height, or 444.
        squared: of H.265 and AVIF, spend bits for the least squared error, as PSNR counts, instead of for
            the eye.
        speed: of AVIF, 0 (thorough) to 10.
    """

    form: str
    side: int = 256
    quality: int = 50
    chroma: int = 420
    squared: bool = False
    speed: int = 2

    def __post_init__(self) -> None:
        if self.form not in FORMATS:
            raise ValueError(f"picture format '{self.form}' is none of {', '.join(FORMATS)}")
        if not 16 <= self.side <= MOST_SIDE or not 1 <= self.quality <= 100:
            raise ValueError(
                f"side {self.side} and quality {self.quality}: give 16 to {MOST_SIDE} and 1 to 100"
            )
        if self.chroma not in _CHROMA:
            raise ValueError(f"chroma {self.chroma} is none of 420 and 444")

    def source_encode(self, message: Message) -> bytes:
        """A picture's file.

        Raises:
            ValueError: the message is no picture.
        """
        from PIL import Image

        if message.modality != "image":
            raise ValueError(f"{self.form} takes pictures, but the message is {message.modality}")
        picture = Image.fromarray(np.asarray(message.data))
        picture.thumbnail((self.side, self.side), Image.Resampling.LANCZOS)
        if self.form == "heic":
            return _encode_h265(np.asarray(picture), self._quantiser(), self.chroma)
        buffer = io.BytesIO()
        if self.form == "jpeg2000":
            picture.save(
                buffer, "JPEG2000", quality_mode="dB", quality_layers=[self.quality], no_jp2=True, mct=1
            )
        elif self.form == "jpeg":
            picture.save(buffer, "JPEG", quality=self.quality, optimize=True)
        elif self.form == JPEG_XL:
            _need_jpeg_xl()
            picture.save(buffer, "JXL", quality=self.quality, effort=7)
        elif self.form == "webp":
            picture.save(buffer, "WEBP", quality=self.quality, method=6)
        else:
            picture.save(buffer, "AVIF", quality=self.quality, **self._avif())
        return buffer.getvalue()

    def _quantiser(self) -> str:
        """Parameters of x265 that set how coarse it is."""
        qp = _WORST_QP - 0.5 * self.quality
        if not self.squared:
            return f"qp={round(qp)}"
        strength = _HALF_STEP if qp % 1 else 0  # coarser where there is much texture: half a step less bytes
        return f"crf={int(qp)}:aq-mode=1:aq-strength={strength}:cutree=0:psy-rd=0:psy-rdoq=0"

    def _avif(self) -> dict[str, Any]:
        """Options of Pillow's writer."""
        colour = "4:4:4" if self.chroma == 444 else "4:2:0"
        tune = {"advanced": {"tune": "psnr"}} if self.squared else {}
        return {"speed": self.speed, "subsampling": colour, **tune}

    def source_decode(self, payload: bytes, modality: str) -> Message:
        """The picture of a file.

        Raises:
            MessageError: the bytes are no picture of this format, or a larger one than is sent.
        """
        if self.form == "heic":
            return Message("image", _decode_h265(payload, self.side))
        if self.form == JPEG_XL:
            _need_jpeg_xl()
        pixels = self.side**2
        limits = Limits(1 << 20, pixels, pixels, picture_formats=(_PILLOW[self.form],))
        limits.check_bytes(payload, "picture")
        return Message.from_bytes(payload, "image", limits)


def has_jpeg_xl() -> bool:
    """Whether JPEG XL can be written and read."""
    return importlib.util.find_spec("pillow_jxl") is not None


def _need_jpeg_xl() -> None:
    if not has_jpeg_xl():
        raise ValueError(
            "JPEG XL needs the package pillow-jxl-plugin: .venv/bin/pip install pillow-jxl-plugin"
        )
    importlib.import_module("pillow_jxl")  # tells Pillow of the format


def _encode_h265(pixels: np.ndarray, quantiser: str, chroma: int) -> bytes:
    """One intra frame; the last row and column make sides even.

    The true sides, which the frame's own may exceed by a pixel, stand in two leading numbers of 16 bits.
    """
    import av

    height, width = pixels.shape[:2]
    down, right = max(height % 2, 16 - height), max(width % 2, 16 - width)
    padded = np.pad(pixels, ((0, down), (0, right), (0, 0)), mode="edge")
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = padded.shape[1], padded.shape[0], _CHROMA[chroma]
    encoder.time_base = Fraction(1)
    encoder.options = {
        "preset": "veryslow",
        "x265-params": f"{quantiser}:keyint=1:info=0:hrd=0:aud=0:repeat-headers=1:pools=none:log-level=none",
    }
    encoder.open()
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
    frame = frame.reformat(format=_CHROMA[chroma])
    frame.pts = 0
    packets = encoder.encode(frame) + encoder.encode(None)
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return size + b"".join(bytes(packet) for packet in packets)


def _decode_h265(payload: bytes, side: int) -> np.ndarray:
    import av

    height, width = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")
    if not (1 <= height <= side and 1 <= width <= side):
        raise MessageError("the picture's size is none that is sent; its bytes are broken")
    decoder = av.CodecContext.create("hevc", "r")
    decoder.options = {
        "max_pixels": str((MOST_SIDE + 16) ** 2),
        "threads": "1",
    }  # held before memory is taken
    try:
        frames = decoder.decode(av.Packet(payload[4:])) + decoder.decode(None)
    except (ValueError, av.error.FFmpegError) as exc:
        raise MessageError("the picture cannot be decoded; its bytes are broken") from exc
    if len(frames) != 1 or max(frames[0].height, frames[0].width) > MOST_SIDE + 16:
        raise MessageError("the bytes hold no single picture of the size that is sent")
    pixels: np.ndarray = frames[0].to_ndarray(format="rgb24")[:height, :width]
    if pixels.shape[:2] != (height, width):
        raise MessageError("the picture is smaller than its bytes say; they are broken")
    return pixels
