"""What a second look is worth: one of nine tiles is asked about, or one of four photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data.cifar10 import load_cifar10
from m4sc.data.example import Example
from m4sc.data.flickr8k import caption_examples
from m4sc.data.mosaic import HELDOUT, SEEN, draw_mosaic, position_name, render, tiled
from m4sc.data.wordings import pick
from m4sc.evaluate.channels import transmit
from m4sc.evaluate.metrics.answers import exact_match
from m4sc.evaluate.metrics.bootstrap import crossed_interval
from m4sc.evaluate.metrics.captions import cider
from m4sc.message import Message

GRID = 3
_SIDE = 256  # pixels of a photograph among four
_CAPTION = "Write a caption for the {t} at the {p}."
_TITLE = "Give the {t} in the {p} a title."  # in no wording that a gaze learns from
PATHS = ("light path", "told the instruction", "told nonsense")
NONSENSE = "Purple ideas sleep furiously under green arithmetic."
_BATCH = 32


@dataclass(frozen=True)
class LookRow:
    """One path at one SNR.

    Attributes:
        path: one of `PATHS`.
        snr_db: Es/N0 per symbol, AWGN.
        score: share of right answers, or CIDEr of captions; its 95 % interval draws pictures.
        low, high: of that interval.
        gain: over the light path, and its interval, which draws pictures; zeros of that path itself.
        n: questions.
    """

    path: str
    snr_db: float
    score: float
    low: float
    high: float
    gain: tuple[float, float, float]
    n: int


def placed_questions(
    data: Path, mosaics: int, questions: int, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """Questions on 3 x 3 mosaics of test pictures, at most nine of one.

    Raises:
        FileNotFoundError: no CIFAR-10.
    """
    pictures = load_cifar10(data, "test")
    table = (SEEN if wording == "seen" else HELDOUT)["position"]
    found = []
    for number in range(mosaics):
        rng = np.random.default_rng([seed, GRID, number])
        mosaic = draw_mosaic(pictures, GRID, rng)
        for cell in rng.permutation(GRID**2)[:questions].tolist():
            found.append(
                Example(
                    id=f"look-{number}-{cell}",
                    modality="image",
                    task="mosaic",
                    instruction=pick(table, rng).format(p=position_name(GRID, cell)),
                    answers=(pictures.names[mosaic.labels[cell]],),
                    kind="3x3-position",
                    source=partial(render, mosaic, pictures.images),
                    media_id=f"look-{number}",
                    wording=wording,
                )
            )
    return found


def captions_of_four(data: Path, count: int, wording: str = "seen", seed: int = 0) -> list[Example]:
    """Captions of one photograph among four of Flickr8k's dev list, each photograph in one picture at most.

    Raises:
        FileNotFoundError: no Flickr8k.
    """
    photographs = caption_examples(data, "dev")
    rng = np.random.default_rng([seed, 4])
    order = rng.permutation(len(photographs))
    found = []
    for number in range(min(count, len(order) // 4)):
        four = [photographs[int(n)] for n in order[4 * number : 4 * number + 4]]
        cell = int(rng.integers(4))
        wanted = (_CAPTION if wording == "seen" else _TITLE).format(t="photo", p=position_name(2, cell))
        own = four[cell]
        found.append(
            replace(
                own, instruction=wanted, source=partial(_four, four), media_id=f"four-{number}", kind="four"
            )
        )
    return found


def _four(photographs: Sequence[Example]) -> np.ndarray:
    """Four photographs in one picture, uint8 (512, 512, 3)."""
    return tiled([np.asarray(one.load()) for one in photographs], 2, 2, 2 * _SIDE)


def measure_look(
    model: Any,
    examples: Sequence[Example],
    budget: dict[str, int],
    snrs_db: Sequence[float],
    seeds: Sequence[int] = (0,),
    progress: Callable[[str, float], None] = lambda path, snr_db: None,
) -> list[LookRow]:
    """Each path at each SNR; the receiver is asked the same on all.

    Args:
        model: as `m4sc.load` returns it.
        examples: of :func:`placed_questions` or of :func:`captions_of_four`.
        budget: `rate` or `symbols` of :meth:`m4sc.system.SemanticSystem.encode`, for every path.
        snrs_db: Es/N0 per symbol, AWGN.
        seeds: of the noise.
        progress: gets what is measured next.
    """
    groups = [example.media_id for example in examples]
    sent = {path: _sent(model, examples, path, budget) for path in PATHS}
    rows = []
    for snr_db in snrs_db:
        scores = {}
        for path in PATHS:
            progress(path, snr_db)
            scores[path] = np.array([_scores(model, examples, sent[path], snr_db, seed) for seed in seeds])
        for path in PATHS:
            own, gain = scores[path], scores[path] - scores[PATHS[0]]
            low, high = _interval(own, groups)
            step = (0.0, 0.0, 0.0) if path == PATHS[0] else (float(gain.mean()), *_interval(gain, groups))
            rows.append(LookRow(path, snr_db, float(own.mean()), low, high, step, len(examples)))
    return rows


def _interval(values: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    return crossed_interval(values[..., None], lambda means: means[:, 0], groups)


def _sent(model: Any, examples: Sequence[Example], path: str, budget: dict[str, int]) -> list[np.ndarray]:
    """Symbols of each example's picture; where the path does not depend on the question, of each picture."""
    known: dict[tuple[str, str], np.ndarray] = {}
    found = []
    for example in examples:
        told = {PATHS[1]: example.instruction, PATHS[2]: NONSENSE}.get(path, "")
        key = example.media_id, told
        if key not in known:
            look = {"instruction": told, "look": True} if told else {}
            message = Message("image", example.load())
            known[key] = model.encode(message, example.task, **budget, **look).symbols
        found.append(known[key])
    return found


def _scores(
    model: Any, examples: Sequence[Example], sent: Sequence[np.ndarray], snr_db: float, seed: int
) -> np.ndarray:
    """Of each answer whether it is right, or a caption's CIDEr, float (n,)."""
    rng = np.random.default_rng([seed, round(10 * snr_db) + 10_000])
    said: list[str] = []
    for start in range(0, len(examples), _BATCH):
        part = examples[start : start + _BATCH]
        heard = [transmit(x, "awgn", snr_db, rng) for x in sent[start : start + _BATCH]]
        asked = [example.instruction for example in part]
        said += [answer.text for answer in model.decode_many(heard, part[0].task, asked)]
    wanted = [example.answers for example in examples]
    if examples[0].task == "caption":
        return np.array(cider(said, wanted))
    return np.array([exact_match(text, answers) for text, answers in zip(said, wanted, strict=True)])
