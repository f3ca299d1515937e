"""Text files to texts and back: Unicode with or without a byte order mark, else the Western code page."""

from __future__ import annotations

import codecs
import contextlib

import brotli

from m4sc.media.limits import FILES, Limits, MessageError, check_size

# the mark of UTF-32 (little endian) begins with that of UTF-16, so it is looked for first
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PIECE_BYTES = 4096


def read_text(payload: bytes, limits: Limits = FILES) -> tuple[str, tuple[str, ...]]:
    """A text file's bytes to its text, every character as it stands, without the file's byte order mark.

    UTF-8, UTF-16 and UTF-32 are known by their mark, UTF-8 and UTF-16 without one too; what is none of them
    is read as Windows-1252, the superset of Latin-1, and that is told.

    Returns:
        The text, and what a person should know of how it was read.

    Raises:
        MessageError: too long, or bytes that are no text.
    """
    check_size(len(payload), 4 * limits.text_bytes, "the text")  # UTF-32 has four bytes a letter
    text, notes = _decoded(payload)
    check_text(text, limits)
    return text, notes


def _decoded(payload: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, encoding in _MARKS:
        if payload.startswith(mark):
            try:
                return payload[len(mark) :].decode(encoding), ()
            except UnicodeDecodeError as exc:
                raise MessageError(
                    f"the text begins as {encoding.upper()}, but byte {exc.start + len(mark)} breaks it"
                ) from exc
    try:
        return payload.decode("utf-8"), ()
    except UnicodeDecodeError:
        pass
    # letters of Western scripts in UTF-16 have a zero in every second byte
    for encoding, zeros, letters in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if len(payload) % 2 == 0 and payload[zeros::2].count(0) > payload[letters::2].count(0):
            with contextlib.suppress(UnicodeDecodeError):
                text = payload.decode(encoding)
                if "\0" not in text:
                    return text, (f"the text was read as {encoding.upper()}",)
    if 0 in payload:
        raise MessageError("the file is no text: it is neither Unicode nor Latin-1")
    # the five bytes without a letter in Windows-1252 are control characters in Latin-1
    table = {**{n: chr(n) for n in range(256)}, **{n: _western(n) for n in range(0x80, 0xA0)}}
    return "".join(table[byte] for byte in payload), ("the text is not Unicode; it was read as Windows-1252",)


def _western(number: int) -> str:
    return bytes([number]).decode("cp1252", errors="ignore") or chr(number)


def check_text(text: str, limits: Limits = FILES) -> None:
    """Raise MessageError where a text has no word, is too long or cannot be written as Unicode."""
    if not text.strip():
        raise MessageError("the text is empty; give at least one word")
    check_size(len(text), limits.text_bytes, "the text")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as exc:
        raise MessageError(
            f"the text has half a character (U+{ord(text[exc.start]):04X}) at place {exc.start}, "
            "which Unicode cannot write; remove it"
        ) from exc
    check_size(size, limits.text_bytes, "the text")


def text_bytes(text: str) -> bytes:
    """UTF-8 that :func:`read_text` reads as exactly this text.

    A text that itself begins with U+FEFF gets a byte order mark before it, since one is taken off.
    """
    raw = text.encode("utf-8")
    return codecs.BOM_UTF8 + raw if raw.startswith(codecs.BOM_UTF8) else raw


def expand_text(packed: bytes, limits: Limits = FILES) -> str:
    """A text compressed with Brotli, decompressed piece by piece, so that a bomb costs no memory.

    Raises:
        MessageError: broken bytes, no UTF-8, or a longer text than `limits` has.
    """
    decompressor = brotli.Decompressor()
    try:
        raw = bytearray(decompressor.process(packed, output_buffer_limit=_PIECE_BYTES))
        while not decompressor.is_finished() and len(raw) <= limits.text_bytes:
            piece = decompressor.process(b"", output_buffer_limit=_PIECE_BYTES)
            if not piece and decompressor.can_accept_more_data():
                raise MessageError("the text cannot be decompressed; its end is missing")
            raw += piece
    except brotli.error as exc:
        raise MessageError("the text cannot be decompressed; its bytes are broken") from exc
    check_size(len(raw), limits.text_bytes, "the text")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise MessageError("the text cannot be decompressed; its bytes are broken") from exc
