"""Sentences and words that people said, with their text: OGG clips in one zip beside meta.csv.

Telephone prompts by one speaker and a few read sentences. The split is by what is said, so that no sentence
of the test split is said in training.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np

from m4sc.data.example import Example, check_split
from m4sc.data.sound_archive import clips
from m4sc.data.wordings import pick, wordings_of

TEST_SHARE = 0.2


def split_of(text: str) -> str:
    """Split "train" or "test" of a sentence, from a hash of its words."""
    words = " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split())
    share = int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big") / 2**32
    return "test" if share < TEST_SHARE else "train"


def speech_examples(data_dir: Path, split: str, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """`transcribe` examples of split "train" or "test" in `data_dir`/human_speech.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "test"))
    rng = np.random.default_rng(seed)
    choices = wordings_of("transcribe", wording)
    examples = []
    folder = Path(data_dir) / "human_speech"
    for row, clip in clips(folder, "human speech", lambda row: split_of(row["text"]) == split):
        name = f"human-{Path(row['file']).stem}"
        examples.append(
            Example(
                id=name,
                modality="speech",
                task="transcribe",
                instruction=pick(choices, rng),
                answers=(row["text"],),
                kind="people",
                source=clip,
                media_id=name,
                wording=wording,
            )
        )
    return examples
