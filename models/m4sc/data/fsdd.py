"""Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0): FLAC clips in one zip beside meta.csv."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from m4sc.data.example import SPEECH_RATE_HZ, Example, check_split, require
from m4sc.data.wordings import pick, wordings_of

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class _Clip:
    name: str
    flac: bytes

    def __call__(self) -> np.ndarray:
        samples, rate = soundfile.read(io.BytesIO(self.flac), dtype="float32")
        if rate != SPEECH_RATE_HZ or samples.ndim != 1:
            raise ValueError(f"{self.name} has {rate} Hz, {samples.ndim} axes; wanted 16000, mono")
        return samples


def digit_examples(data_dir: Path, split: str, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """`digits` examples of the official split (index 0 to 4 test, the others train); answers "seven" or "7".

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "test"))
    folder = require(Path(data_dir) / "fsdd", "FSDD")
    meta = require(folder / "meta.csv", "FSDD's meta.csv")
    archives = sorted(folder.glob("*.zip"))
    if not archives:
        raise FileNotFoundError(f"{folder} holds no zip file with FSDD's clips")
    rng = np.random.default_rng(seed)
    choices = wordings_of("digits", wording)
    examples = []
    with meta.open(newline="", encoding="utf-8") as file, zipfile.ZipFile(archives[0]) as archive:
        present = set(archive.namelist())
        for row in csv.DictReader(file):
            # the split follows from the index itself; a wrong split column cannot leak a test clip
            if ("test" if int(row["index"]) < 5 else "train") != split or row["file"] not in present:
                continue
            digit, stem = int(row["digit"]), Path(row["file"]).stem
            examples.append(
                Example(
                    id=f"fsdd-{stem}",
                    modality="speech",
                    task="digits",
                    instruction=pick(choices, rng),
                    answers=(DIGIT_WORDS[digit], str(digit)),
                    kind=row["speaker"],
                    source=_Clip(row["file"], archive.read(row["file"])),
                    media_id=f"fsdd-{stem}",
                    wording=wording,
                )
            )
    return examples
