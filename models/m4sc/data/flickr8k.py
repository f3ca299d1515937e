"""Flickr8k photographs with five captions each (Hodosh et al., JAIR 47, 2013)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data.example import Example, ImageFile, check_split, require
from m4sc.data.wordings import pick, wordings_of

SPLITS = ("train", "dev", "test")


def clean_caption(caption: str) -> str:
    """Undo the tokenised spelling of the captions: "A dog ." becomes "A dog."."""
    text = re.sub(r"\s+([.,!?;:'])", r"\1", " ".join(caption.split()))
    text = re.sub(r"\.{2,}$", ".", text)
    return text if text.endswith((".", "!", "?")) else text + "."


def caption_examples(data_dir: Path, split: str, *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """`caption` examples of split "train", "dev" or "test" in `data_dir`/flickr8k_1000 and flickr8k_more.

    Pictures whose file is absent are left out; so is the second folder, which holds the rest of the set.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, SPLITS)
    entries = _entries(require(Path(data_dir) / "flickr8k_1000", "Flickr8k"))
    if (Path(data_dir) / "flickr8k_more").is_dir():
        entries += _entries(Path(data_dir) / "flickr8k_more")
    rng = np.random.default_rng(seed)
    choices = wordings_of("caption", wording)
    examples = []
    for folder, entry in sorted(entries, key=lambda item: item[1]["image"]):
        path = folder / "images" / entry["image"]
        if entry["split"] != split or not path.exists():
            continue
        name = f"flickr8k-{Path(entry['image']).stem}"
        examples.append(
            Example(
                id=name,
                modality="image",
                task="caption",
                instruction=pick(choices, rng),
                answers=tuple(clean_caption(text) for text in entry["captions"]),
                kind="flickr8k",
                source=ImageFile(path),
                media_id=name,
                wording=wording,
            )
        )
    return examples


def _entries(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """What a folder's list says of each picture."""
    text = require(folder / "captions.json", "Flickr8k's captions").read_text(encoding="utf-8")
    return [(folder, entry) for entry in json.loads(text)]
