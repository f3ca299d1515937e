"""Scores of short answers: exact match after normalising, and the share of right tiles of a mosaic."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_DIGITS = {word: str(i) for i, word in enumerate(_WORDS)}
_ARTICLES = {"a", "an", "the"}


def normalise_answer(text: str) -> str:
    """Lower case, no punctuation, no articles, digits for number words, single spaces."""
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).split()
    return " ".join(_DIGITS.get(word, word) for word in words if word not in _ARTICLES)


def exact_match(answer: str, references: Sequence[str]) -> float:
    """1.0 if the normalised answer is one of the normalised references and not empty, else 0.0."""
    given = normalise_answer(answer)
    return float(bool(given) and given in {normalise_answer(reference) for reference in references})


def tile_match(answer: str, reference: str) -> float:
    """Share of right tiles in "cat, dog; ship, frog": 0.0 unless its shape is that of the reference."""
    given = [[normalise_answer(tile) for tile in row.split(",")] for row in answer.split(";")]
    wanted = [[normalise_answer(tile) for tile in row.split(",")] for row in reference.split(";")]
    if [len(row) for row in given] != [len(row) for row in wanted]:
        return 0.0
    pairs = [(g, w) for rows in zip(given, wanted, strict=True) for g, w in zip(*rows, strict=True)]
    return sum(g == w for g, w in pairs) / len(pairs)
