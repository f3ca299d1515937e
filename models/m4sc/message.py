"""A message: picture, sound, text, or a picture with a spoken question, as it enters the transmitter."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m4sc.media.kinds import is_pair, join_files, modality_of, read_file, split_files
from m4sc.media.limits import FILES, Limits, MessageError
from m4sc.media.pictures import as_picture, read_picture
from m4sc.media.sounds import SAMPLE_RATE_HZ, as_sound, read_sound
from m4sc.media.texts import check_text, read_text

MODALITIES = ("image", "speech", "text", "image+speech")

__all__ = [
    "MODALITIES",
    "SAMPLE_RATE_HZ",
    "Message",
    "MessageError",
    "is_pair",
    "join_files",
    "modality_of",
    "read_file",
    "split_files",
]


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        modality: of `MODALITIES`; ``"image+speech"`` is a picture and a spoken question about it.
        data: image: uint8 (H, W, 3) sRGB; speech: float32 (n,) in -1..1 at 16 kHz; text: str;
            image+speech: the pair of both. Pictures and sounds may be given in any form of
            :func:`m4sc.media.pictures.as_picture` and :func:`m4sc.media.sounds.as_sound`.
        notes: what a person should know of how a file was read, one sentence each.
    """

    modality: str
    data: Any
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", _in_form(self.modality, self.data))

    @classmethod
    def from_bytes(cls, payload: bytes, modality: str, limits: Limits = FILES) -> Message:
        """Decode a file's bytes: a picture, a sound, a text, or `join_files`' bytes.

        Raises:
            MessageError: unknown modality, undecodable bytes, empty text, something larger than `limits`.
        """
        if modality == "image":
            return cls(modality, *read_picture(payload, limits))
        if modality == "speech":
            return cls(modality, *read_sound(payload, limits))
        if modality == "text":
            return cls(modality, *read_text(payload, limits))
        _check_modality(modality)
        files = split_files(payload)
        (picture, of_picture), (sound, of_sound) = (
            read_picture(files[0], limits),
            read_sound(files[1], limits),
        )
        return cls(modality, (picture, sound), (*of_picture, *of_sound))

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


def _in_form(modality: str, data: Any) -> Any:
    """A message's data in the one form of its modality; raises MessageError where it is none."""
    if modality == "image":
        return as_picture(data)
    if modality == "speech":
        return as_sound(data)
    if modality == "text":
        if not isinstance(data, str):
            raise MessageError(f"a text is a str, not {type(data).__name__}; bytes go to Message.from_bytes")
        check_text(data)
        return data
    _check_modality(modality)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise MessageError("a picture with a spoken question is a pair: the picture, then the sound")
    return as_picture(data[0]), as_sound(data[1])


def _check_modality(modality: str) -> None:
    if modality not in MODALITIES:
        raise MessageError(f"modality '{modality}' is unknown; use one of {', '.join(MODALITIES)}")
