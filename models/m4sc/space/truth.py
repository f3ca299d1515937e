"""Whether a sentence speaks of what is on its picture: of the subject, and of people only where some are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from torch import Tensor

from m4sc.data.caption_facts import FORMS, KINDS, VAGUE_KINDS
from m4sc.encoders.object_detector import THINGS
from m4sc.space.word_speaker import words_of

PERSON = "person"
_SURE = 0.5  # score from which the detector's word is taken
_PHRASES = tuple(name for name in THINGS if " " in name)
_ALSO = {name: name for name in THINGS if name not in FORMS and " " not in name}


@lru_cache(maxsize=200_000)
def spoken_of(sentence: str) -> frozenset[str]:
    """Things that a sentence names, each by one name; men, children, a crowd are all "person"."""
    words = words_of(sentence)
    found = {thing_of(word) for word in words} - {""}
    text = f" {' '.join(words)} "
    return frozenset(found | {phrase for phrase in _PHRASES if f" {phrase} " in text})


def thing_of(word: str) -> str:
    """The thing that a lower-case word names, by one name for all of them; empty for any other word."""
    if VAGUE_KINDS.get(word) == PERSON or KINDS.get(FORMS.get(word, "")) == PERSON:
        return PERSON
    return FORMS.get(word) or _ALSO.get(word) or _ALSO.get(word.removesuffix("s"), "")


class Truth:
    """What is on pictures, as far as their captions and a detector tell."""

    def __init__(self, captions: Sequence[Sequence[str]], seen: Tensor | None = None) -> None:
        """captions: of each picture; seen: the detector's scores of the first m pictures, float (m, 80)."""
        self._there: list[frozenset[str]] = []
        self._chief: list[frozenset[str]] = []
        for number, group in enumerate(captions):
            counts = Counter(thing for text in group for thing in spoken_of(text))
            there = set(counts)
            if seen is not None and number < len(seen):
                sure = (seen[number] >= _SURE).nonzero()[:, 0].tolist()
                there |= {thing_of(THINGS[n]) or THINGS[n] for n in sure}
            self._there.append(frozenset(there))
            self._chief.append(frozenset(t for t, times in counts.items() if 2 * times > len(group)))

    def named(self, sentences: Sequence[str], rows: Sequence[int]) -> np.ndarray:
        """Share of what most captions of a picture name that its sentence names too, float32 (n,)."""
        shares = [
            len(spoken_of(said) & self._chief[row]) / max(len(self._chief[row]), 1)
            for said, row in zip(sentences, rows, strict=True)
        ]
        return np.array(shares, dtype=np.float32)

    def invented_people(self, sentences: Sequence[str], rows: Sequence[int]) -> np.ndarray:
        """1 where a sentence names a person and neither a caption nor the detector has one, float32 (n,)."""
        invented = [
            PERSON in spoken_of(said) and PERSON not in self._there[row]
            for said, row in zip(sentences, rows, strict=True)
        ]
        return np.array(invented, dtype=np.float32)
