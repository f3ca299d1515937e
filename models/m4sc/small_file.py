"""Files of settings that a person names: read only where they are files, and small."""

from __future__ import annotations

from pathlib import Path

MOST_BYTES = 4 << 20
"""Of a file of settings, bytes; the largest of ours has a hundredth."""


def read_small(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file, which take no memory before they are known to be few.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        ValueError: a folder, a device or a pipe, or a larger file.
        OSError: no such file, or one that may not be read.
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise ValueError(f"{path} is {what}; name a file")
    with path.open("rb") as stream:
        found = stream.read(most + 1)
    if len(found) > most:
        raise ValueError(f"{path} is too large: more than {most:,} bytes are not read")
    return found


def read_small_text(path: Path, most: int = MOST_BYTES) -> str:
    """The same as text in UTF-8; what is none is a UnicodeDecodeError, a ValueError too."""
    return read_small(path, most).decode("utf-8")
