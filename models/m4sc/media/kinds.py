"""What a path names: the modality by its suffix, and a picture with a spoken question as two files in one."""

from __future__ import annotations

import struct
from pathlib import Path

from m4sc.media.limits import FILES, Limits, MessageError, check_size

_LENGTH = struct.Struct(">I")
_SUFFIXES = {
    "image": ".png .jpg .jpeg .jpe .jfif .webp .avif .heic .heif .bmp .gif .tif .tiff .jp2 .ppm .pgm",
    "speech": ".wav .flac .ogg .oga .opus .mp3 .m4a .mp4 .aac .webm .mka .aif .aiff .au .caf .amr .w64",
    "text": ".txt .md .text .rst .csv .srt",
}
SUFFIX_MODALITY = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}


def read_file(path: str | Path, limits: Limits = FILES) -> bytes:
    """A message's bytes: the file's, or of ``PICTURE+SOUND`` those of both files by `join_files`.

    Raises:
        MessageError: no such file, a folder, or one that is too large to be read.
    """
    contents = [_content(part, limits) for part in _paths(path)]
    return contents[0] if len(contents) == 1 else join_files(*contents)


def _content(path: Path, limits: Limits) -> bytes:
    if path.is_dir():
        raise MessageError(f"{path} is a folder; name a file")
    if not path.exists():
        raise MessageError(f"no such file: {path}")
    if not path.is_file():
        raise MessageError(f"{path} is a device or a pipe; name a file")
    check_size(path.stat().st_size, limits.file_bytes, path.name)
    with path.open("rb") as file:  # a file that grows meanwhile is still bounded
        return file.read(limits.file_bytes)


def join_files(picture: bytes, sound: bytes) -> bytes:
    """The files of a picture and of a spoken question as one message: length of the first, both files."""
    return _LENGTH.pack(len(picture)) + picture + sound


def split_files(payload: bytes) -> tuple[bytes, bytes]:
    """Inverse of :func:`join_files`; raises MessageError where the bytes are no such pair."""
    start = _LENGTH.size
    length = _LENGTH.unpack(payload[:start])[0] if len(payload) >= start else len(payload)
    if not 0 < length < len(payload) - start:
        raise MessageError("the message is no picture with a sound; give PICTURE+SOUND")
    return payload[start : start + length], payload[start + length :]


def is_pair(path: str | Path) -> bool:
    """Whether a path is of the form ``PICTURE+SOUND``; a file whose own name has a plus is not."""
    return len(_paths(path)) == 2


def _paths(path: str | Path) -> list[Path]:
    """The path, or those of a picture and a sound."""
    picture, plus, sound = str(path).rpartition("+")
    if not plus or exists(path):
        return [Path(path)]
    kinds = [SUFFIX_MODALITY.get(Path(part).suffix.lower()) for part in (picture, sound)]
    return [Path(picture), Path(sound)] if kinds == ["image", "speech"] else [Path(path)]


def exists(path: str | Path) -> bool:
    """Whether there is such a file or folder; a text that no path can be (too long, NUL) is none."""
    try:
        return bool(str(path).strip()) and Path(path).exists()
    except (OSError, ValueError):
        return False


def modality_of(path: str | Path) -> str:
    """Modality by file suffix; raises MessageError when the suffix is unknown."""
    if is_pair(path):
        return "image+speech"
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIX_MODALITY:
        raise MessageError(
            f"cannot tell what '{Path(path).name}' is from its suffix; "
            f"known: {' '.join(sorted(SUFFIX_MODALITY))}"
        )
    return SUFFIX_MODALITY[suffix]
