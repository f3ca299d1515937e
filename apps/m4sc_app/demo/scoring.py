"""Score of one answer of the demo against its references, 0 to 1; a missing answer scores 0."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from m4sc.evaluate.metrics.answers import exact_match
from m4sc.evaluate.metrics.speech import word_accuracy
from m4sc.tasks import get_task

DEFINITIONS = {
    "exact": "1 when the answer is one of the references (case, articles and punctuation aside), else 0",
    "word_f1": "F1 of the answer's words, function words aside, against the closest reference",
    "word_accuracy": "1 minus the word error rate, not below 0",
}
# by the task's scorer; CIDEr and the similarity of sentences need many answers or another network
_METRICS = {"exact": "exact", "wer": "word_accuracy"}
_FUNCTION_WORDS = """a an the and or of in on at to with by for from over under is are was were be it its his
her their"""


def score(task: str, answer: str | None, references: Sequence[str]) -> tuple[str, float]:
    """Name of the metric and its value in 0..1 for one answer."""
    metric = "word_accuracy" if task == "text" else _METRICS.get(get_task(task).scorer, "word_f1")
    if answer is None or not answer.strip():
        return metric, 0.0
    if metric == "word_f1":
        return metric, max(word_f1(answer, reference) for reference in references)
    return metric, (exact_match if metric == "exact" else word_accuracy)(answer, references)


def word_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of the words that say something, counted as often as they occur.

    One picture is too few for CIDEr, which would weigh words by their rarity.
    """
    given, wanted = (
        Counter(
            word for word in re.findall(r"[a-z0-9']+", text.lower()) if word not in _FUNCTION_WORDS.split()
        )
        for text in (answer, reference)
    )
    common = sum((given & wanted).values())
    return 2.0 * common / (given.total() + wanted.total()) if common else 0.0
