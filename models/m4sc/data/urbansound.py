"""Sounds of a city from UrbanSound8K (Salamon, Jacoby and Bello, 2014): OGG clips of up to 4 s in one zip.

Up to a hundred clips are cut from one recording; the split is by recording, as for ESC-50: both number their
recordings as Freesound does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m4sc.data.esc50 import names_of, split_of
from m4sc.data.example import Example, check_split
from m4sc.data.sound_archive import clips
from m4sc.data.wordings import pick, wordings_of


def sound_examples(data_dir: Path, split: str, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """`sound` examples of split "train" or "test" in `data_dir`/urbansound8k_part; answers are class names.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "test"))
    rng = np.random.default_rng(seed)
    choices = wordings_of("sound", wording)
    folder = Path(data_dir) / "urbansound8k_part"
    examples = []
    for row, clip in clips(folder, "UrbanSound8K", lambda row: split_of(row["clip_id"]) == split):
        name = f"urbansound-{Path(row['file']).stem}"
        examples.append(
            Example(
                id=name,
                modality="speech",
                task="sound",
                instruction=pick(choices, rng),
                answers=names_of(row["category"]),
                kind="urbansound8k",
                source=clip,
                media_id=name,
                wording=wording,
                recording=row["clip_id"],
            )
        )
    return examples
