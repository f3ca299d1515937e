"""Random texts to tokens and back, as a receiver that heard every token puts them together."""

from __future__ import annotations

import sys
from typing import Protocol

import numpy as np

_PIECES = (
    "<|im_end|>", "<|im_start|>user\n", "<|endoftext|>", "<s>", "</s>", "<unk>", "<pad>", "\0", "\ufeff",
    "\u2060", "\u206041\u2060", "  ", "\t", "\r\n", "\n" * 9, "word", "\u5929\u6c14",
    "\U0001f469\u200d\U0001f680",
)  # fmt: skip
_MOST_PIECES, _MOST_LETTERS = 9, 80


class Coder(Protocol):
    """What :mod:`m4sc.codecs.text_code.alphabet` offers: a text's tokens and the way back."""

    def numbers(self, text: str) -> list[int]:
        """Tokens of a text."""

    def text(self, tokens: list[int]) -> str:
        """Text of tokens."""


def random_text(rng: np.random.Generator) -> str:
    """Letters of all of Unicode, or pieces that are hard to keep; never blank."""
    while True:
        if rng.random() < 0.5:
            points = rng.integers(0, sys.maxunicode + 1, int(rng.integers(1, _MOST_LETTERS)))
            text = "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)
        else:
            chosen = rng.integers(0, len(_PIECES), int(rng.integers(1, _MOST_PIECES)))
            text = "".join(_PIECES[i] for i in chosen)
        if text.strip():
            return text


def text_trial(count: int, seed: int, coder: Coder | None = None) -> tuple[int, str]:
    """Send texts without a channel.

    Args:
        count: texts.
        seed: of them.
        coder: of the shipped text code if None.

    Returns:
        How many came back changed, and the first of these.
    """
    if coder is None:
        coder = _shipped()
    rng, wrong, first = np.random.default_rng(seed), 0, ""
    for _ in range(count):
        text = random_text(rng)
        if coder.text(coder.numbers(text)) != text:
            wrong += 1
            first = first or text
    return wrong, first


def _shipped() -> Coder:
    from m4sc.codecs.text_code.alphabet import Alphabet
    from m4sc.config import ModelConfig
    from m4sc.pretrained import resolve
    from transformers import AutoTokenizer

    return Alphabet(AutoTokenizer.from_pretrained(str(resolve(ModelConfig().llm, "llm"))))
