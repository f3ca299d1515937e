"""Any Unicode text to token numbers and back, to the letter: special tokens in a text are text."""

from __future__ import annotations

from typing import Any


class Alphabet:
    """The tokens of a byte-level tokenizer, as writing.

    Words become the tokenizer's own tokens, since the language model knows those. A tokenizer that was
    trained without the full byte alphabet drops some bytes without a word (SmolLM2's drops seven control
    characters and those of two unused planes). Each of these bytes is written with a special token, which no
    text can hold: a text that reads like one is split into ordinary tokens.
    """

    def __init__(self, tokenizer: Any) -> None:
        """tokenizer: a fast byte-level one of transformers, or its file (:mod:`.tokenizer_file`).

        Raises:
            ValueError: the tokenizer is not byte-level, or has too few special tokens for the bytes that it
                lacks.
        """
        self._tokenizer = tokenizer
        self.size = len(tokenizer)
        vocab = tokenizer.get_vocab()
        self._letter = _letters()
        known = {byte: vocab[letter] for byte, letter in enumerate(self._letter) if letter in vocab}
        if len(known) < 128:
            raise ValueError(
                "the language model's tokenizer is not byte-level, so it cannot carry every text"
            )
        special = sorted(tokenizer.added_tokens_decoder)
        lacking = [byte for byte in range(256) if byte not in known and byte not in _NEVER_IN_UTF8]
        if len(special) < len(lacking):
            raise ValueError(
                f"the language model's tokenizer lacks {len(lacking)} bytes and has {len(special)} special "
                f"tokens to write them with"
            )
        # the last ones: the first are marks of a text's begin and end, which the model may well expect
        self._byte_token = known | dict(zip(lacking, special[len(special) - len(lacking) :], strict=True))
        self._lacking = frozenset(lacking)
        byte_of = {letter: byte for byte, letter in enumerate(self._letter)}
        self._bytes: list[bytes] = [b""] * self.size
        marks, letters, byte_in = frozenset(special), frozenset(byte_of), byte_of.__getitem__
        for token, number in vocab.items():
            if number not in marks and letters.issuperset(token):
                self._bytes[number] = bytes(map(byte_in, token))
        for byte in lacking:
            self._bytes[self._byte_token[byte]] = bytes([byte])

    def numbers(self, text: str) -> list[int]:
        """Token numbers of a text.

        Raises:
            ValueError: the text has half of a surrogate pair, which is no Unicode character.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise ValueError(
                f"character {exc.start + 1} of the text is half of a surrogate pair, no Unicode character"
            ) from exc
        found: list[int] = []
        plain = ""
        for char in text:
            if self._lacking.isdisjoint(char.encode("utf-8")):
                plain += char
                continue
            found += self._words(plain) + [self._byte_token[byte] for byte in char.encode("utf-8")]
            plain = ""
        return found + self._words(plain)

    def with_marks(self, text: str) -> list[int]:
        """Token numbers of a text of ours, whose special tokens are meant."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def text(self, numbers: list[int]) -> str:
        """Inverse of :meth:`numbers`; bytes that are no UTF-8 become the replacement character."""
        return self.written(numbers).decode("utf-8", errors="replace")

    def written(self, numbers: list[int]) -> bytes:
        """The bytes that tokens stand for."""
        return b"".join(self._bytes[number] for number in numbers)

    def _words(self, text: str) -> list[int]:
        """Token numbers of a text of known bytes; byte by byte where the tokenizer would change it."""
        ids = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if self.written(ids) == text.encode("utf-8"):
            return list(ids)
        return [self._byte_token[byte] for byte in text.encode("utf-8")]


_NEVER_IN_UTF8 = frozenset({0xC0, 0xC1, *range(0xF5, 0x100)})


def _letters() -> list[str]:
    """The printable character that stands for each byte in a byte-level vocabulary (GPT-2's table)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
