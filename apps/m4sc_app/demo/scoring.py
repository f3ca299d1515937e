"""Score of one answer against its references, 0 to 1; a missing answer scores 0."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

METRIC_OF_TASK = {
    "classify": "exact",
    "mosaic": "exact",
    "vqa": "exact",
    "caption": "word_f1",
    "summarize": "word_f1",
    "text": "word_accuracy",
    "digits": "word_accuracy",
    "transcribe": "word_accuracy",
}
DEFINITIONS = {
    "exact": "1 when the answer is one of the references (case, articles and punctuation aside), else 0",
    "word_f1": "F1 of the answer's words, function words aside, against the closest reference",
    "word_accuracy": "1 minus the word error rate, not below 0",
}


_FUNCTION_WORDS = frozenset(
    (
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "in",
        "on",
        "at",
        "to",
        "with",
        "by",
        "for",
        "from",
        "over",
        "under",
        "is",
        "are",
        "was",
        "were",
        "be",
        "it",
        "its",
        "his",
        "her",
        "their",
    )
)


def score(task: str, answer: str | None, references: Sequence[str]) -> tuple[str, float]:
    """Name of the metric and its value in 0..1 for one answer."""
    metric = METRIC_OF_TASK.get(task, "word_f1")
    if answer is None or not answer.strip():
        return metric, 0.0
    function = {"exact": exact, "word_f1": word_f1, "word_accuracy": word_accuracy}[metric]
    return metric, max(function(answer, reference) for reference in references)


def exact(answer: str, reference: str) -> float:
    """1.0 when both hold the same words, articles aside."""
    return float(_content(answer) == _content(reference))


def word_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of the words that say something, counted as often as they occur.

    One picture is too few for CIDEr, which would weigh words by their rarity.
    """
    given, wanted = (
        Counter(word for word in _words(text) if word not in _FUNCTION_WORDS) for text in (answer, reference)
    )
    common = sum((given & wanted).values())
    return 2.0 * common / (given.total() + wanted.total()) if common else 0.0


def word_accuracy(answer: str, reference: str) -> float:
    """max(0, 1 - edit distance in words / words of the reference)."""
    given, wanted = _words(answer), _words(reference)
    if not wanted:
        return float(not given)
    row = list(range(len(given) + 1))
    for i, word in enumerate(wanted, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(given, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return max(0.0, 1.0 - row[-1] / len(wanted))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def _content(text: str) -> list[str]:
    return [word for word in _words(text) if word not in ("a", "an", "the")]
