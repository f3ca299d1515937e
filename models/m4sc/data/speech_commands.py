"""Single words of many speakers from Speech Commands (Warden, 2018): FLAC clips in a zip beside meta.csv."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m4sc.data.example import Example, check_split
from m4sc.data.sound_archive import clips
from m4sc.data.wordings import pick, wordings_of


def word_examples(data_dir: Path, split: str, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """`transcribe` examples of the official split "train" or "dev"; the answer is the word.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "dev"))
    rng = np.random.default_rng(seed)
    choices = wordings_of("transcribe", wording)
    folder = Path(data_dir) / "speech_commands_part"
    examples = []
    for row, clip in clips(folder, "Speech Commands", lambda row: row["split"] == split):
        name = f"word-{Path(row['file']).stem}"
        examples.append(
            Example(
                id=name,
                modality="speech",
                task="transcribe",
                instruction=pick(choices, rng),
                answers=(row["word"],),
                kind="words",
                source=clip,
                media_id=name,
                wording=wording,
            )
        )
    return examples
