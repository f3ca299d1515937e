"""Data sets of short sounds: one zip of clips and a table, meta.csv, beside it."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m4sc.data.example import require
from m4sc.media.sounds import read_sound


@dataclass(frozen=True)
class Clip:
    """Decodes a clip when called."""

    name: str
    packed: bytes

    def __call__(self) -> np.ndarray:
        """Return float32 (n,) at 16 kHz; raises ValueError if it is no sound."""
        return read_sound(self.packed)[0]


def clips(
    folder: Path, title: str, wanted: Callable[[dict[str, str]], bool]
) -> Iterator[tuple[dict[str, str], Clip]]:
    """Rows of `folder`/meta.csv that are wanted and whose file the zip holds, with their clips, in its order.

    Raises:
        FileNotFoundError: no such data set, called `title` in the message.
    """
    require(folder, title)
    meta = require(folder / "meta.csv", f"{title}'s meta.csv")
    archives = sorted(folder.glob("*.zip"))
    if not archives:
        raise FileNotFoundError(f"{folder} holds no zip file with {title}'s clips")
    with meta.open(newline="", encoding="utf-8") as file, zipfile.ZipFile(archives[0]) as archive:
        present = set(archive.namelist())
        for row in csv.DictReader(file):
            if wanted(row) and row["file"] in present:
                yield row, Clip(row["file"], archive.read(row["file"]))
