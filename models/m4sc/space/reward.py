"""How well a sentence agrees with what people wrote of a picture, fast enough to learn from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

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


class Likeness:
    """How near a sentence lies to those of its picture in the space, as far as its words alone tell.

    The sentence encoder is far too slow to ask at every step; a ridge regression of its vectors on a
    sentence's words stands in for it.
    """

    def __init__(self, words: Sequence[str], sentences: Sequence[str], points: Tensor, ridge: float = 1.0):
        """words: to read; sentences with their unit vectors, float (n, dim): to learn from."""
        self._place = {word: n for n, word in enumerate(words)}
        gram = ridge * torch.eye(len(words) + 1)
        found = torch.zeros(len(words) + 1, points.shape[1])
        for start in range(0, len(sentences), 4096):
            table = self._table(sentences[start : start + 4096])
            gram += table.T @ table
            found += table.T @ points[start : start + 4096].float()
        self._vectors = torch.linalg.solve(gram, found)

    def _table(self, sentences: Sequence[str]) -> Tensor:
        table = torch.zeros(len(sentences), len(self._place) + 1)
        table[:, -1] = 1.0
        for row, sentence in enumerate(sentences):
            known = [self._place[word] for word in set(words_of(sentence)) if word in self._place]
            table[row, known] = 1.0 / math.sqrt(max(len(known), 1))
        return table

    def points(self, sentences: Sequence[str]) -> Tensor:
        """Where sentences lie, about: unit vectors, float (n, dim)."""
        return nn.functional.normalize(self._table(sentences) @ self._vectors, dim=-1)

    def __call__(self, sentences: Sequence[str], targets: Tensor) -> np.ndarray:
        """Cosines, float32 (n,), to the nearest of each one's targets, unit vectors, float (n, m, dim)."""
        near = torch.einsum("nd,nmd->nm", self.points(sentences), targets.float())
        return np.asarray(near.amax(1).numpy(), dtype=np.float32)
