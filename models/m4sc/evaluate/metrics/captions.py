"""CIDEr-D (Vedantam et al., CVPR 2015) and BLEU-4 (Papineni et al., ACL 2002)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log, sqrt

import numpy as np

_ORDER = 4
_SIGMA = 6.0


def words(text: str) -> list[str]:
    """Lower-case words without punctuation, as the COCO caption evaluation takes them."""
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower())


def ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """Count the n-grams of `tokens`."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def cider(answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each answer, 0 to 10; the document frequencies are those of `references`.

    g(c, s) = 10/4 sum_n exp(-(|c|-|s|)^2 / 72) min(c_n, s_n) . s_n / (|c_n| |s_n|), mean over references,
    with tf-idf vectors; Vedantam et al., eq. (3) to (5). Only figures over the same references compare.

    Raises:
        ValueError: as many answers as reference lists are needed.
    """
    if len(answers) != len(references):
        raise ValueError(
            f"{len(answers)} answers, {len(references)} lists of references; give one list an answer"
        )
    tokens = [[words(text) for text in group] for group in references]
    frequency: Counter[tuple[str, ...]] = Counter()
    for group in tokens:
        frequency.update({gram for text in group for n in range(1, _ORDER + 1) for gram in ngrams(text, n)})
    log_documents = log(max(len(references), 1))

    def vectors(text: Sequence[str]) -> list[dict[tuple[str, ...], float]]:
        return [
            {
                gram: count * (log_documents - log(max(1, frequency[gram])))
                for gram, count in ngrams(text, n).items()
            }
            for n in range(1, _ORDER + 1)
        ]

    scores = []
    for answer, group in zip(answers, tokens, strict=True):
        candidate = words(answer)
        candidate_vectors = vectors(candidate)
        total = 0.0
        for text in group:
            penalty = exp(-((len(candidate) - len(text)) ** 2) / (2 * _SIGMA**2))
            for c, s in zip(candidate_vectors, vectors(text), strict=True):
                norm = sqrt(sum(v * v for v in c.values())) * sqrt(sum(v * v for v in s.values()))
                if norm > 0:
                    total += penalty * sum(min(v, s.get(g, 0.0)) * s.get(g, 0.0) for g, v in c.items()) / norm
        scores.append(10.0 * total / (_ORDER * max(len(group), 1)))
    return scores


def bleu4_counts(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """What each answer adds to corpus BLEU-4, float (n, 10).

    Columns: n-grams of order 1 to 4 that a reference has, n-grams of each order, words of the answer and
    of the reference nearest in length.
    """
    rows = []
    for answer, group in zip(answers, references, strict=True):
        candidate, texts = words(answer), [words(text) for text in group]
        matched, possible = [], []
        for n in range(1, _ORDER + 1):
            limit: Counter[tuple[str, ...]] = Counter()
            for text in texts:
                limit |= ngrams(text, n)
            grams = ngrams(candidate, n)
            matched.append((grams & limit).total())
            possible.append(grams.total())
        nearest = min((abs(len(text) - len(candidate)), len(text)) for text in texts)[1]
        rows.append([*matched, *possible, len(candidate), nearest])
    return np.array(rows, dtype=np.float64).reshape(-1, 2 * _ORDER + 2)


def bleu4_of(counts: np.ndarray) -> np.ndarray:
    """Corpus BLEU-4, 0 to 1, without smoothing, of summed or mean counts, float (..., 10) to (...)."""
    matched, possible = counts[..., :_ORDER], counts[..., _ORDER : 2 * _ORDER]
    length, target = counts[..., -2], counts[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.log(matched / possible).mean(-1)
        brevity = np.minimum(0.0, 1.0 - target / length)
        return np.where(matched.min(-1) > 0, np.exp(precision + brevity), 0.0)


def bleu4(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus BLEU-4, 0 to 1, without smoothing, over lower-case words."""
    return float(bleu4_of(bleu4_counts(answers, references).sum(0)))
