"""The test examples of each task, drawn with a seed from a folder of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from m4sc.data import (
    caption_questions,
    cifar10,
    coco_mini,
    coco_text,
    daquar,
    espeak,
    flickr8k,
    fsdd,
    mosaic,
)
from m4sc.data.example import Example
from m4sc.data.short_messages import message_examples
from m4sc.data.sounds import sound_sets
from m4sc.data.spoken_questions import spoken_question_examples
from m4sc.evaluate.metrics.similarity import default_minilm
from m4sc.tasks import UnknownTaskError

TASKS = (
    "classify",
    "caption",
    "mosaic",
    "vqa",
    "digits",
    "transcribe",
    "text",
    "summarize",
    "text-question",
    "sound",
    "spoken-question",
    "reconstruct",
)

_SPOKEN_KINDS = tuple(kind for kind in mosaic.KINDS if kind != "describe")  # short answers


def test_examples(
    task: str, data_dir: Path, n: int, *, cache_dir: Path, wording: str = "seen", seed: int = 0
) -> list[Example]:
    """Return up to `n` examples of the task's test split; captions come from Flickr8k's dev list.

    Args:
        task: one of `TASKS`.
        data_dir: folder that holds the data sets.
        n: how many; drawn without replacement.
        cache_dir: where spoken sentences and summaries' targets are kept.
        wording: "seen" or "heldout" instructions.
        seed: of the draw, the mosaics, the voices.

    Raises:
        UnknownTaskError: no test set for the task.
        FileNotFoundError: a data set is missing.
    """
    options: dict[str, Any] = {"wording": wording, "seed": seed}
    if task == "classify":
        pool = cifar10.classify_examples(cifar10.load_cifar10(data_dir, "test"), **options)
    elif task == "reconstruct":
        pool = cifar10.reconstruct_examples(cifar10.load_cifar10(data_dir, "test"))
    elif task == "caption":
        pool = flickr8k.caption_examples(data_dir, "dev", **options)
    elif task == "mosaic":
        pictures = cifar10.load_cifar10(data_dir, "test")
        pool = mosaic.mosaic_examples(pictures, max(1, n // 4), grid=2, **options)
    elif task == "vqa":
        generated = _picture_questions(data_dir, options)
        asked = daquar.vqa_examples(data_dir, "test") if wording == "seen" else []
        return _draw(asked, n // 2, seed) + _draw(generated, n - min(n // 2, len(asked)), seed)
    elif task == "sound":
        pool = sound_sets(data_dir, "test", **options)
    elif task == "digits":
        pool = fsdd.digit_examples(data_dir, "test", **options)
    elif task == "transcribe":
        captions = coco_text.load_captions(data_dir, "test")
        sentences = [group[0] for group in captions.values() if len(group[0].split()) <= 10][: max(n, 1)]
        return espeak.spoken_examples(sentences, cache_dir / "speech", **options)
    elif task == "text":
        captions = coco_text.load_captions(data_dir, "test")
        messages = message_examples(**options)
        half = min(n // 2, len(messages))  # with names and numbers; captions have neither
        pool = coco_text.text_examples(captions, **options)
        return _draw(messages, half, seed) + _draw(pool, n - half, seed)
    elif task == "summarize":
        captions = coco_text.load_captions(data_dir, "test")
        embed = default_minilm().embed
        pool = coco_text.summarize_examples(captions, embed, cache_dir=cache_dir, **options)
    elif task == "spoken-question":
        pictures = cifar10.load_cifar10(data_dir, "test")
        mosaics = mosaic.mosaic_examples(pictures, max(1, n // 4), kinds=_SPOKEN_KINDS, **options)
        return spoken_question_examples(_draw(mosaics, n, seed), cache_dir / "speech", **options)
    elif task == "text-question":
        pool = coco_text.text_question_examples(coco_text.load_captions(data_dir, "test"), **options)
    else:
        raise UnknownTaskError(f"no test set for the task '{task}'; there is one for {', '.join(TASKS)}")
    return _draw(pool, n, seed)


test_examples.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test


def _picture_questions(data_dir: Path, options: dict[str, Any]) -> list[Example]:
    """Questions made of captions and annotated objects of photographs that training has not seen."""
    pictures = coco_mini.load_coco_mini(data_dir, "test")
    captioned = flickr8k.caption_examples(data_dir, "dev") + coco_mini.caption_examples(pictures)
    made = caption_questions.picture_questions(captioned, **options)
    return made + coco_mini.object_examples(pictures, **options)


def _draw(pool: list[Example], n: int, seed: int) -> list[Example]:
    """`n` of the pool without replacement, in its order."""
    order = np.random.default_rng(seed).permutation(len(pool))[:n]
    return [pool[i] for i in sorted(order)]
