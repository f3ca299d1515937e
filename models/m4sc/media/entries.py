"""What a person names as a message: a file, a folder, a picture with a spoken question, or a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from m4sc.media.kinds import exists, is_pair, modality_of, read_file
from m4sc.media.limits import MessageError
from m4sc.media.texts import text_bytes

TEXT = "text:"
"""Before words that are a message themselves, where a file could be named too."""
_SHOWN = 40
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}\Z")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Handed:
    """A message's bytes as they were handed in.

    Attributes:
        name: for reports.
        modality: by the suffix of a file.
        payload: a file's bytes, or UTF-8.
    """

    name: str
    modality: str
    payload: bytes


def text_message(text: str) -> Handed:
    """Words that a person typed; what a terminal gave as bytes that are no UTF-8 is read as a file's are.

    Raises:
        MessageError: it has a surrogate that stands for no byte.
    """
    try:
        payload = text_bytes(text)
    except UnicodeEncodeError:
        try:
            payload = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as exc:
            raise MessageError("the text has half of a UTF-16 pair in it, which is no character") from exc
    return Handed(text.strip()[:_SHOWN], "text", payload)


def file_message(path: str | Path) -> Handed:
    """A file, or a picture and a spoken question ``PICTURE+SOUND``.

    Raises:
        MessageError: no such file, too large, or of no known suffix.
    """
    return Handed(Path(path).name, modality_of(path), read_file(path))


def check_path(entry: str) -> None:
    """Raise MessageError, saying what to do, where an entry names no file or folder."""
    if not entry.strip():
        raise MessageError("an empty name is no message; give a file")
    if _URL.match(entry):
        raise MessageError(f"{entry[:_SHOWN]} is a URL, which is not fetched; save the file and name it")
    if not exists(entry) and not is_pair(entry):
        raise MessageError(f"no such file or folder: {entry[:200]} (words to be sent: {TEXT}WORDS)")


def is_sentence(entry: str) -> bool:
    """Whether an entry can only be meant as words: several, none of them like a path or a URL."""
    words = entry.split()
    return (
        len(words) > 1
        and not exists(entry)
        and not is_pair(entry)
        and not _URL.match(entry)
        and not entry.startswith(("/", "./", "../", "~", "\\"))
        and not entry.endswith(("/", "\\"))
        and not _SUFFIX.search(entry)
    )
