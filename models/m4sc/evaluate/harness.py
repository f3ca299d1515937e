"""The evaluation: each task over channels and SNRs, with controls, as rows that survive an interruption.

SNR is Es/N0 per complex data symbol. A lost message scores zero in every average, a lost picture what a grey
one scores.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data.example import Example
from m4sc.evaluate.measures import Measure, measures_of
from m4sc.evaluate.metrics.bootstrap import crossed_interval
from m4sc.evaluate.systems import Delivery, Said, Semantic, System

CONTROL_SNR_DB = 10.0
"""What a receiver believes of zeros and of another message's symbols, Es/N0 in dB."""
_BY_KIND = ("mosaic", "vqa", "text", "text-question", "spoken-question", "sound")


Values = list[np.ndarray]


@dataclass(frozen=True)
class Row:
    """One figure; a control is None where a system has none.

    symbols, air_time_ms: of a message, on average; the time counts preambles, headers, pilots and cyclic
    prefixes; kind: "all" or a question type; no_channel_ratio: score over
    no_channel_score; blind: latents were zeros; shuffled: they were another message's; lost: messages of all
    seeds; frames, frames_lost: of all messages and seeds; post_equaliser_snr_db: median over them; the
    interval is over messages, of which n examples ask, and the seeds of the channel; controls: examples that
    blind and shuffled are of, None for all n.
    """

    system: str
    task: str
    kind: str
    modality: str
    channel: str
    snr_db: float
    symbols: float
    air_time_ms: float
    metric: str
    score: float
    ci_low: float
    ci_high: float
    no_channel_score: float
    no_channel_ratio: float | None
    blind_score: float | None
    shuffled_score: float | None
    lost: int
    frames: int
    frames_lost: int
    n: int
    seeds: list[int]
    wording: str
    post_equaliser_snr_db: float | None = None
    controls: int | None = None


@dataclass(frozen=True)
class Controls:
    """Numbers of each example, of every measure, that no SNR changes.

    Attributes:
        no_channel: of all examples.
        blind, shuffled: of those of `held`; None where a system has none.
        held: places of those examples, int64 (m,); None: all.
    """

    no_channel: Values
    blind: Values | None
    shuffled: Values | None
    held: np.ndarray | None = None


def shifted(examples: Sequence[Example]) -> list[Example]:
    """For each example another one that is about a different message, taken in a circle."""
    n = len(examples)
    others = []
    for i, example in enumerate(examples):
        candidates = (examples[(i + n // 2 + step) % n] for step in range(n))
        others.append(next((other for other in candidates if other.media_id != example.media_id), example))
    return others


def _values(measures: Sequence[Measure], examples: Sequence[Example], answers: Sequence[Said]) -> Values:
    """Numbers of every answer, float (n, d), of each measure."""
    return [measure.each(answers, examples) for measure in measures]


def measure_controls(system: System, examples: Sequence[Example], most: int | None = None) -> Controls:
    """Measure the model without a channel and, of the semantic system, with zero and with swapped latents.

    most: examples that have the latter two, evenly spaced over all; None: all have.
    """
    measures = measures_of(examples[0].task)
    no_channel = _values(measures, examples, system.all_without_channel(examples))
    if not isinstance(system, Semantic):
        return Controls(no_channel, None, None)
    held = None
    if most is not None and most < len(examples):
        held = np.arange(most) * len(examples) // max(most, 1)
        if not most:
            return Controls(no_channel, None, None, held)
    noise_var, others = 10.0 ** (-CONTROL_SNR_DB / 10), shifted(examples)
    places = range(len(examples)) if held is None else held.tolist()
    asked = [examples[i] for i in places]
    foreign = [system.symbols(others[i]) for i in places]
    swapped = system.read_all([(x, np.full(len(x), noise_var, np.float32)) for x in foreign], asked)
    blind = system.read_zeros(asked, noise_var)
    return Controls(no_channel, _values(measures, asked, blind), _values(measures, asked, swapped), held)


def measure(
    system: System,
    examples: Sequence[Example],
    channel: str,
    snr_db: float,
    controls: Controls,
    seeds: Sequence[int],
    keep: Callable[[list[Delivery]], None] = lambda _: None,
) -> list[Row]:
    """Send every example once a seed; return a row of each measure over all, then of each question type.

    `keep` is given what came of the examples with the first seed.
    """
    measures, lost = measures_of(examples[0].task), []
    found: list[Values] = []
    symbols, air_time_s, frames, frames_lost, snrs_db = [], [], [], [], []
    for seed in seeds:
        sent = system.send_all(examples, channel, snr_db, point_rngs(seed, len(examples), channel, snr_db))
        if not found:
            keep(sent)
        answers = [delivery.said for delivery in sent]
        found.append(_values(measures, examples, answers))
        symbols.append([delivery.symbols for delivery in sent])
        air_time_s.append([delivery.air_time_s for delivery in sent])
        lost.append([answer is None for answer in answers])
        frames.append([delivery.frames for delivery in sent])
        frames_lost.append([delivery.frames_lost for delivery in sent])
        snrs_db.append([delivery.snr_db for delivery in sent])
    kinds = np.array([example.kind for example in examples])
    media = np.array([example.media_id for example in examples])
    groups = ["all", *(sorted(set(kinds)) if examples[0].task in _BY_KIND else [])]
    rows = []
    for group in groups:
        chosen = np.ones(len(examples), bool) if group == "all" else kinds == group
        for m, measured in enumerate(measures):
            values = np.stack([of_seed[m][chosen] for of_seed in found])  # (seeds, n, d)
            low, high = crossed_interval(values, measured.figure, media[chosen], seed=seeds[0])

            def figure(control: Values | None, chosen: np.ndarray, m: int = m) -> float | None:
                if control is None or not chosen.any():
                    return None
                return float(measures[m].figure(control[m][chosen].mean(0)))

            score = float(measured.figure(values.mean((0, 1))))
            no_channel = figure(controls.no_channel, chosen) or 0.0
            held = chosen if controls.held is None else chosen[controls.held]
            rows.append(
                Row(
                    system=system.name,
                    task=examples[0].task,
                    kind=group,
                    modality=examples[0].modality,
                    channel=channel,
                    snr_db=snr_db,
                    symbols=float(np.asarray(symbols)[:, chosen].mean()),
                    air_time_ms=float(1e3 * np.asarray(air_time_s)[:, chosen].mean()),
                    metric=measured.name,
                    score=score,
                    ci_low=low,
                    ci_high=high,
                    no_channel_score=no_channel,
                    no_channel_ratio=score / no_channel if no_channel > 0 else None,
                    blind_score=figure(controls.blind, held),
                    shuffled_score=figure(controls.shuffled, held),
                    lost=int(np.asarray(lost)[:, chosen].sum()),
                    frames=int(np.asarray(frames)[:, chosen].sum()),
                    frames_lost=int(np.asarray(frames_lost)[:, chosen].sum()),
                    n=int(chosen.sum()),
                    seeds=list(seeds),
                    wording=examples[0].wording,
                    post_equaliser_snr_db=_median_known(np.asarray(snrs_db)[:, chosen]),
                    controls=None if controls.held is None else int(held.sum()),
                )
            )
    return rows


def point_rngs(seed: int, n: int, channel: str, snr_db: float) -> list[np.random.Generator]:
    """Sources of noise and fading of a point's n messages; every seed, SNR and channel has its own."""
    place = [round(10 * snr_db) + 10_000, zlib.crc32(channel.encode())]
    return [np.random.default_rng([seed, i, *place]) for i in range(n)]


def _median_known(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None


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
    seeds: Sequence[int] = (0,),
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
        seeds: of the channels' noise; each example is sent once with each.
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
        last = measures_of(task)[-1].name
        for channel in channels:
            for snr_db in snrs_db:
                wanted = {
                    "system": system.name,
                    "task": task,
                    "channel": channel,
                    "snr_db": float(snr_db),
                    "seeds": list(seeds),
                    "wording": examples[0].wording,
                    "examples": len(examples),
                    "config": config,
                }
                rows = [row for row in known if all(row.get(key) == value for key, value in wanted.items())]
                if not any(row["kind"] == "all" and row["metric"] == last for row in rows):
                    controls = controls or measure_controls(system, examples)
                    measured = measure(system, examples, channel, float(snr_db), controls, seeds)
                    measured.sort(key=lambda row: row.kind == "all")  # last: says that the point is complete
                    rows = [{**asdict(row), **wanted} for row in measured]
                    if results is not None:
                        results.parent.mkdir(parents=True, exist_ok=True)
                        with results.open("a", encoding="utf-8") as file:
                            file.writelines(json.dumps(row) + "\n" for row in rows)
                progress(f"{task} {channel} {snr_db:g} dB")
                yield from rows
