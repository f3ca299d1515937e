"""One example of any task, and the few helpers that every reader shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m4sc.media.pictures import as_picture

MODALITIES = ("image", "speech", "text", "image+speech")
SPEECH_RATE_HZ = 16_000

Data = np.ndarray | str | tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Example:
    """A message, what is asked about it, and the answers that count as right.

    Attributes:
        id: unique within its task and split.
        modality: "image" (uint8 (H, W, 3)), "speech" (float32 (n,), 16 kHz, -1 to 1), "text" (str) or
            "image+speech" (a picture and a sound).
        task: a name of `m4sc.tasks`, such as "classify".
        instruction: what is asked, in words.
        answers: right answers; the first is the one to train towards. Empty for `reconstruct`.
        kind: finer class within the task, for tables by question type.
        source: the data, or a function without arguments that loads them.
        media_id: names the message itself; examples about one message share it.
        wording: "seen" or "heldout": whether training may use this wording of the instruction.
        recording: of a sound, the recording that it was cut from; no recording is in two splits.
    """

    id: str
    modality: str
    task: str
    instruction: str
    answers: tuple[str, ...]
    kind: str
    source: Data | Callable[[], Data]
    media_id: str
    wording: str = "seen"
    recording: str = ""

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise ValueError(f"modality {self.modality!r} is none of {', '.join(MODALITIES)}")

    def load(self) -> Data:
        """Return the message: uint8 (H, W, 3), float32 (n,) at 16 kHz, str, or a picture and a sound."""
        return self.source() if callable(self.source) else self.source


@dataclass(frozen=True)
class ImageFile:
    """Loads a picture file when called; picklable, so that worker processes may have it."""

    path: Path

    def __call__(self) -> np.ndarray:
        """Return the picture, uint8 (H, W, 3), RGB."""
        return as_picture(self.path)


def require(path: Path, what: str) -> Path:
    """Return `path` if it exists.

    Raises:
        FileNotFoundError: naming the data set that is missing and the path looked at.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{what} is not at {path}: give the folder of data sets ('m4sc data sets' tells what obtains it)"
        )
    return path


def check_split(split: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError unless `split` is one of `allowed`."""
    if split not in allowed:
        raise ValueError(f"split {split!r} is none of {', '.join(allowed)}")
