"""A small part of COCO 2017 (Lin et al., 2014): captions, and questions made from the annotated objects."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from m4sc.data.example import Example, ImageFile, check_split, require
from m4sc.data.flickr8k import clean_caption
from m4sc.data.wordings import pick, wordings_of

SPLITS = {"train": "train2017", "test": "val2017"}
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

EXISTENCE = {
    "seen": (
        "Is there a {} in the picture?",
        "Does the picture show a {}?",
        "Is there a {}?",
        "Do you see a {}?",
        "Can a {} be found here?",
        "Is a {} part of the picture?",
    ),
    "heldout": ("Can you see a {} in the photo?",),
}
COUNT = {
    "seen": (
        "How many of these are in the picture: {}?",
        "Count the {} objects in the picture.",
        "How often is a {} there?",
        "How many times do you see a {}?",
        "Say how many {} objects there are.",
    ),
    "heldout": ("What is the number of {} objects in the photo?",),
}


@dataclass(frozen=True)
class CocoObject:
    """One annotated object; the box is in pixels of the original picture."""

    name: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class CocoPicture:
    """One photograph with its annotations. orig_size: (width, height) of the original."""

    image_id: int
    path: Path
    orig_size: tuple[int, int]
    captions: tuple[str, ...]
    objects: tuple[CocoObject, ...]


def load_coco_mini(data_dir: Path, split: str) -> list[CocoPicture]:
    """Read split "train" (train2017) or "test" (val2017) from `data_dir`/coco_mini, in order of image id.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: no such data set.
    """
    check_split(split, tuple(SPLITS))
    folder = require(Path(data_dir) / "coco_mini", "COCO-mini")
    entries = json.loads(require(folder / "coco_mini.json", "COCO-mini's list").read_text(encoding="utf-8"))
    pictures = []
    for entry in sorted(entries, key=lambda item: item["image"]):
        path = folder / "images" / entry["image"]
        if entry["split"] != SPLITS[split] or not path.exists():
            continue
        objects = tuple(CocoObject(name, *map(float, box)) for name, *box in entry["objects"])
        captions = tuple(clean_caption(text) for text in entry["captions"])
        width, height = entry["orig_size"]
        pictures.append(CocoPicture(int(path.stem), path, (width, height), captions, objects))
    return pictures


def caption_examples(pictures: list[CocoPicture], *, wording: str = "seen", seed: int = 0) -> list[Example]:
    """One `caption` example a picture."""
    rng = np.random.default_rng(seed)
    choices = wordings_of("caption", wording)
    return [
        Example(
            id=f"coco-{picture.image_id}",
            modality="image",
            task="caption",
            instruction=pick(choices, rng),
            answers=picture.captions,
            kind="coco",
            source=ImageFile(picture.path),
            media_id=f"coco-{picture.image_id}",
            wording=wording,
        )
        for picture in pictures
    ]


def object_examples(
    pictures: list[CocoPicture], *, per_picture: int = 4, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """`vqa` examples about the objects: existence (half of the answers "yes") and count (one to nine).

    The absent object of a "no" question is drawn from the objects of the other pictures, by frequency,
    so that the name of the object alone says little about the answer.
    """
    rng = np.random.default_rng(seed)
    present = [Counter(item.name for item in picture.objects) for picture in pictures]
    pool = [name for counter in present for name in counter]
    examples = []
    for picture, counter in zip(pictures, present, strict=True):
        names = sorted(counter)
        absent = sorted(name for name in pool if name not in counter)
        if not names or not absent:
            continue
        for j in range(per_picture):
            if j % 4 == 3:
                kind, name = "objects-count", pick(tuple(names), rng)
                answer, template = NUMBER_WORDS[min(counter[name], 9)], pick(COUNT[wording], rng)
            else:
                kind, answer = "objects-existence", ("yes", "no")[int(rng.integers(2))]
                name = pick(tuple(names if answer == "yes" else absent), rng)
                template = pick(EXISTENCE[wording], rng)
            examples.append(
                Example(
                    id=f"coco-{picture.image_id}-{j}",
                    modality="image",
                    task="vqa",
                    instruction=template.format(name),
                    answers=(answer,),
                    kind=kind,
                    source=ImageFile(picture.path),
                    media_id=f"coco-{picture.image_id}",
                    wording=wording,
                )
            )
    return examples
