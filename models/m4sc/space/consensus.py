"""Which sentence says what most of the others say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from m4sc.space.word_speaker import words_of

ORDER = 4
SIGMA = 6.0
Gram = tuple[str, ...]


def grams_of(sentence: str, end: Gram = ()) -> list[Counter[Gram]]:
    """Counts of a sentence's n-grams, for n = 1 to 4; end: words that stand behind its own."""
    words = [*words_of(sentence), *end]
    return [Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1)) for n in range(1, ORDER + 1)]


@dataclass(frozen=True)
class Rarity:
    """How rare each n-gram is among sentences.

    Attributes:
        counts: sentences that hold it.
        sentences: how many there are.
    """

    counts: Counter[Gram]
    sentences: int

    @classmethod
    def of(cls, sentences: Sequence[str]) -> Rarity:
        """From the sentences of a knowledge base."""
        counts: Counter[Gram] = Counter()
        for sentence in sentences:
            for grams in grams_of(sentence):
                counts.update(grams.keys())
        return cls(counts, len(sentences))

    @cached_property
    def _most(self) -> float:
        return math.log(max(self.sentences, 2))

    def weight(self, gram: Gram) -> float:
        """Inverse document frequency: log(sentences / sentences with the n-gram)."""
        return self._most - math.log(max(1, self.counts[gram]))


def agreement(sentences: Sequence[str], rarity: Rarity) -> np.ndarray:
    """How much alike sentences are, float (n, n), 0 to 1.

    Mean over n = 1 to 4 of the cosine of tf-idf vectors of n-grams, with a penalty on unequal lengths, as
    CIDEr-D compares captions (Vedantam et al., CVPR 2015, eq. 3 to 5).
    """
    counted = [grams_of(sentence) for sentence in sentences]
    lengths = np.array([sum(grams[0].values()) for grams in counted], dtype=np.float32)
    total = np.zeros((len(sentences), len(sentences)), np.float32)
    for order in range(ORDER):
        place: dict[Gram, int] = {}
        for grams in counted:
            for gram in grams[order]:
                place.setdefault(gram, len(place))
        table = np.zeros((len(sentences), max(len(place), 1)), np.float32)
        for row, grams in enumerate(counted):
            for gram, count in grams[order].items():
                table[row, place[gram]] = count * rarity.weight(gram)
        table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
        total += table @ table.T
    penalty = np.exp(-((lengths[:, None] - lengths) ** 2) / (2 * SIGMA**2))
    return np.asarray(total / ORDER * penalty, dtype=np.float32)
