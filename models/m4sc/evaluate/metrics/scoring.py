"""The score of an answer, by the scorer that its task names. A lost or empty answer scores zero."""

from __future__ import annotations

from collections.abc import Sequence

from m4sc.evaluate.metrics.answers import exact_match, tile_match
from m4sc.evaluate.metrics.captions import cider
from m4sc.evaluate.metrics.similarity import default_minilm
from m4sc.evaluate.metrics.speech import word_accuracy
from m4sc.tasks import get_task


def score_all(
    task: str,
    answers: Sequence[str | None],
    references: Sequence[Sequence[str]],
    kinds: Sequence[str] | None = None,
) -> list[float]:
    """Score many answers of one task; None stands for a lost message.

    Captions get CIDEr-D over these references (may exceed 1); every other score lies in 0 to 1.

    Raises:
        ValueError: unknown task or scorer; as many answers as references are needed.
    """
    scorer = get_task(task).scorer
    if len(answers) != len(references):
        raise ValueError(
            f"{len(answers)} answers for {len(references)} lists of references; give one list an answer"
        )
    texts = ["" if answer is None else answer for answer in answers]
    if scorer == "cider":
        return cider(texts, references)
    if scorer == "exact":
        return [
            tile_match(text, group[0]) if kind.endswith("describe") else exact_match(text, group)
            for text, group, kind in zip(texts, references, kinds or [""] * len(texts), strict=True)
        ]
    if scorer == "wer":
        return [word_accuracy(text, group) for text, group in zip(texts, references, strict=True)]
    if scorer == "similarity":
        return [default_minilm().nearest(text, group) for text, group in zip(texts, references, strict=True)]
    raise ValueError(
        f"task {task!r} names the scorer {scorer!r}; words have exact, cider, wer and similarity, pictures "
        "m4sc.evaluate.metrics.image.score_pictures"
    )


def score(task: str, answer: str | None, references: Sequence[str], kind: str = "") -> float:
    """Score one answer, 0 to 1. One caption has no document frequencies: it gets its MiniLM similarity."""
    if get_task(task).scorer == "cider":
        return default_minilm().nearest(answer or "", references)
    return score_all(task, [answer], [references], [kind])[0]
