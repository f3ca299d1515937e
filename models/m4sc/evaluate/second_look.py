"""What a second look is worth: mosaics of nine tiles, asked what is at one of nine places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data.cifar10 import load_cifar10
from m4sc.data.example import Example
from m4sc.data.mosaic import HELDOUT, SEEN, draw_mosaic, position_name, render
from m4sc.data.wordings import pick
from m4sc.evaluate.channels import transmit
from m4sc.evaluate.metrics.answers import exact_match
from m4sc.evaluate.metrics.bootstrap import crossed_interval
from m4sc.message import Message

TASK = "mosaic"
GRID = 3
PATHS = ("light path", "told the instruction", "told nonsense")
NONSENSE = "Purple ideas sleep furiously under green arithmetic."
_BATCH = 32


@dataclass(frozen=True)
class LookRow:
    """One path at one SNR.

    Attributes:
        path: one of `PATHS`.
        snr_db: Es/N0 per symbol, AWGN.
        right: share of right answers; its 95 % interval draws mosaics.
        low, high: of that interval.
        gain: over the light path in points, its interval by mosaic; zeros of that path itself.
        n: questions.
    """

    path: str
    snr_db: float
    right: float
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
                    task=TASK,
                    instruction=pick(table, rng).format(p=position_name(GRID, cell)),
                    answers=(pictures.names[mosaic.labels[cell]],),
                    kind="3x3-position",
                    source=partial(render, mosaic, pictures.images),
                    media_id=f"look-{number}",
                    wording=wording,
                )
            )
    return found


def measure_look(
    model: Any,
    examples: Sequence[Example],
    rate: int,
    snrs_db: Sequence[float],
    seeds: Sequence[int] = (0,),
    progress: Callable[[str, float], None] = lambda path, snr_db: None,
) -> list[LookRow]:
    """Each path at each SNR; the receiver is asked the same on all.

    Args:
        model: as `m4sc.load` returns it.
        examples: of :func:`placed_questions`.
        rate: complex symbols a token; of every path.
        snrs_db: Es/N0 per symbol, AWGN.
        seeds: of the noise.
        progress: gets what is measured next.
    """
    groups = [example.media_id for example in examples]
    sent = {path: _sent(model, examples, path, rate) for path in PATHS}
    rows = []
    for snr_db in snrs_db:
        hits = {}
        for path in PATHS:
            progress(path, snr_db)
            hits[path] = np.array([_hits(model, examples, sent[path], snr_db, seed) for seed in seeds])
        for path in PATHS:
            own, gain = hits[path], hits[path] - hits[PATHS[0]]
            low, high = _interval(own, groups)
            step = (0.0, 0.0, 0.0) if path == PATHS[0] else (float(gain.mean()), *_interval(gain, groups))
            rows.append(LookRow(path, snr_db, float(own.mean()), low, high, step, len(examples)))
    return rows


def _interval(values: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    return crossed_interval(values[..., None], lambda means: means[:, 0], groups)


def _sent(model: Any, examples: Sequence[Example], path: str, rate: int) -> list[np.ndarray]:
    """Symbols of each example's picture; where the path does not depend on the question, of each picture."""
    known: dict[tuple[str, str], np.ndarray] = {}
    found = []
    for example in examples:
        told = {PATHS[1]: example.instruction, PATHS[2]: NONSENSE}.get(path, "")
        key = example.media_id, told
        if key not in known:
            look = {"instruction": told, "look": True} if told else {}
            message = Message("image", example.load())
            known[key] = model.encode(message, TASK, rate=rate, **look).symbols
        found.append(known[key])
    return found


def _hits(
    model: Any, examples: Sequence[Example], sent: Sequence[np.ndarray], snr_db: float, seed: int
) -> np.ndarray:
    """Whether each answer is right, float (n,)."""
    rng = np.random.default_rng([seed, round(10 * snr_db) + 10_000])
    hits = []
    for start in range(0, len(examples), _BATCH):
        part = examples[start : start + _BATCH]
        heard = [transmit(x, "awgn", snr_db, rng) for x in sent[start : start + _BATCH]]
        answers = model.decode_many(heard, TASK, [example.instruction for example in part])
        hits += [
            exact_match(answer.text, example.answers) for answer, example in zip(answers, part, strict=True)
        ]
    return np.array(hits)
