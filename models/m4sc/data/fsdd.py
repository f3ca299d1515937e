"""Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0): FLAC clips in one zip beside meta.csv."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m4sc.data.example import SPEECH_RATE_HZ, Example, check_split
from m4sc.data.sound_archive import clips
from m4sc.data.wordings import pick, wordings_of

_GAP_S = (0.02, 0.2)
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digit_examples(data_dir: Path, split: str, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """`digits` examples of the official split (index 0 to 4 test, the others train); answers "seven" or "7".

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "test"))
    rng = np.random.default_rng(seed)
    choices = wordings_of("digits", wording)
    examples = []
    for row, clip in clips(Path(data_dir) / "fsdd", "FSDD", lambda row: _split_of(row) == split):
        digit, stem = int(row["digit"]), Path(row["file"]).stem
        examples.append(
            Example(
                id=f"fsdd-{stem}",
                modality="speech",
                task="digits",
                instruction=pick(choices, rng),
                answers=(DIGIT_WORDS[digit], str(digit)),
                kind=row["speaker"],
                source=clip,
                media_id=f"fsdd-{stem}",
                wording=wording,
            )
        )
    return examples


def _split_of(row: dict[str, str]) -> str:
    """From the index itself: a wrong split column cannot leak a test clip."""
    return "test" if int(row["index"]) < 5 else "train"


@dataclass(frozen=True, eq=False)
class _Joined:
    """Clips one after another. gaps: samples of silence before each."""

    clips: tuple[Example, ...]
    gaps: tuple[int, ...]

    def __call__(self) -> np.ndarray:
        parts = []
        for clip, gap in zip(self.clips, self.gaps, strict=True):
            parts += [np.zeros(gap, np.float32), np.asarray(clip.load(), np.float32)]
        return np.concatenate(parts)


def number_examples(
    clips: Sequence[Example], count: int, *, lengths: tuple[int, int] = (2, 5), seed: int = 0
) -> list[Example]:
    """`count` numbers of several digits, each of one speaker's clips; answers "three one four" or "314".

    Args:
        clips: as from `digit_examples`, of the split that the numbers are for.
        count: how many.
        lengths: fewest and most digits.
        seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    speakers: dict[str, list[Example]] = {}
    for clip in clips:
        speakers.setdefault(clip.kind, []).append(clip)
    names = sorted(speakers)
    choices = wordings_of("digits", clips[0].wording)
    examples = []
    for i in range(count):
        pool = speakers[names[int(rng.integers(len(names)))]]
        size = int(rng.integers(lengths[0], lengths[1] + 1))
        chosen = tuple(pool[int(j)] for j in rng.integers(len(pool), size=size))
        gaps = tuple(int(g) for g in rng.uniform(*_GAP_S, size) * SPEECH_RATE_HZ)
        name = f"fsdd-number-{seed}-{i}"
        examples.append(
            Example(
                id=name,
                modality="speech",
                task="digits",
                instruction=pick(choices, rng),
                answers=(" ".join(c.answers[0] for c in chosen), "".join(c.answers[1] for c in chosen)),
                kind="number",
                source=_Joined(chosen, gaps),
                media_id=name,
                wording=clips[0].wording,
            )
        )
    return examples
