"""The systems of a sweep, made of its specifications; what is chosen is chosen on the validation examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.codecs.classical import ClassicalCodec, SourceCodec
from m4sc.codecs.rivals import picture_files, sounds
from m4sc.codecs.rivals.answer_first import AnswerFirstCodec, first_sentence
from m4sc.codecs.rivals.picture_files import PictureFiles
from m4sc.codecs.rivals.sounds import SoundCoder
from m4sc.codecs.rivals.words import WordCoder
from m4sc.data.example import Example
from m4sc.evaluate.envelope import best_scheme
from m4sc.evaluate.measures import measures_of
from m4sc.evaluate.sweep.config import SystemSpec
from m4sc.evaluate.systems import Classical, Constant, Scheme, Semantic, System
from m4sc.message import Message
from m4sc.tasks import Task, get_task

TOLERANCE = 0.02
"""Score below that of the highest quality at which the receiver's model still counts as answering."""


@dataclass(frozen=True)
class Ground:
    """What a system is made from.

    Attributes:
        model: our system; rivals' messages are read by it too.
        training: examples of the task's training split, for what is learned or chosen.
        validation: how many of them decide a choice.
    """

    model: Any
    training: Sequence[Example]
    validation: int


@dataclass(frozen=True)
class Built:
    """A system, and what was chosen for it in words (empty where there was no choice)."""

    system: System
    chosen: str


def carries(spec: SystemSpec, task: str) -> bool:
    """Whether a system can be measured on a task."""
    if spec.tasks:
        return task in spec.tasks
    modality = get_task(task).modality
    if spec.codec in picture_files.FORMATS:
        return modality == "image"
    if spec.codec in sounds.CODERS:
        return modality == "speech"
    if spec.codec in ("semantic", "constant"):
        return spec.codec == "semantic" or get_task(task).scorer == "exact"
    if spec.codec == "answer":
        return not get_task(task).gives_picture and not get_task(task).verbatim
    return modality == "text"


def build(spec: SystemSpec, task: str, ground: Ground) -> Built:
    """Make a system of its specification.

    Raises:
        ValueError: it cannot carry the task.
    """
    if not carries(spec, task):
        raise ValueError(f"system '{spec.name}' cannot carry the task '{task}'")
    if spec.codec == "semantic":
        return Built(Semantic(ground.model), "")
    if spec.codec == "constant":
        return Built(Constant(commonest(ground.training)), "")
    scheme = _scheme(spec)
    if spec.codec == "answer":
        answerer = first_sentence if task == "summarize" else _Asked(ground.model)
        codec = AnswerFirstCodec(answerer, WordCoder(spec.words, _sentences(ground.training)))
        return Built(Classical(codec, spec.name, scheme, asked_first=True), "")
    ladder = _ladder(spec, ground)
    chosen, words = _least(ladder, ground)
    return Built(Classical(ClassicalCodec(ground.model.read, chosen), spec.name, scheme), words)


def commonest(examples: Sequence[Example]) -> dict[str, str]:
    """The first answer that most examples of each kind have; of all kinds together under ""."""
    counts: dict[str, Counter[str]] = {"": Counter()}
    for example in examples:
        for kind in ("", example.kind):
            counts.setdefault(kind, Counter())[example.answers[0]] += 1
    return {kind: found.most_common(1)[0][0] for kind, found in counts.items()}


@dataclass(frozen=True)
class _Asked:
    """The model at the transmitter."""

    model: Any

    def __call__(self, message: Message, task: Task, question: str | None) -> str:
        return str(self.model.read(message, task, question).text)


def _scheme(spec: SystemSpec) -> Scheme:
    return best_scheme if spec.mcs < 0 else lambda channel, snr_db, n_bytes: spec.mcs


def _ladder(spec: SystemSpec, ground: Ground) -> list[tuple[str, SourceCodec]]:
    """Source codecs from the fewest bytes up, with what tells them apart."""
    if spec.codec in picture_files.FORMATS:
        return [
            (f"side {spec.side}, quality {quality}", PictureFiles(spec.codec, spec.side, quality))
            for quality in spec.quality
        ]
    if spec.codec == "opus":
        return [(f"{rate} bit/s", SoundCoder("opus", rate)) for rate in spec.bits_per_s]
    if spec.codec == "flac":
        return [("", SoundCoder("flac"))]
    return [("", WordCoder(spec.codec, _sentences(ground.training)))]


def _least(ladder: list[tuple[str, SourceCodec]], ground: Ground) -> tuple[SourceCodec, str]:
    """The first rung whose score on the validation examples is within `TOLERANCE` of the last one's."""
    if len(ladder) == 1:
        return ladder[0][1], ladder[0][0]
    examples = list(ground.training)[: ground.validation]
    measure = measures_of(examples[0].task)[0]

    def score(codec: SourceCodec) -> float:
        said = Classical(ClassicalCodec(ground.model.read, codec)).all_without_channel(examples)
        return float(measure.figure(np.asarray(measure.each(said, examples)).mean(0)))

    best = score(ladder[-1][1])
    for words, codec in ladder[:-1]:
        if score(codec) >= best - TOLERANCE:
            return codec, f"{words} (of {len(ladder)}, by {len(examples)} validation examples)"
    words, codec = ladder[-1]
    return codec, f"{words} (the highest given)"


def _sentences(examples: Sequence[Example]) -> tuple[str, ...]:
    """Texts that training holds: messages of texts, else the answers."""
    found = [str(e.source) if e.modality == "text" and isinstance(e.source, str) else e.answers[0]
             for e in examples if e.answers or e.modality == "text"]  # fmt: skip
    return tuple(found)


def training_examples(task: str, data_dir: Path, n: int, seed: int = 0) -> list[Example]:
    """Examples of a task's training split, drawn; what a rival learns or chooses comes from here.

    Tasks without a training set of their own here have none: an empty list.

    Raises:
        FileNotFoundError: a data set is missing.
    """
    from m4sc.data import caption_questions, cifar10, coco_text, daquar, flickr8k, short_messages
    from m4sc.data.sounds import sound_sets

    rng = np.random.default_rng([seed, 1])
    pool: list[Example] = []
    if task == "classify":
        pool = cifar10.classify_examples(cifar10.load_cifar10(data_dir, "train"))
    elif task == "caption":
        pool = flickr8k.caption_examples(data_dir, "train")
    elif task == "vqa":
        pool = caption_questions.picture_questions(flickr8k.caption_examples(data_dir, "train"))
        pool += daquar.vqa_examples(data_dir, "train")
    elif task == "sound":
        pool = sound_sets(data_dir, "train")
    elif task == "text":
        pool = coco_text.text_examples(coco_text.load_captions(data_dir, "train"))
        made = short_messages.short_messages(len(pool) // 2, rng)
        pool += [
            Example(f"made-{i}", "text", "text", "Repeat.", (text,), "numbers", text, f"made-{i}")
            for i, text in enumerate(made)
        ]
    order = rng.permutation(len(pool))[:n]
    return [pool[i] for i in order]
