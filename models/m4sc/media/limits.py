"""How much of anything is read: every bound stands here, and each is checked before memory is taken."""

from __future__ import annotations

from dataclasses import dataclass

MEBI = 1 << 20


class MessageError(ValueError):
    """What was given is not a message that can be sent; the text is one sentence."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one message.

    Attributes:
        file_bytes: of a file as it lies on the disk or comes from the air.
        pixels: of a decoded picture; 16 million of four bytes are 64 MB.
        coarse_pixels: of a JPEG picture that is decoded at a fraction of its size, down to `pixels`.
        picture_formats: Pillow's names; none of them starts another program or opens another file.
        sound_s: length of a sound, s.
        channels, low_rate_hz, high_rate_hz: of a sound file.
        text_bytes: of a text in UTF-8.
    """

    file_bytes: int = 64 * MEBI
    pixels: int = 16_000_000
    coarse_pixels: int = 170 * MEBI
    picture_formats: tuple[str, ...] = (
        "PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "AVIF", "HEIF"
    )  # fmt: skip
    sound_s: float = 30.0
    channels: int = 8
    low_rate_hz: int = 4_000
    high_rate_hz: int = 384_000
    text_bytes: int = 64 << 10

    def check_bytes(self, payload: bytes, what: str) -> None:
        """Raise MessageError where a file is empty or has more than `file_bytes`."""
        if not payload:
            raise MessageError(f"the {what} is empty")
        check_size(len(payload), self.file_bytes, f"the {what}")


FILES = Limits()
"""Of files that a person hands in."""


def check_size(size: int, most: int, what: str) -> None:
    """Raise MessageError where something of `size` bytes has more than `most`."""
    if size > most:
        raise MessageError(f"{what} is too large: {size:,} bytes; at most {most:,} are read")
