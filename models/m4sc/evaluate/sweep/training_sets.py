"""Training splits of the tasks: what rivals learn, choose by and remember."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from m4sc.data import caption_questions, cifar10, coco_text, daquar, flickr8k, short_messages
from m4sc.data.example import Example
from m4sc.data.sounds import sound_sets

TRAINED = ("classify", "caption", "vqa", "sound", "text", "text-question")
"""Tasks with a training split here."""
_QUESTIONS, _EVERY_QUESTION = 6, 10_000  # about a picture


def training_pool(task: str, data_dir: Path, seed: int = 0, every_question: bool = False) -> list[Example]:
    """All examples of a task's training split; none of a task that is not in `TRAINED`.

    Args:
        task: name.
        data_dir: folder of the data sets.
        seed: of what is made up.
        every_question: all that the captions of a picture tell, not the few that are asked of one otherwise.

    Raises:
        FileNotFoundError: a data set is missing.
    """
    if task == "classify":
        return cifar10.classify_examples(cifar10.load_cifar10(data_dir, "train"))
    if task == "caption":
        return flickr8k.caption_examples(data_dir, "train")
    if task == "vqa":
        most = _EVERY_QUESTION if every_question else _QUESTIONS
        captioned = flickr8k.caption_examples(data_dir, "train")
        made = caption_questions.picture_questions(captioned, per_picture=most, seed=seed)
        return made + daquar.vqa_examples(data_dir, "train")
    if task == "sound":
        return sound_sets(data_dir, "train")
    if task == "text":
        pool = coco_text.text_examples(coco_text.load_captions(data_dir, "train"))
        made_up = short_messages.short_messages(len(pool) // 2, np.random.default_rng([seed, 2]))
        return pool + [
            Example(f"made-{i}", "text", "text", "Repeat.", (text,), "numbers", text, f"made-{i}")
            for i, text in enumerate(made_up)
        ]
    if task == "text-question":
        return coco_text.text_question_examples(coco_text.load_captions(data_dir, "train"), seed=seed)
    return []


def training_examples(task: str, data_dir: Path, n: int, seed: int = 0) -> list[Example]:
    """`n` examples of a task's training split, drawn without replacement, in a drawn order.

    Raises:
        FileNotFoundError: a data set is missing.
    """
    pool = training_pool(task, data_dir, seed)
    order = np.random.default_rng([seed, 1]).permutation(len(pool))[:n]
    return [pool[i] for i in order]
