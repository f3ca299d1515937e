"""Words as bytes: Brotli, Zstandard with a dictionary, or five bits a character."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from m4sc.codecs import source_coding
from m4sc.media.limits import check_size
from m4sc.media.texts import expand_text
from m4sc.message import Message, MessageError

PLAIN = ("brotli", "zstd", "five-bit")
"""Coders that need no model."""
LLM = "llm"
"""Arithmetic coding under the language model (:mod:`m4sc.codecs.rivals.llm_words`)."""
CODERS = (*PLAIN, LLM)
DICTIONARY_BYTES = 16384
_LETTERS = " abcdefghijklmnopqrstuvwxyz.,-'"
"""31 characters of five bits; the last of 32 leads one of eight bits in Latin-1."""
_ESCAPE = 31
_WINDOW = 1 << 20  # bytes that a packed text may look back: more than any text has


@dataclass(frozen=True)
class WordCoder:
    """A source codec of texts.

    Attributes:
        coder: one of `PLAIN`. "five-bit" loses capitals and falls back to Brotli beyond Latin-1, told by the
            first bit.
        learned_from: texts of the training split, of which "zstd" makes the dictionary that both ends hold.
    """

    coder: str
    learned_from: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.coder not in PLAIN:
            raise ValueError(f"coder of words '{self.coder}' is none of {', '.join(PLAIN)}")

    @cached_property
    def _dictionary(self) -> Any:
        import zstandard

        samples: list[Any] = [text.encode() for text in self.learned_from]
        return zstandard.train_dictionary(DICTIONARY_BYTES, samples) if len(samples) >= 100 else None

    def source_encode(self, message: Message) -> bytes:
        """A text's bytes.

        Raises:
            ValueError: the message is no text.
        """
        if message.modality != "text":
            raise ValueError(f"{self.coder} takes texts, but the message is {message.modality}")
        text = str(message.data)
        if self.coder == "brotli":
            return source_coding.source_encode(message)
        if self.coder == "five-bit":
            return pack_five_bits(text)
        import zstandard

        parameters = zstandard.ZstdCompressionParameters.from_level(
            22,
            write_checksum=0,
            write_content_size=0,
            write_dict_id=0,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        )
        return bytes(
            zstandard.ZstdCompressor(dict_data=self._dictionary, compression_params=parameters).compress(
                text.encode()
            )
        )

    def source_decode(self, payload: bytes, modality: str) -> Message:
        """The text of its bytes.

        Raises:
            MessageError: bytes that are none of this coder's.
        """
        source_coding.RECEIVED.check_bytes(payload, "text")
        if self.coder == "brotli":
            return source_coding.source_decode(payload, "text")
        if self.coder == "five-bit":
            return Message("text", unpack_five_bits(payload))
        import zstandard

        most = source_coding.RECEIVED.text_bytes
        unpacker = zstandard.ZstdDecompressor(
            dict_data=self._dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS, max_window_size=_WINDOW
        )
        try:
            with unpacker.stream_reader(
                payload
            ) as stream:  # what a frame says of its size counts for nothing
                plain = stream.read(most + 1)
            check_size(len(plain), most, "the text")
            return Message("text", plain.decode())
        except (zstandard.ZstdError, UnicodeDecodeError) as exc:
            raise MessageError("the text cannot be decoded; its bytes are broken") from exc


def pack_five_bits(text: str) -> bytes:
    """Five bits a character of the commonest, 13 of others in Latin-1, else Brotli's bytes.

    Capitals are lost. The first bit tells Brotli's bytes apart; ones fill the last byte,
    with which no character begins.
    """
    import brotli

    bits: list[int] = [0]
    for character in text.lower():
        place = _LETTERS.find(character)
        if place >= 0:
            bits += _bits(place, 5)
        elif ord(character) < 255:
            bits += _bits(_ESCAPE, 5) + _bits(ord(character), 8)
        else:
            packed = brotli.compress(text.encode(), mode=brotli.MODE_TEXT, quality=11)
            return b"\x80" + bytes(packed)
    bits += [1] * (-len(bits) % 8)
    return np.packbits(np.array(bits, np.uint8)).tobytes()


def unpack_five_bits(payload: bytes) -> str:
    """Inverse of :func:`pack_five_bits`, but for capitals.

    Raises:
        MessageError: no bytes of it.
    """
    if payload[0] & 0x80:
        return expand_text(payload[1:], source_coding.RECEIVED)
    bits = np.unpackbits(np.frombuffer(payload, np.uint8))[1:]
    found, place = [], 0
    while place + 5 <= len(bits):
        number = _number(bits[place : place + 5])
        place += 5
        if number != _ESCAPE:
            found.append(_LETTERS[number])
        elif place + 8 <= len(bits):
            found.append(chr(_number(bits[place : place + 8])))
            place += 8
        elif not bits[place:].all():
            raise MessageError("the text's bytes end within a character")
    if not found:
        raise MessageError("the text's bytes hold no character")
    return "".join(found)


def _bits(number: int, width: int) -> list[int]:
    return [number >> shift & 1 for shift in reversed(range(width))]


def _number(bits: np.ndarray) -> int:
    return int("".join(map(str, bits)), 2)
