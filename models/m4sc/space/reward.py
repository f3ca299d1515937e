"""How well a sentence agrees with what people wrote of a picture, fast enough to learn from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m4sc.space.consensus import ORDER, SIGMA, Gram, grams_of
from m4sc.space.word_speaker import words_of

_END = ("</s>",)  # counts as a word, or a reward is best raised by ending on "with a"


@dataclass(frozen=True)
class _Weighed:
    """A sentence's n-grams, weighed by their rarity: one table and one norm an order."""

    tables: tuple[dict[Gram, float], ...]
    norms: tuple[float, ...]
    length: int


class CaptionReward:
    """CIDEr-D (Vedantam et al., CVPR 2015) against the captions of training pictures.

    The end of a sentence counts as a word. Rarity is that among the pictures' captions.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        """references: captions of each picture; none of one that nothing is to be learned from."""
        counts: Counter[Gram] = Counter()
        for group in references:
            counts.update({gram for text in group for table in grams_of(text, _END) for gram in table})
        most = math.log(max(sum(map(bool, references)), 2))
        self._most = most
        self._rarity = {gram: most - math.log(count) for gram, count in counts.items()}
        self._references = [[self._weighed(text) for text in group] for group in references]

    def __call__(self, sentences: Sequence[str], rows: Sequence[int]) -> np.ndarray:
        """Rewards, float32 (n,), 0 to 10, of sentences that describe the pictures in `rows`."""
        scores = [
            self._score(self._weighed(s), self._references[r]) for s, r in zip(sentences, rows, strict=True)
        ]
        return np.array(scores, dtype=np.float32)

    def _weighed(self, sentence: str) -> _Weighed:
        tables = tuple(
            {gram: count * self._rarity.get(gram, self._most) for gram, count in table.items()}
            for table in grams_of(sentence, _END)
        )
        norms = tuple(math.sqrt(sum(value * value for value in table.values())) for table in tables)
        return _Weighed(tables, norms, len(words_of(sentence)))

    @staticmethod
    def _score(said: _Weighed, references: Sequence[_Weighed]) -> float:
        total = 0.0
        for reference in references:
            alike = 0.0
            for own, other, a, b in zip(
                said.tables, reference.tables, said.norms, reference.norms, strict=True
            ):
                if a > 0 and b > 0:
                    shared = sum(
                        min(v, other[gram]) * other[gram] for gram, v in own.items() if gram in other
                    )
                    alike += shared / (a * b)
            total += alike * math.exp(-((said.length - reference.length) ** 2) / (2 * SIGMA**2))
        return 10.0 * total / (ORDER * max(len(references), 1))
