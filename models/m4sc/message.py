"""A message: picture, sound, text, or a picture with a spoken question, as it enters the transmitter."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SAMPLE_RATE_HZ = 16_000
MODALITIES = ("image", "speech", "text", "image+speech")
_PICTURE_LENGTH = struct.Struct(">I")

_SUFFIX_MODALITY = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"), "image"),
    **dict.fromkeys((".wav", ".flac", ".ogg", ".opus"), "speech"),
    **dict.fromkeys((".txt", ".md"), "text"),
}


class MessageError(ValueError):
    """The given bytes are not a message that can be sent."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        modality: of `MODALITIES`; ``"image+speech"`` is a picture and a spoken question about it.
        data: image: uint8 (H, W, 3) sRGB; speech: float32 (n,) in -1..1 at 16 kHz; text: str;
            image+speech: the pair of both.
    """

    modality: str
    data: Any

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise MessageError(f"modality '{self.modality}' is unknown; use one of {', '.join(MODALITIES)}")
        if self.modality == "text" and not str(self.data).strip():
            raise MessageError("the text is empty; give at least one word")
        if self.modality == "speech":
            _check_sound(np.asarray(self.data))
        if self.modality == "image+speech":
            _check_sound(np.asarray(self.data[1]))

    @classmethod
    def from_bytes(cls, payload: bytes, modality: str) -> Message:
        """Decode a file's bytes (any Pillow picture, WAV/FLAC/OGG sound, UTF-8 text, or `join_files`' bytes).

        Raises:
            MessageError: unknown modality, undecodable bytes, empty text, a sound not at 16 kHz.
        """
        if modality == "image":
            return cls("image", _decode_picture(payload))
        if modality == "speech":
            return cls("speech", _decode_sound(payload))
        if modality == "image+speech":
            picture, sound = split_files(payload)
            return cls(modality, (_decode_picture(picture), _decode_sound(sound)))
        if modality == "text":
            try:
                return cls("text", payload.decode("utf-8"))
            except UnicodeDecodeError as exc:
                raise MessageError(f"the text is not UTF-8 (byte {exc.start}); convert it first") from exc
        raise MessageError(f"modality '{modality}' is unknown; use one of {', '.join(MODALITIES)}")

    @classmethod
    def from_file(cls, path: str | Path, modality: str | None = None) -> Message:
        """Read a file; the modality follows from its suffix unless given.

        A picture's path, ``+`` and a sound's path name both as one message.

        Raises:
            MessageError: no such file, unknown suffix, or as :meth:`from_bytes`.
        """
        path = Path(path)
        payload = read_file(path)
        modality = modality or modality_of(path)
        try:
            return cls.from_bytes(payload, modality)
        except MessageError as exc:
            raise MessageError(f"{path.name}: {exc}") from exc


def read_file(path: str | Path) -> bytes:
    """A message's bytes: the file's, or of ``PICTURE+SOUND`` those of both files by `join_files`.

    Raises:
        MessageError: no such file.
    """
    parts = _paths(path)
    for part in parts:
        if not part.is_file():
            raise MessageError(f"no such file: {part}")
    contents = [part.read_bytes() for part in parts]
    return contents[0] if len(contents) == 1 else join_files(*contents)


def join_files(picture: bytes, sound: bytes) -> bytes:
    """The files of a picture and of a spoken question as one message: length of the first, both files."""
    return _PICTURE_LENGTH.pack(len(picture)) + picture + sound


def split_files(payload: bytes) -> tuple[bytes, bytes]:
    """Inverse of :func:`join_files`; raises MessageError where the bytes are no such pair."""
    start = _PICTURE_LENGTH.size
    length = _PICTURE_LENGTH.unpack(payload[:start])[0] if len(payload) >= start else len(payload)
    if not 0 < length < len(payload) - start:
        raise MessageError("the message is no picture with a sound; give PICTURE+SOUND")
    return payload[start : start + length], payload[start + length :]


def is_pair(path: str | Path) -> bool:
    """Whether a path is of the form ``PICTURE+SOUND``; a file whose own name has a plus is not."""
    return len(_paths(path)) == 2


def _paths(path: str | Path) -> list[Path]:
    """The path, or those of a picture and a sound."""
    picture, plus, sound = str(path).rpartition("+")
    if not plus or Path(path).exists():
        return [Path(path)]
    kinds = [_SUFFIX_MODALITY.get(Path(part).suffix.lower()) for part in (picture, sound)]
    return [Path(picture), Path(sound)] if kinds == ["image", "speech"] else [Path(path)]


def modality_of(path: str | Path) -> str:
    """Modality by file suffix; raises MessageError when the suffix is unknown."""
    if is_pair(path):
        return "image+speech"
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIX_MODALITY:
        raise MessageError(
            f"cannot tell what '{Path(path).name}' is from its suffix; "
            f"known: {' '.join(sorted(_SUFFIX_MODALITY))}"
        )
    return _SUFFIX_MODALITY[suffix]


def _decode_picture(payload: bytes) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(payload)) as picture:
            return np.asarray(picture.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise MessageError("the picture cannot be read; it is broken or not a picture file") from exc


def _decode_sound(payload: bytes) -> np.ndarray:
    import soundfile

    try:
        samples, rate = soundfile.read(io.BytesIO(payload), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as exc:
        raise MessageError("the sound cannot be read; give WAV, FLAC or OGG") from exc
    if rate != SAMPLE_RATE_HZ:
        raise MessageError(
            f"the sound is at {rate} Hz; {SAMPLE_RATE_HZ} Hz is needed "
            f"(sox IN.wav -r {SAMPLE_RATE_HZ} OUT.wav converts it)"
        )
    return samples.mean(axis=1)


def _check_sound(samples: np.ndarray) -> None:
    if samples.ndim != 1 or samples.size == 0:
        raise MessageError(f"a sound is a non-empty mono signal; got shape {samples.shape}")
    if samples.size > 30 * SAMPLE_RATE_HZ:
        raise MessageError(
            f"the sound lasts {samples.size / SAMPLE_RATE_HZ:.0f} s; at most 30 s are sent as one message"
        )
    if not np.isfinite(samples).all():
        raise MessageError("the sound has NaN or infinite samples")
