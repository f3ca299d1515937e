"""Small whole files of every kind that is read, made here: what trials mutate and tests read."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from m4sc.message import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from PIL import Image

TONE_HZ = 440.0
PICTURE_KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "AVIF")


def picture_file(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as a file of one of Pillow's kinds."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise_picture() -> Image.Image:
    """32 x 24 pixels of noise: no coder makes them smaller than a few hundred bytes."""
    from PIL import Image

    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))


def picture_files() -> list[bytes]:
    """A picture in every kind, and in ways of storing that have decoders of their own."""
    picture = noise_picture()
    clear = picture.convert("RGBA")
    clear.putalpha(90)
    kinds = [picture_file(picture, kind) for kind in PICTURE_KINDS]
    return [
        *kinds,
        picture_file(picture, "JPEG", progressive=True),
        picture_file(picture, "TIFF", compression="tiff_lzw"),
        picture_file(picture, "WEBP", lossless=True),
        picture_file(clear, "WEBP"),
        picture_file(picture, "WEBP", save_all=True, append_images=[picture.rotate(90)]),
        picture_file(clear, "WEBP", save_all=True, append_images=[clear.rotate(90)], lossless=True),
        picture_file(picture.convert("P"), "GIF", save_all=True, append_images=[picture.convert("P")]),
        picture_file(picture, "PNG", save_all=True, append_images=[picture.rotate(90)]),
    ]


def png_header(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that claims a size."""

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(99))) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tone(rate: int = SAMPLE_RATE_HZ, seconds: float = 1.0) -> np.ndarray:
    """A tone of `TONE_HZ`, float32 (n,), half of full scale."""
    return (0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def sound_file(samples: np.ndarray, rate: int, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """Samples, (n,) or (n, channels), as a file of one of libsndfile's kinds."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def container_file(kind: str, codec: str, rate: int, sample_format: str = "fltp") -> bytes:
    """A second of the tone as a phone's or a browser's file, made by FFmpeg."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([tone(rate)] * 2), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = rate, 0
        to = av.AudioResampler(format=sample_format, layout="stereo", rate=rate, frame_size=1024)
        for piece in (*to.resample(frame), *to.resample(None)):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def stereo(rate: int) -> np.ndarray:
    """The tone on two channels, float32 (n, 2)."""
    return np.stack([tone(rate), tone(rate)], axis=1)


SOUND_FILES: dict[str, Callable[[], bytes]] = {
    "8 kHz": lambda: sound_file(tone(8000), 8000),
    "11.025 kHz": lambda: sound_file(tone(11025), 11025),
    "22.05 kHz": lambda: sound_file(tone(22050), 22050),
    "44.1 kHz, stereo, 24 bit": lambda: sound_file(stereo(44100), 44100, subtype="PCM_24"),
    "48 kHz, float": lambda: sound_file(tone(48000), 48000, subtype="FLOAT"),
    "47999 Hz": lambda: sound_file(tone(47999), 47999),
    "192 kHz, 8 channels": lambda: sound_file(np.stack([tone(192000)] * 8, 1), 192000),
    "mu-law": lambda: sound_file(tone(8000), 8000, subtype="ULAW"),
    "FLAC": lambda: sound_file(stereo(44100), 44100, "FLAC"),
    "Vorbis": lambda: sound_file(stereo(44100), 44100, "OGG"),
    "Opus": lambda: sound_file(tone(48000), 48000, "OGG", "OPUS"),
    "MP3": lambda: sound_file(stereo(44100), 44100, "MP3"),
    "AIFF": lambda: sound_file(stereo(44100), 44100, "AIFF"),
    "M4A": lambda: container_file("mp4", "aac", 44100),
    "AAC": lambda: container_file("adts", "aac", 44100),
    "WebM of a browser": lambda: container_file("webm", "libopus", 48000, "flt"),
}

WORDS = "Gr\u00fc\u00dfe \u2014 na\u00efve caf\u00e9, 12 \u20ac\r\n\ttabs  and lines\n"
TEXT_FILES = {
    "UTF-8": WORDS.encode(),
    "UTF-8 with a mark": WORDS.encode("utf-8-sig"),
    "UTF-16 with a mark": WORDS.encode("utf-16"),
    "UTF-16, big endian, with a mark": b"\xfe\xff" + WORDS.encode("utf-16-be"),
    "UTF-16 without a mark": WORDS.encode("utf-16-le"),
    "UTF-16, big endian": WORDS.encode("utf-16-be"),
    "UTF-32": WORDS.encode("utf-32"),
    "Windows-1252": WORDS.encode("cp1252"),
}
