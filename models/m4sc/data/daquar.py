"""DAQUAR questions on indoor photographs (Malinowski and Fritz, 2014).

A score on it says little by itself: the question alone, or a shuffled picture, answers about as well.
Always report the shuffled control beside it.
"""

from __future__ import annotations

import json
from pathlib import Path

from m4sc.data.example import Example, ImageFile, check_split, require


def vqa_examples(data_dir: Path, split: str, *, single_answer: bool = True) -> list[Example]:
    """`vqa` examples of the official split "train" or "test" in `data_dir`/daquar, in the file's order.

    Args:
        data_dir: folder that holds the data sets.
        split: "train" or "test".
        single_answer: leave out questions whose answer is a list of objects.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, ("train", "test"))
    folder = require(Path(data_dir) / "daquar", "DAQUAR")
    entries = json.loads(require(folder / "daquar_qa.json", "DAQUAR's questions").read_text(encoding="utf-8"))
    examples = []
    for i, entry in enumerate(entries):
        path = folder / "images" / entry["image"]
        if entry["split"] != split or (single_answer and len(entry["answers"]) != 1) or not path.exists():
            continue
        answer = ", ".join(text.replace("_", " ") for text in entry["answers"])
        question = entry["question"].strip().rstrip("?").strip()
        examples.append(
            Example(
                id=f"daquar-{i}",
                modality="image",
                task="vqa",
                instruction=question[:1].upper() + question[1:] + "?",
                answers=(answer,),
                kind="daquar",
                source=ImageFile(path),
                media_id=f"daquar-{path.stem}",
            )
        )
    return examples
