"""Environmental sounds of ESC-50 (Piczak, 2015): OGG clips of 5 s in one zip beside meta.csv.

Several clips are cut from one recording; the split is by recording, so that none stands on both sides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from m4sc.data.example import Data, Example, check_split
from m4sc.data.sound_archive import clips
from m4sc.data.wordings import pick, wordings_of

TEST_SHARE = 0.2
# What the two sets of sounds call differently; either name is right.
_ALSO = {"dog": "dog bark", "engine": "engine idling"}
_ALSO |= {other: name for name, other in _ALSO.items()}
_GAIN_DB = (-12.0, 3.0)
_NOISE_DB = (15.0, 40.0)


@dataclass(frozen=True)
class AlteredSound:
    """Loads a sound, shifts it in a circle, changes its gain, adds white noise; the same at every call."""

    source: Data | Callable[[], Data]
    seed: int

    def __call__(self) -> np.ndarray:
        """Return float32 (n,) in -1..1."""
        samples = np.asarray(self.source() if callable(self.source) else self.source, np.float32)
        rng = np.random.default_rng(self.seed)
        samples = np.roll(samples, int(rng.integers(len(samples))))
        samples = samples * 10 ** (rng.uniform(*_GAIN_DB) / 20)
        power = float(np.mean(samples**2)) * 10 ** (-rng.uniform(*_NOISE_DB) / 10)
        return np.clip(samples + rng.normal(scale=np.sqrt(power), size=len(samples)), -1, 1).astype(
            np.float32
        )


def share_of(clip_id: str) -> float:
    """0 to 1 from a hash of a recording's number: it depends on no other clip."""
    return int.from_bytes(hashlib.sha256(clip_id.encode()).digest()[:4], "big") / 2**32


def split_of(clip_id: str) -> str:
    """Split "train" or "test" of a recording."""
    return "test" if share_of(clip_id) < TEST_SHARE else "train"


def names_of(category: str) -> tuple[str, ...]:
    """Right answers for a class of the tables: its name in words, and what the other set calls it."""
    name = category.replace("_", " ")
    return (name, _ALSO[name]) if name in _ALSO else (name,)


def sound_examples(
    data_dir: Path, split: str, *, rest: bool = False, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """`sound` examples of split "train" or "test" in `data_dir`/esc50_part; the answer is the class in words.

    rest: take the clips of ESC-10 that esc50_part lacks, from `data_dir`/esc10_rest, instead.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "test"))
    rng = np.random.default_rng(seed)
    choices = wordings_of("sound", wording)
    examples = []
    folder, title, kind = ("esc10_rest", "ESC-10", "esc10") if rest else ("esc50_part", "ESC-50", "esc50")
    found = clips(Path(data_dir) / folder, title, lambda row: split_of(row["clip_id"]) == split)
    for row, clip in found:
        name = f"{kind}-{Path(row['file']).stem}"
        examples.append(
            Example(
                id=name,
                modality="speech",
                task="sound",
                instruction=pick(choices, rng),
                answers=names_of(row["category"]),
                kind=kind,
                source=clip,
                media_id=name,
                wording=wording,
                recording=row["clip_id"],
            )
        )
    return examples


def altered_copies(examples: Sequence[Example], copies: int, *, seed: int = 0) -> list[Example]:
    """`copies` further examples of each sound: shifted, of other gain, with noise."""
    rng = np.random.default_rng(seed)
    return [
        replace(
            example,
            id=f"copy{copy}-{example.id}",
            media_id=f"copy{copy}-{seed}-{example.media_id}",
            source=AlteredSound(example.source, int(rng.integers(2**31))),
        )
        for example in examples
        for copy in range(copies)
    ]
