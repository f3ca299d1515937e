"""Word error rate, after the usual normalising of English transcripts."""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBERS = {word: n for n, word in enumerate(_UNITS.split())} | {
    word: 10 * n for n, word in enumerate(_TENS.split(), start=2)
}
_FILLERS = {"hmm", "mm", "mhm", "mmm", "uh", "um"}
_SHORT = (
    (r"\bwon't\b", "will not"),
    (r"\bcan't\b", "can not"),
    (r"\bcannot\b", "can not"),
    (r"n't\b", " not"),
    (r"'re\b", " are"),
    (r"'ll\b", " will"),
    (r"'ve\b", " have"),
    (r"'m\b", " am"),
    (r"\b(it|he|she|that|there|what|where|who|how)'s\b", r"\1 is"),
)
_SPELLINGS = {
    "grey": "gray",
    "colour": "color",
    "colours": "colors",
    "coloured": "colored",
    "colourful": "colorful",
    "centre": "center",
    "theatre": "theater",
    "doughnut": "donut",
    "doughnuts": "donuts",
    "tyre": "tire",
    "tyres": "tires",
    "aeroplane": "airplane",
    "ok": "okay",
}


def normalise_transcript(text: str) -> str:
    """Lower case, no punctuation or fillers, short forms written out, digits for numbers, American spelling.

    The rules are those of Whisper's normaliser for English (Radford et al., 2023, appendix C) as far as short
    sentences need them. Articles stay: they are words that were said.
    """
    text = re.sub(r"[\[(][^\])]*[\])]", " ", text.lower().replace("\u2019", "'"))
    for pattern, full in _SHORT:
        text = re.sub(pattern, full, text)
    text = re.sub(r"'s\b", " 's", text).replace(",", "")
    words = re.sub(r"[^a-z0-9']+", " ", text).split()
    words = [_SPELLINGS.get(word, word) for word in words if word not in _FILLERS]
    return " ".join(_numbers_as_digits(words))


def _numbers_as_digits(words: list[str]) -> list[str]:
    """ "twenty one" becomes 21, "two hundred" 200; digits said one by one stay apart."""
    found: list[str] = []
    open_tens = False  # whether the last number still takes a unit
    for word in words:
        if word in _NUMBERS:
            value = _NUMBERS[word]
            if open_tens and 1 <= value <= 9:
                found[-1] = str(int(found[-1]) + value)
            else:
                found.append(str(value))
            open_tens = value >= 20
        elif word == "hundred" and found and found[-1].isdigit() and 1 <= int(found[-1]) <= 9:
            found[-1], open_tens = str(100 * int(found[-1])), False
        else:
            found.append(word)
            open_tens = False
    return found


def word_error_rate(answer: str, reference: str) -> float:
    """(substitutions + deletions + insertions) / words of the reference, after normalising; 0 or more.

    Raises:
        ValueError: a reference without words.
    """
    given, wanted = normalise_transcript(answer).split(), normalise_transcript(reference).split()
    if not wanted:
        raise ValueError("the reference has no words; a word error rate needs at least one")
    row = list(range(len(given) + 1))  # Levenshtein distance, one row at a time
    for i, word in enumerate(wanted, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(given, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1] / len(wanted)


def word_accuracy(answer: str, references: Sequence[str]) -> float:
    """1 - word error rate against the closest reference, not below 0.

    A reference without words of English (another script, punctuation alone) is matched as it stands.
    """
    return max((_word_accuracy(answer, reference) for reference in references), default=0.0)


def _word_accuracy(answer: str, reference: str) -> float:
    if not normalise_transcript(reference):
        return float(bool(answer.strip()) and answer.split() == reference.split())
    return max(0.0, 1.0 - word_error_rate(answer, reference))
