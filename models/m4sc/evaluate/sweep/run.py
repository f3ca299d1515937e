"""Points of a sweep over worker processes; rows are appended as they come, none is measured twice.

One process writes. A point's rows go to the file in one piece that ends with the row marked `last`; a piece
that a kill cut off is taken out when the sweep goes on.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from m4sc.data.example import Example
from m4sc.evaluate.catalogue import test_examples
from m4sc.evaluate.envelope import choose_scheme, size_of
from m4sc.evaluate.harness import Controls, measure, measure_controls
from m4sc.evaluate.sweep.config import SweepConfig, SystemSpec
from m4sc.evaluate.sweep.ground import Ground, Place
from m4sc.evaluate.sweep.systems import Built, build, carries
from m4sc.evaluate.sweep.training_sets import training_examples
from m4sc.evaluate.systems import Classical, System

ROWS = "rows.jsonl"
SNR_DEFINITION = "Es/N0 per data subcarrier"
TRIES = 3
"""How often workers may die in a row without a point done between, before the sweep gives up."""
_TRAINING = 2000
Rows = list[dict[str, Any]]


class SweepError(ValueError):
    """The sweep cannot go on; what was measured is kept."""


@dataclass(frozen=True)
class Point:
    """One system on one task at one point of a channel."""

    system: SystemSpec
    task: str
    channel: str
    snr_db: float

    @property
    def key(self) -> str:
        """Names the point in the rows."""
        return f"{self.system.name}/{self.task}/{self.channel}/{self.snr_db:g}"


Measure = Callable[[SweepConfig, Point, Place], Rows]


def points_of(config: SweepConfig) -> list[Point]:
    """All points, those of one system and task together: a worker keeps what they share."""
    return [
        Point(system, task, channel, snr_db)
        for task in config.tasks
        for system in config.systems
        if carries(system, task)
        for channel, snr_db in config.points
    ]


def read_whole(path: Path, config: SweepConfig) -> Rows:
    """Rows of the points that are complete; everything else leaves the file.

    Rows of systems, tasks and points that the configuration does not name stay.

    Raises:
        SweepError: the folder holds rows of other settings, or of a system that is another one now.
    """
    known = {system.name: config.digest_of(system) for system in config.systems}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows: Rows = []
    piece: Rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as exc:
            if number < len(lines):
                raise SweepError(f"{path}, line {number}: this is no row; give another folder") from exc
            break
        digest = str(row.get("config_hash"))
        wanted = known.get(str(row.get("point")).split("/")[0], digest)
        if digest != wanted or not digest.startswith(config.settings_digest):
            raise SweepError(f"{path}, line {number}: a row of another configuration; give another folder")
        piece = [*piece, row] if piece and piece[0]["point"] == row["point"] else [row]
        if row["last"]:
            rows, piece = rows + piece, []
    whole = "".join(json.dumps(row) + "\n" for row in rows)
    if path.exists() and whole != path.read_text(encoding="utf-8"):
        spare = path.with_suffix(".part")
        spare.write_text(whole, encoding="utf-8")
        spare.replace(path)
    return rows


def run_sweep(
    config: SweepConfig,
    out: Path,
    place: Place,
    *,
    workers: int = 1,
    about: dict[str, Any] | None = None,
    measure_point: Measure | None = None,
) -> Iterator[tuple[int, int, str]]:
    """Measure what `out` lacks; yield points done, points in all and the last one's name.

    Args:
        config: of the sweep.
        out: folder of `ROWS`.
        place: of the data.
        workers: processes; each holds a model.
        about: written into every row, such as the code's commit.
        measure_point: what a worker does, picklable.

    Raises:
        SweepError: rows of another configuration, or workers that die again and again; rows are kept.
        ValueError, FileNotFoundError: what a point raised; rows of others are kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / ROWS
    done = {row["point"] for row in read_whole(path, config)}
    every = points_of(config)
    left = [point for point in every if point.key not in done]
    yield len(every) - len(left), len(every), "there already" if done else "beginning"
    tries = 0
    while left:
        before = len(left)
        try:
            for point, rows in _measured(config, left, place, workers, measure_point or measure_one):
                digest = config.digest_of(point.system)
                _append(path, rows, {"point": point.key, "config_hash": digest, **(about or {})})
                left = [one for one in left if one.key != point.key]
                yield len(every) - len(left), len(every), point.key
        except BrokenProcessPool as exc:
            tries = 1 if len(left) < before else tries + 1
            if tries >= TRIES:
                raise SweepError(
                    f"the workers died {tries} times (too little memory?); {len(every) - len(left)} of "
                    f"{len(every)} points are kept in {path}, the same command goes on"
                ) from exc


def _measured(
    config: SweepConfig, points: Sequence[Point], place: Place, workers: int, measure_point: Measure
) -> Iterator[tuple[Point, Rows]]:
    if workers < 1:
        for point in points:
            yield point, measure_point(config, point, place)
        return
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(workers, context) as pool:
        jobs: dict[Future[Rows], Point] = {
            pool.submit(measure_point, config, point, place): point for point in points
        }
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _append(path: Path, rows: Rows, about: dict[str, Any]) -> None:
    """All rows of a point in one piece, on the disk before the next begins."""
    if not rows:
        raise SweepError(f"{about['point']} gave no row")
    marked = [{**about, **row, "last": i == len(rows) - 1} for i, row in enumerate(rows)]
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in marked))
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True)
class _Work:
    """What the points of one system and task share."""

    built: Built
    examples: list[Example]
    controls: Controls


@lru_cache(maxsize=1)
def _model(weights: str) -> Any:
    import m4sc

    return m4sc.load(weights)


@lru_cache(maxsize=2)
def _work(config: SweepConfig, spec: SystemSpec, task: str, place: Place) -> _Work:
    model = _model(config.weights)
    examples = test_examples(task, place.data, config.examples, cache_dir=place.cache, seed=config.seed)
    training = training_examples(task, place.data, _TRAINING, config.seed)
    built = build(spec, task, Ground(model, training, config.validation, place, config.seed))
    return _Work(built, examples, measure_controls(built.system, examples))


def measure_one(config: SweepConfig, point: Point, place: Place) -> Rows:
    """Rows of a point: each measure, over all examples and by kind."""
    work = _work(config, point.system, point.task, place)
    rows = measure(work.built.system, work.examples, point.channel, point.snr_db, work.controls, config.seeds)
    more = {
        "system": point.system.name,
        "codec": point.system.codec,
        "chosen": work.built.chosen,
        "weights": config.weights,
        "weights_hash": f"{int(_model(config.weights).fingerprint) & 0xFFFFFFFF:08x}",
        "snr_definition": SNR_DEFINITION,
        "messages": len({example.media_id for example in work.examples}),
        "schemes": _schemes(work.built.system, point) if point.system.mcs < 0 else [],
    }
    return [{**asdict(row), **more} for row in rows]


def _schemes(system: System, point: Point) -> list[dict[str, Any]]:
    """The schemes that a point was sent with, and what the draws that chose them say of their loss."""
    used = system.used.get((point.channel, point.snr_db), ()) if isinstance(system, Classical) else ()
    found = []
    for size in sorted({size_of(n_bytes) for _, n_bytes in used}):
        choice = choose_scheme(point.channel, point.snr_db, size)
        low, high = choice.interval
        found.append(
            {"mcs": choice.mcs, "bytes": size, "lost": choice.lost, "draws": choice.draws,
             "loss_low": low, "loss_high": high}
        )  # fmt: skip
    return found
