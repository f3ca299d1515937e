"""A sweep: its points over workers, each measured once; rows are on the disk as they come.

One process writes. The workers are those of Dask distributed (:mod:`m4sc.evaluate.sweep.workers`), the rows
Parquet (:mod:`m4sc.evaluate.sweep.store`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from m4sc.evaluate.sweep.commit import commit_of_code
from m4sc.evaluate.sweep.config import SweepConfig
from m4sc.evaluate.sweep.errors import SweepError
from m4sc.evaluate.sweep.ground import Place
from m4sc.evaluate.sweep.measured import measure_one
from m4sc.evaluate.sweep.points import Point, points_of
from m4sc.evaluate.sweep.store import Rows, add_point, clear_leftovers, join, read_rows, take_over_old
from m4sc.evaluate.sweep.workers import Tell, Workers, over_workers

Measure = Callable[[SweepConfig, Point, Place], Rows]


def checked_rows(folder: Path, config: SweepConfig) -> Rows:
    """Rows of a folder, which may be of systems, tasks and points that the configuration does not name.

    Raises:
        SweepError: rows of other settings, or of a system that is another one now.
    """
    known = {system.name: config.digest_of(system) for system in config.systems}
    rows = read_rows(folder)
    for row in rows:
        digest, point = str(row.get("config_hash")), str(row.get("point"))
        wanted = known.get(point.split("/")[0], digest)
        if digest != wanted or not digest.startswith(config.settings_digest):
            raise SweepError(f"{folder} holds {point} of another configuration; give another folder")
    return rows


def run_sweep(
    config: SweepConfig,
    out: Path,
    place: Place,
    *,
    workers: Workers | None = None,
    measure_point: Measure = measure_one,
    tell: Tell = lambda _: None,
) -> Iterator[tuple[int, int, str]]:
    """Measure what `out` lacks; yield points done, points in all and the last one's name.

    Args:
        config: of the sweep.
        out: folder of the rows.
        place: of the data.
        workers: that measure; None: this process.
        measure_point: what a worker does, picklable.
        tell: is told what is waited for.

    Raises:
        SweepError: rows of another configuration, another sweep that writes here, workers that die
            of a point again and again, or a scheduler that stays away; rows are kept.
        ValueError, FileNotFoundError: what a point raised; rows of others are kept.
    """
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".sweep.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as exc:
        raise SweepError(f"another sweep is writing to {out}; wait for it, or give another folder") from exc
    try:
        yield from _locked(config, out, place, workers, measure_point, tell)
    finally:
        lock.release()


def _locked(
    config: SweepConfig,
    out: Path,
    place: Place,
    workers: Workers | None,
    measure_point: Measure,
    tell: Tell,
) -> Iterator[tuple[int, int, str]]:
    clear_leftovers(out)
    done = {row["point"] for row in checked_rows(out, config)}
    take_over_old(out)
    every = points_of(config)
    left = [point for point in every if point.key not in done]
    finished = len(every) - len(left)
    yield finished, len(every), "there already" if done else "beginning"
    for point, (rows, commit) in _measured(config, left, place, workers, measure_point, tell):
        if commit != commit_of_code():
            tell(f"{point.key} was measured by {commit}, this sweep is {commit_of_code()}; its rows say so")
        about = {"config_hash": config.digest_of(point.system), "commit": commit}
        add_point(out, point.key, [{**row, **about} for row in rows])
        finished += 1
        yield finished, len(every), point.key
    join(out)


def _measured(
    config: SweepConfig,
    points: Sequence[Point],
    place: Place,
    workers: Workers | None,
    measure_point: Measure,
    tell: Tell,
) -> Iterator[tuple[Point, tuple[Rows, str]]]:
    if workers is None:
        for point in points:
            yield point, measure_there(measure_point, config, point, place)
        return
    by_key = {point.key: point for point in points}
    jobs: dict[str, tuple[Any, ...]] = {point.key: (measure_point, config, point, place) for point in points}
    for key, result in over_workers(jobs, measure_there, workers, tell):
        yield by_key[key], result


def measure_there(
    measure_point: Measure, config: SweepConfig, point: Point, place: Place
) -> tuple[Rows, str]:
    """A point's rows, and the commit of the worker that measured it."""
    return measure_point(config, point, place), commit_of_code()
