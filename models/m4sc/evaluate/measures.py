"""What a task is measured by: for each answer a few numbers whose means make the figure.

A mean score is its own mean. Corpus BLEU is a ratio of sums over the corpus: kept as sums, it can be
resampled as a mean can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from m4sc.data.example import Example
from m4sc.evaluate.metrics.captions import bleu4_counts, bleu4_of
from m4sc.evaluate.metrics.image import score_pictures
from m4sc.evaluate.metrics.scoring import score_all
from m4sc.evaluate.metrics.similarity import default_minilm
from m4sc.evaluate.systems import Said
from m4sc.tasks import get_task

CALIBRATED = ("classify", "mosaic", "vqa")
"""Tasks of which the error of the confidence is told beside the score."""
_BINS = 10

Each = Callable[[Sequence[Said], Sequence[Example]], np.ndarray]


@dataclass(frozen=True)
class Measure:
    """One figure of a task.

    Attributes:
        name: a scorer's name, "bleu4", "ssim", "calibration_error", or of texts "exact", "silent_errors",
            "flagged".
        each: numbers of every answer, float (n, d), from answers (None: lost) and their examples.
        figure: float (..., d), their means, to the figure, float (...).
    """

    name: str
    each: Each
    figure: Callable[[np.ndarray], np.ndarray]


def measures_of(task: str) -> list[Measure]:
    """The task's own scorer first, then what is told beside it.

    Of tasks in `CALIBRATED` the expected calibration error; of texts whether they are exact, wrong or in
    doubt, and BLEU-4; of captions BLEU-4 and similarity; of pictures SSIM.
    """
    entry = get_task(task)
    if entry.gives_picture:
        return [Measure(name, partial(_pictures, name), _mean) for name in ("psnr", "ssim")]
    found = [Measure(entry.scorer, _own, _mean)]
    if task == "text":
        found += [
            Measure(name, partial(_checked, name), _mean) for name in ("exact", "silent_errors", "flagged")
        ]
    if task in CALIBRATED:
        found.append(Measure("calibration_error", _surer_than_right, _error))
    if entry.scorer in ("cider", "similarity"):
        found.append(Measure("bleu4", _bleu4, bleu4_of))
    if entry.scorer == "cider":
        found.append(Measure("similarity", _near, _mean))
    return found


def _mean(means: np.ndarray) -> np.ndarray:
    return means[..., 0]


def _error(means: np.ndarray) -> np.ndarray:
    """Expected calibration error (Guo et al., ICML 2017): the bins' gaps, each by its share of answers."""
    return np.asarray(np.abs(means).sum(-1))


def _surer_than_right(answers: Sequence[Said], examples: Sequence[Example]) -> np.ndarray:
    """Confidence less score, float (n, 10), in the column of the confidence's bin.

    An answer without a confidence counts as sure, a lost message as one that claims nothing.
    """
    rows = np.zeros((len(answers), _BINS))
    for row, answer, score in zip(rows, answers, _own(answers, examples)[:, 0], strict=True):
        if answer is None:
            continue
        told = getattr(answer, "confidence", None)
        sure = 1.0 if told is None else told
        row[min(int(sure * _BINS), _BINS - 1)] = sure - score
    return rows


def _texts(answers: Sequence[Said]) -> list[str | None]:
    return [answer if isinstance(answer, str) else None for answer in answers]


def _own(answers: Sequence[Said], examples: Sequence[Example]) -> np.ndarray:
    references, kinds = [e.answers for e in examples], [e.kind for e in examples]
    scores = score_all(examples[0].task, _texts(answers), references, kinds)
    return np.asarray(scores, dtype=np.float64)[:, None]


def _checked(metric: str, answers: Sequence[Said], examples: Sequence[Example]) -> np.ndarray:
    """Of texts: to the letter; wrong and not said to be; said to be in doubt, or lost."""
    rows = []
    for answer, example in zip(answers, examples, strict=True):
        right = isinstance(answer, str) and str(answer) in example.answers
        doubted = answer is None or getattr(answer, "verified", None) is False
        rows.append({"exact": right, "silent_errors": not right and not doubted, "flagged": doubted}[metric])
    return np.array(rows, np.float64)[:, None]


def _pictures(metric: str, answers: Sequence[Said], examples: Sequence[Example]) -> np.ndarray:
    shown = [answer if isinstance(answer, np.ndarray) else None for answer in answers]
    scores = score_pictures(shown, [np.asarray(e.load()) for e in examples], metric)
    return np.asarray(scores, dtype=np.float64)[:, None]


def _bleu4(answers: Sequence[Said], examples: Sequence[Example]) -> np.ndarray:
    return bleu4_counts([text or "" for text in _texts(answers)], [e.answers for e in examples])


def _near(answers: Sequence[Said], examples: Sequence[Example]) -> np.ndarray:
    near = default_minilm().nearest
    pairs = zip(_texts(answers), examples, strict=True)
    return np.array([[near(text or "", example.answers)] for text, example in pairs])
