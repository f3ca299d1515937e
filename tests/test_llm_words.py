"""Arithmetic coding under a model of words: what is expected costs little, and every text comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from m4sc.codecs.rivals.llm_words import LlmWordCoder, _shortest
from m4sc.message import Message, MessageError

END = 0
LETTERS = "\0etaoinshr dlu"


class Alphabet:
    """Letters as tokens."""

    def with_marks(self, text: str) -> list[int]:
        return [END]

    def numbers(self, text: str) -> list[int]:
        return [LETTERS.index(letter) for letter in text]

    def text(self, numbers: Sequence[int]) -> str:
        return "".join(LETTERS[number] for number in numbers)


class Repeating:
    """Expects the letter that it read last."""

    def begin(self, read: Sequence[int]) -> np.ndarray:
        self.started = len(read)
        return self._after(read[-1] if read else None)

    def read(self, sources: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        assert sources.tolist() == [0]
        return self._after(int(tokens[0]))

    def _after(self, last: int | None) -> np.ndarray:
        shares = np.full(len(LETTERS), 0.1 / len(LETTERS))
        if last is not None:
            shares[last] += 0.9
        return np.log(shares / shares.sum())[None].astype(np.float32)


def coder() -> LlmWordCoder:
    return LlmWordCoder(Alphabet(), Repeating())  # type: ignore[arg-type]


@given(st.text(LETTERS[1:], min_size=1, max_size=200).filter(str.strip))
def test_every_text_comes_back(text: str) -> None:
    data = coder().source_encode(Message("text", text))
    assert coder().source_decode(data, "text").data == text


def test_what_is_expected_takes_the_bits_that_its_probability_says() -> None:
    same, other = (len(coder().source_encode(Message("text", text))) for text in ("e" * 60, "eta oin " * 7))
    assert same <= 3 < 25 < other  # 60 letters of 0.13 bits, one of 4, the end; 56 of seven
    assert len(coder().source_encode(Message("text", "e"))) == 2


@given(st.integers(1, 64).flatmap(lambda bits: st.tuples(
    st.just(bits), st.integers(0, 2**bits - 1), st.integers(1, 2**bits))))  # fmt: skip
def test_the_fewest_bytes_lie_within_the_interval(case: tuple[int, int, int]) -> None:
    bits, low, width = case
    width = min(width, 2**bits - low)
    data = _shortest(low, width, bits)
    first, unit = int.from_bytes(data, "big"), 8 * len(data)
    assert low << unit <= first << bits and (first + 1) << bits <= (low + width) << unit
    if len(data) > 1:
        unit -= 8
        first = -(-(low << unit) // (1 << bits))
        assert (first + 1) << bits > (low + width) << unit


def test_broken_bytes_and_other_messages_are_told() -> None:
    with pytest.raises(ValueError, match="takes texts"):
        coder().source_encode(Message("image", np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(MessageError, match="too few"):
        coder().source_decode(b"", "text")
    with pytest.raises(MessageError, match="no character"):
        coder().source_decode(b"\0", "text")
    for number in range(40):
        with contextlib.suppress(MessageError):
            assert coder().source_decode(bytes([number, 255 - number]), "text").data
    with pytest.raises(ValueError, match="at most"):
        coder().source_encode(Message("text", "e" * 5000))
