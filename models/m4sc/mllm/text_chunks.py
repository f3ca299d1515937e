"""A text in chunks of tokens, cut between words where it can be, and put together again exactly."""

from __future__ import annotations

import re
from collections.abc import Iterable

from m4sc.mllm.instruction import END
from m4sc.mllm.llm import LanguageModel

JOINER = "\u2060"
"""Word joiner: opens a chunk that goes on inside a word. A chunk that opens with neither it nor a space has
lost the one space before its first word, which costs no token that way. Inside the text it is written twice,
and around the number of a character that the tokenizer has no token for."""
_ESCAPED = re.compile(f"{JOINER}([0-9a-f]*){JOINER}")
_UNITS = re.compile(r"\s*\S+|\s+\Z")  # a word with the space before it


def text_chunks(llm: LanguageModel, text: str, size: int) -> list[list[int]]:
    """Token numbers in chunks of at most `size`; every chunk but the last is filled up with end marks."""
    chunks: list[list[int]] = [[]]
    for unit in _UNITS.findall(_escaped(llm, text)):
        ids = llm.text_ids(unit)
        if chunks[-1] and len(chunks[-1]) + len(ids) > size:
            chunks.append([])
            unit, ids = _opened(llm, unit)
        while len(ids) > size:  # the chunk is empty
            head = _longest(llm, unit, size)
            chunks[-1] = llm.text_ids(unit[:head])[:size]
            chunks.append([])
            unit, ids = _opened(llm, unit[head:])
        chunks[-1] += ids
    end = llm.token_ids(END)
    return [chunk + end * (size - len(chunk)) for chunk in chunks[:-1]] + chunks[-1:]


def joined_text(pieces: Iterable[str]) -> str:
    """Inverse of :func:`text_chunks`, of the text of each chunk."""
    text = ""
    for number, piece in enumerate(pieces):
        if number == 0 or not piece or piece[0].isspace():
            text += piece
        else:
            text += piece[1:] if piece.startswith(JOINER) else " " + piece
    return _ESCAPED.sub(_character, text)


def _escaped(llm: LanguageModel, text: str) -> str:
    """A text of which every character has tokens: some byte-level vocabularies lack a few bytes."""
    text = text.replace(JOINER, JOINER * 2)
    if llm.text_of(llm.text_ids(text)) == text:
        return text
    lost = {char for char in set(text) if llm.text_of(llm.text_ids(char)) != char}
    return "".join(f"{JOINER}{ord(char):x}{JOINER}" if char in lost else char for char in text)


def _character(found: re.Match[str]) -> str:
    """What an escape stands for; one that noise made, of no character, stays as it is."""
    number = int(found[1], 16) if found[1] else ord(JOINER)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else found[0]


def _opened(llm: LanguageModel, unit: str) -> tuple[str, list[int]]:
    """A unit as it opens a chunk that is not the first, and its tokens."""
    if not unit[:1].isspace():
        unit = JOINER + unit
    elif unit[0] == " " and unit[1:2] != JOINER and not unit[1:2].isspace() and len(unit) > 1:
        unit = unit[1:]
    return unit, llm.text_ids(unit)


def _longest(llm: LanguageModel, unit: str, size: int) -> int:
    """How many first characters of a unit make at most `size` tokens; at least one of the text itself."""
    low, high = 1 + unit.startswith(JOINER), len(unit)
    while low < high:
        middle = (low + high + 1) // 2
        if len(llm.text_ids(unit[:middle])) <= size:
            low = middle
        else:
            high = middle - 1
    return low
