"""What the space learns from: photographs with captions, and sentences alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m4sc.data import coco_mini, coco_text, flickr8k
from m4sc.data.example import Example
from m4sc.encoders.object_detector import ObjectDetector
from m4sc.space.picture_features import LOOKED_AT, PictureFeatures, seen_things
from m4sc.space.sentence_encoder import SentenceEncoder

CAPTIONS = 5
COCO_LICENCE = "captions of COCO 2017 (Lin et al., 2014), CC BY 4.0"
_REDUCED = 128  # pixels: short side of reduced copies
_PART = 256


@dataclass(frozen=True)
class Photographs:
    """Photographs with five captions each.

    Attributes:
        examples: of the task `caption`.
        captions: five of each.
        views: float16 (v, n, 2560): features as they are, and of mirrored and reduced copies.
        points: float32 (n, 5, dim): unit vectors of the captions.
    """

    examples: list[Example]
    captions: list[tuple[str, ...]]
    views: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.captions)


def coco_sentences(data: Path) -> list[str]:
    """Captions of COCO val2017 without those of pictures or texts that anything is tested on.

    Left out: captions of COCO-mini's val pictures, and the tenth that the text tasks are tested on.
    """
    return list(dict.fromkeys(text for group in _coco_captions(data) for text in group))


def coco_groups(data: Path) -> list[tuple[str, ...]]:
    """The sentences of :func:`coco_sentences`, five of each picture together."""
    return [group[:CAPTIONS] for group in _coco_captions(data) if len(group) >= CAPTIONS]


def _coco_captions(data: Path) -> list[tuple[str, ...]]:
    tested = {picture.image_id for picture in coco_mini.load_coco_mini(data, "test")}
    captions = coco_text.load_captions(data, "train", exclude=tested)
    return [tuple(map(_tidy, group)) for group in captions.values()]


def _tidy(sentence: str) -> str:
    """A sentence that begins with a capital and is not all of them."""
    sentence = sentence.lower() if sentence.isupper() else sentence
    return sentence[:1].upper() + sentence[1:]


def photographs(
    data: Path,
    split: str,
    cache: Path,
    copies: bool,
    bf16: bool = False,
    say: Callable[[str], None] = lambda text: None,
    things: bool = False,
) -> Photographs:
    """Flickr8k's photographs of a split, features and vectors made once and kept in `cache`.

    Args:
        data: folder of the data sets.
        split: "train" or "dev".
        cache: folder to keep them in.
        copies: also mirrored, reduced copies.
        bf16: of the backbone.
        say: told how far it is.
        things: behind each view the detector's features of the photograph.
    """
    examples = [e for e in flickr8k.caption_examples(data, split) if len(e.answers) >= CAPTIONS]
    captions = [e.answers[:CAPTIONS] for e in examples]
    views = [picture_views(examples, cache, False, bf16, say)]
    if copies:
        views.append(picture_views(examples, cache, True, bf16, say))
    if things:
        seen = thing_views(examples, cache, say)
        views = [torch.cat([view, seen], 1) for view in views]
    flat = [text for group in captions for text in group]
    points = SentenceEncoder()(flat, cache).unflatten(0, (-1, CAPTIONS))
    return Photographs(examples, captions, torch.stack(views), points)


def picture_views(
    examples: Sequence[Example],
    cache: Path,
    altered: bool,
    bf16: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Tensor:
    """Features, float16 (n, 2560), of pictures; in parts, so that an interrupted run goes on.

    altered: of copies mirrored and reduced to a short side of 128 pixels.
    """
    encoder: PictureFeatures | None = None

    def look(part: Sequence[Example]) -> Tensor:
        nonlocal encoder
        encoder = encoder or PictureFeatures()
        pictures = [np.asarray(e.load()) for e in part]
        pictures = [_reduced(p) for p in pictures] if altered else pictures
        return encoder(pictures, mirrored=altered, bf16=bf16)

    what = f"pictures{' (copies)' if altered else ''}"
    return _in_parts(
        examples,
        cache,
        f"{LOOKED_AT} {altered} {bf16} ",
        look,
        lambda n: say(f"{n} of {len(examples)} {what}"),
    )


def thing_views(
    examples: Sequence[Example], cache: Path, say: Callable[[str], None] = lambda text: None
) -> Tensor:
    """The detector's features, float16 (n, FEATURES), of pictures; in parts as :func:`picture_views`."""
    detector = ObjectDetector()

    def look(part: Sequence[Example]) -> Tensor:
        return seen_things(detector, [np.asarray(e.load()) for e in part])

    return _in_parts(
        examples, cache, "things ", look, lambda n: say(f"{n} of {len(examples)} pictures (things)")
    )


def _in_parts(
    examples: Sequence[Example],
    cache: Path,
    kind: str,
    look: Callable[[Sequence[Example]], Tensor],
    done: Callable[[int], None],
) -> Tensor:
    """What `look` sees, float16 (n, dim), kept in parts under their kind and their pictures' names."""
    parts = []
    for start in range(0, len(examples), _PART):
        part = examples[start : start + _PART]
        key = kind + " ".join(e.media_id for e in part)
        path = cache / f"pictures-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            found = look(part).half().numpy()
            cache.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".tmp.npy")
            np.save(scratch, found)
            scratch.replace(path)
            done(start + len(part))
        parts.append(torch.from_numpy(np.load(path)))
    return torch.cat(parts)


def _reduced(picture: np.ndarray) -> np.ndarray:
    """A picture with a short side of at most 128 pixels."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = _REDUCED / min(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
