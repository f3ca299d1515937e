"""The evaluation: each task over channels and SNRs, with controls, as rows that survive an interruption.

SNR is Es/N0 per complex data symbol. A lost message scores zero in every average, a lost picture what a grey
one scores.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data.example import Example
from m4sc.evaluate.systems import Said, Semantic, System
from m4sc.metrics.bootstrap import bootstrap_interval
from m4sc.metrics.image import score_pictures
from m4sc.metrics.scoring import score_all
from m4sc.tasks import get_task

CONTROL_SNR_DB = 10.0
_BY_KIND = ("mosaic", "vqa", "text-question", "spoken-question")


@dataclass(frozen=True)
class Row:
    """One figure; a control is None where a system has none.

    symbols: mean complex data symbols a message; kind: "all", a question type, or "ssim" beside a picture's
    PSNR; blind: latents were zeros; shuffled: they were another message's.
    """

    system: str
    task: str
    kind: str
    modality: str
    channel: str
    snr_db: float
    symbols: float
    metric: str
    score: float
    ci_low: float
    ci_high: float
    no_channel_score: float
    blind_score: float | None
    shuffled_score: float | None
    lost: int
    n: int
    seed: int
    wording: str


@dataclass(frozen=True)
class Controls:
    """Scores of each example, float (n,), that no SNR changes; `ssim`: of pictures, the same by SSIM."""

    no_channel: np.ndarray
    blind: np.ndarray | None
    shuffled: np.ndarray | None
    ssim: Controls | None = None


def shifted(examples: Sequence[Example]) -> list[Example]:
    """For each example another one that is about a different message, taken in a circle."""
    n = len(examples)
    others = []
    for i, example in enumerate(examples):
        candidates = (examples[(i + n // 2 + step) % n] for step in range(n))
        others.append(next((other for other in candidates if other.media_id != example.media_id), example))
    return others


def _scores(examples: Sequence[Example], answers: Sequence[Said], metric: str = "psnr") -> np.ndarray:
    """Score of each answer, float (n,); `metric` is of pictures."""
    if get_task(examples[0].task).gives == "image":
        pictures = [answer if isinstance(answer, np.ndarray) else None for answer in answers]
        originals = [np.asarray(example.load()) for example in examples]
        return np.asarray(score_pictures(pictures, originals, metric), dtype=np.float64)
    references = [example.answers for example in examples]
    kinds = [example.kind for example in examples]
    texts = [answer if isinstance(answer, str) else None for answer in answers]
    return np.asarray(score_all(examples[0].task, texts, references, kinds), dtype=np.float64)


def measure_controls(system: System, examples: Sequence[Example], seed: int) -> Controls:
    """Score the model without a channel and, for the semantic system, with zero and with swapped latents."""
    no_channel = system.all_without_channel(examples)
    blind: Sequence[Said] | None = None
    shuffled: Sequence[Said] | None = None
    if isinstance(system, Semantic):
        noise_var = 10.0 ** (-CONTROL_SNR_DB / 10)
        own = [system.symbols(example) for example in examples]
        foreign = [system.symbols(other) for other in shifted(examples)]
        blind, shuffled = (
            system.read_all([(x, np.full(len(x), noise_var, np.float32)) for x in symbols], examples)
            for symbols in ([np.zeros_like(x) for x in own], foreign)
        )

    def scored(metric: str, ssim: Controls | None = None) -> Controls:
        def scores(answers: Sequence[Said] | None) -> np.ndarray | None:
            return None if answers is None else _scores(examples, answers, metric)

        return Controls(_scores(examples, no_channel, metric), scores(blind), scores(shuffled), ssim)

    pictures = get_task(examples[0].task).gives == "image"
    return scored("psnr", scored("ssim") if pictures else None)


def measure(
    system: System, examples: Sequence[Example], channel: str, snr_db: float, controls: Controls, seed: int
) -> list[Row]:
    """Send every example once; return a row over all of them, one for each question type, and SSIM."""
    rngs = [
        np.random.default_rng([seed, i, round(10 * snr_db) + 10_000, len(channel)])
        for i in range(len(examples))
    ]
    sent = system.send_all(examples, channel, snr_db, rngs)
    answers, symbols = [answer for answer, _ in sent], [count for _, count in sent]
    kinds = np.array([example.kind for example in examples])
    metric = get_task(examples[0].task).scorer
    everything = np.ones(len(examples), bool)
    groups = [("all", everything, metric, controls)]
    if examples[0].task in _BY_KIND:
        groups += [(kind, kinds == kind, metric, controls) for kind in sorted(set(kinds))]
    if controls.ssim is not None:
        groups.append(("ssim", everything, "ssim", controls.ssim))
    rows = []
    scores_by = {name: _scores(examples, answers, name) for name in {group[2] for group in groups}}
    for group, chosen, metric, control in groups:
        scores = scores_by[metric]
        low, high = bootstrap_interval(scores[chosen], seed=seed)

        def mean(values: np.ndarray | None, chosen: np.ndarray = chosen) -> float | None:
            return None if values is None else float(values[chosen].mean())

        rows.append(
            Row(
                system=system.name,
                task=examples[0].task,
                kind=group,
                modality=examples[0].modality,
                channel=channel,
                snr_db=snr_db,
                symbols=float(np.asarray(symbols)[chosen].mean()),
                metric=metric,
                score=float(scores[chosen].mean()),
                ci_low=low,
                ci_high=high,
                no_channel_score=float(control.no_channel[chosen].mean()),
                blind_score=mean(control.blind),
                shuffled_score=mean(control.shuffled),
                lost=sum(answer is None for answer, use in zip(answers, chosen, strict=True) if use),
                n=int(chosen.sum()),
                seed=seed,
                wording=examples[0].wording,
            )
        )
    return rows


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a results file; a last line cut off by a kill is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def run(
    system: System,
    tasks: dict[str, list[Example]],
    *,
    channels: Sequence[str] = ("awgn",),
    snrs_db: Sequence[float] = (0.0, 10.0, 20.0),
    seed: int = 0,
    config: dict[str, Any] | None = None,
    results: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[dict[str, Any]]:
    """Yield rows, task by task; points that `results` (JSON lines) has are read from it, new ones appended.

    Args:
        system: under test.
        tasks: examples of each task.
        channels: names of `m4sc.evaluate.channels`.
        snrs_db: in dB.
        seed: of noise and intervals.
        config: written into every row, such as the weights' fingerprint; points of another are not reused.
        results: file to resume from.
        progress: called with a word on each finished point.
    """
    config = config or {}
    known = read_rows(results) if results is not None else []
    for task, examples in tasks.items():
        if not examples:
            continue
        controls: Controls | None = None
        for channel in channels:
            for snr_db in snrs_db:
                wanted = {
                    "system": system.name,
                    "task": task,
                    "channel": channel,
                    "snr_db": float(snr_db),
                    "seed": seed,
                    "wording": examples[0].wording,
                    "examples": len(examples),
                    "config": config,
                }
                rows = [row for row in known if all(row.get(key) == value for key, value in wanted.items())]
                if not any(row["kind"] == "all" for row in rows):
                    controls = controls or measure_controls(system, examples, seed)
                    measured = measure(system, examples, channel, float(snr_db), controls, seed)
                    # "all" is written last: its presence says that the point is complete
                    rows = [{**asdict(row), **wanted} for row in [*measured[1:], measured[0]]]
                    if results is not None:
                        results.parent.mkdir(parents=True, exist_ok=True)
                        with results.open("a", encoding="utf-8") as file:
                            file.writelines(json.dumps(row) + "\n" for row in rows)
                progress(f"{task} {channel} {snr_db:g} dB")
                yield from rows
