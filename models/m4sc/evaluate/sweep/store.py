"""Rows of a sweep as Parquet: a folder of files that other tools read as one table.

A point's rows are a file of their own, written under a hidden name and renamed when it is on the disk: a kill
leaves whole points and nothing else. When a sweep is done its files are joined to one. `rows.jsonl` of
earlier versions is read too; a sweep that goes on takes its rows over.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from m4sc.evaluate.sweep.errors import SweepError

Rows = list[dict[str, Any]]
FOLDER = "rows"
OLD_FILE = "rows.jsonl"
JOINED = "joined.parquet"
_TEXTS = (
    "point", "config_hash", "commit", "system", "codec", "chosen", "task", "kind", "modality", "wording",
    "channel", "through", "snr_definition", "metric", "weights", "weights_hash",
)  # fmt: skip
_REALS = (
    "snr_db", "post_equaliser_snr_db", "symbols", "air_time_ms", "score", "ci_low", "ci_high",
    "no_channel_score", "no_channel_ratio", "blind_score", "shuffled_score",
)  # fmt: skip
_COUNTS = ("lost", "frames", "frames_lost", "n", "messages", "draw_seed", "protection", "controls")
COLUMNS = (*_TEXTS, *_REALS, *_COUNTS, "seeds", "schemes", "samples")
"""Columns of every row, empty where a row says nothing of it."""


def has_rows(folder: Path) -> bool:
    """Whether a folder holds a sweep's rows."""
    return (folder / FOLDER).is_dir() or (folder / OLD_FILE).is_file()


def read_rows(folder: Path) -> Rows:
    """All rows of a sweep's folder, a point's together; nothing is written.

    Raises:
        SweepError: a file is damaged.
    """
    found: dict[str, Rows] = {}
    for path in sorted(
        (folder / FOLDER).glob("*.parquet"), key=lambda path: (path.name != JOINED, path.name)
    ):
        for point, rows in _by_point(_read(path)).items():
            found.setdefault(point, rows)
    for point, rows in _old(folder / OLD_FILE).items():
        found.setdefault(point, rows)
    return [row for rows in found.values() for row in rows]


def add_point(folder: Path, point: str, rows: Rows) -> None:
    """Write a point's rows, all or none of them, to the disk.

    Raises:
        SweepError: there are none, or a row has a column that is not in `COLUMNS`.
    """
    if not rows:
        raise SweepError(f"{point} gave no row")
    unknown = {name for row in rows for name in row} - set(COLUMNS)
    if unknown:
        raise SweepError(f"a row of {point} has {', '.join(sorted(unknown))}, which no table takes")
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", point)[:80]
    name = f"{plain}-{hashlib.sha256(point.encode()).hexdigest()[:8]}.parquet"
    _write([{**row, "point": point} for row in rows], folder / FOLDER / name)


def take_over_old(folder: Path) -> None:
    """Make Parquet of an earlier version's `rows.jsonl`, which goes."""
    path = folder / OLD_FILE
    if not path.is_file():
        return
    there = {row["point"] for row in read_rows_of_parts(folder)}
    for point, rows in _old(path).items():
        if point not in there:
            add_point(folder, point, rows)
    path.unlink()


def read_rows_of_parts(folder: Path) -> Rows:
    """Rows of the Parquet files alone."""
    return [row for path in (folder / FOLDER).glob("*.parquet") for row in _read(path)]


def join(folder: Path) -> None:
    """Make one file of all; what a kill in between leaves there twice, the next call takes out."""
    parts = [path for path in (folder / FOLDER).glob("*.parquet") if path.name != JOINED]
    if not parts:
        return
    rows = sorted(read_rows(folder), key=lambda row: str(row["point"]))
    _write(rows, folder / FOLDER / JOINED)
    for path in parts:
        path.unlink()


def clear_leftovers(folder: Path) -> None:
    """Delete what a kill left half written."""
    for path in (folder / FOLDER).glob(".*.part"):
        path.unlink()


def _schema() -> Any:
    import pyarrow as pa

    scheme = pa.struct(
        [("mcs", pa.int64()), ("bytes", pa.int64()), ("lost", pa.int64()), ("draws", pa.int64()),
         ("loss_low", pa.float64()), ("loss_high", pa.float64())]
    )  # fmt: skip
    fields = [(name, pa.string()) for name in _TEXTS] + [(name, pa.float64()) for name in _REALS]
    fields += [(name, pa.int64()) for name in _COUNTS]
    sample = pa.struct(
        [(name, pa.string()) for name in ("id", "asked", "wanted", "said")]
        + [(name, pa.binary()) for name in ("message", "received")]
    )
    lists = [("seeds", pa.int64()), ("schemes", scheme), ("samples", sample)]
    return pa.schema([*fields, *((name, pa.list_(kind)) for name, kind in lists)])


def _write(rows: Rows, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    spare = path.with_name(f".{path.name}.part")  # readers of the folder pass over hidden files
    with spare.open("wb") as file:
        pq.write_table(pa.Table.from_pylist(rows, _schema()), file)
        file.flush()
        os.fsync(file.fileno())
    spare.replace(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)  # the new name is on the disk too
    finally:
        os.close(handle)


def _read(path: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return [dict(row) for row in pq.ParquetFile(path).read().to_pylist()]
    except (pa.ArrowException, OSError) as exc:
        told = "the points in it are" if path.name == JOINED else "its point is"
        raise SweepError(f"{path} is damaged; delete it, and {told} measured anew") from exc


def _by_point(rows: Iterable[dict[str, Any]]) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for row in rows:
        found.setdefault(str(row["point"]), []).append(row)
    return found


def _old(path: Path) -> dict[str, Rows]:
    """Points of a file of JSON lines that are complete: the last row of each says so."""
    found: dict[str, Rows] = {}
    piece: Rows = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            point, last = str(row["point"]), bool(row.pop("last"))
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
            if number < len(lines):
                raise SweepError(f"{path}, line {number}: this is no row; give another folder") from exc
            break
        piece = [*piece, row] if piece and piece[0]["point"] == point else [row]
        if last:
            found[point], piece = piece, []
    return found
