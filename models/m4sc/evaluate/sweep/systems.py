"""The systems of a sweep, made of its specifications; what is chosen is chosen on the validation examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from m4sc.codecs.classical import ClassicalCodec, SourceCodec
from m4sc.codecs.rivals import picture_files, sounds
from m4sc.codecs.rivals.answer_first import AnswerFirstCodec, IndexCodec, first_sentence
from m4sc.codecs.rivals.deepjscc import DeepJsccCodec
from m4sc.codecs.rivals.deepsc import DeepScCodec
from m4sc.codecs.rivals.foreign import ForeignCodec, foreign_pair
from m4sc.codecs.rivals.llm_words import LlmWordCoder
from m4sc.codecs.rivals.picture_files import PictureFiles
from m4sc.codecs.rivals.sounds import SoundCoder
from m4sc.codecs.rivals.words import LLM, WordCoder
from m4sc.coding.deepjscc.codec import load_deepjscc
from m4sc.coding.deepsc.codec import load_deepsc
from m4sc.data.example import Example
from m4sc.evaluate.envelope import assured_snr_db, best_scheme, choose_protection
from m4sc.evaluate.foreign_system import Foreign
from m4sc.evaluate.harness import CONTROL_SNR_DB
from m4sc.evaluate.measures import measures_of
from m4sc.evaluate.sweep.config import DEEPJSCC, DEEPSC, FOREIGN, SystemSpec
from m4sc.evaluate.sweep.ground import Ground
from m4sc.evaluate.sweep.retrieval import nearest
from m4sc.evaluate.sweep.training_sets import TRAINED
from m4sc.evaluate.systems import Blind, Classical, Constant, Scheme, Semantic, System
from m4sc.evaluate.ways import Way
from m4sc.message import Message
from m4sc.shipped import weights_folder
from m4sc.space.consensus import Rarity, agreement
from m4sc.tasks import Task, get_task

TOLERANCE = 0.02
"""Score below that of the highest quality at which the receiver's model still counts as answering."""
_CAPTIONS = 2000  # of which the constant one is chosen
_WORDS = ("text", "transcribe", "summarize", "text-question", "spoken-question")
"""Tasks that send words, which get more symbols where the SNR is known to be low."""


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
    if spec.codec == "semantic":
        return True
    if spec.codec in DEEPJSCC:
        return task == "reconstruct"
    if spec.codec == DEEPSC:
        return task == "text"
    if spec.codec == "first-sentence":
        return task == "summarize"
    if spec.codec in ("constant", "retrieval"):
        placed = spec.codec == "constant" or modality != "text"  # no neighbours of texts
        return placed and task in TRAINED and get_task(task).scorer in ("exact", "cider")
    if spec.codec in ("answer", "blind"):
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
        header = _header(spec)
        told = _assured(ground.choosing) if task in _WORDS else None
        own = Semantic(ground.model, None, spec.symbols or None, spec.name, ground.way, header, told)
        return Built(own, "")
    if spec.codec == "blind":
        return Built(Blind(Semantic(ground.model), CONTROL_SNR_DB), "")
    if spec.codec == "constant":
        return Built(Constant(commonest(ground.training)), "")
    scheme, way = _scheme(spec, ground.choosing), ground.way
    if spec.codec == "retrieval":
        retriever, neighbours = nearest(ground, task)
        codec = IndexCodec(retriever, retriever.known.answers)
        return Built(Classical(codec, spec.name, scheme, asked_first=True, way=way), neighbours)
    if spec.codec in ("answer", "first-sentence"):
        answerer = first_sentence if spec.codec == "first-sentence" else _Asked(ground.model)
        words_codec = AnswerFirstCodec(answerer, _words(spec.words, ground))
        return Built(Classical(words_codec, spec.name, scheme, asked_first=True, way=way), "")
    if spec.codec == FOREIGN:
        pair = foreign_pair(spec.encoder, spec.decoder)
        foreign = Foreign(ForeignCodec(ground.model.read, *pair), spec.name, scheme, way, _header(spec))
        return Built(foreign, f"{spec.encoder}, {spec.decoder}")
    if spec.codec in DEEPJSCC:
        deepjscc = DeepJsccCodec(load_deepjscc(weights_folder(spec.codec)))
        return Built(Foreign(deepjscc, spec.name, scheme, way, _header(spec)), "")
    if spec.codec == DEEPSC:
        deepsc = DeepScCodec(load_deepsc(weights_folder("deepsc")))
        return Built(Foreign(deepsc, spec.name, scheme, way, _header(spec)), "")
    ladder = _ladder(spec, ground)
    chosen, words = _least(ladder, ground)
    return Built(Classical(ClassicalCodec(ground.model.read, chosen), spec.name, scheme, way=way), words)


def commonest(examples: Sequence[Example]) -> dict[str, str]:
    """What is most often right of each kind of question; of all kinds together under "".

    Of captions, no two of which are the same, the one that the others agree with most.
    """
    if get_task(examples[0].task).scorer == "cider":
        captions = list(dict.fromkeys(answer for example in examples for answer in example.answers))
        captions = captions[:_CAPTIONS]
        alike = agreement(captions, Rarity.of(captions)).mean(0)
        return {"": captions[int(np.argmax(alike))]}
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


def _header(spec: SystemSpec) -> Callable[[str, float], int]:
    if spec.protection < 0:
        return lambda channel, snr_db: choose_protection(channel, snr_db).index
    return lambda channel, snr_db: spec.protection


def _assured(way: Way) -> Callable[[str, float], float]:
    return lambda channel, snr_db: assured_snr_db(channel, snr_db, way)


def _scheme(spec: SystemSpec, way: Way) -> Scheme:
    return partial(best_scheme, way=way) if spec.mcs < 0 else lambda channel, snr_db, n_bytes: spec.mcs


def _ladder(spec: SystemSpec, ground: Ground) -> list[tuple[str, SourceCodec]]:
    """Source codecs from the fewest bytes up, with what tells them apart."""
    if spec.codec in picture_files.FORMATS:
        return [
            (f"side {spec.side}, quality {quality}", PictureFiles(spec.codec, spec.side, quality))
            for quality in spec.quality
        ]
    if spec.codec == "opus":
        return [(f"{rate} bit/s", SoundCoder("opus", rate)) for rate in spec.bits_per_s]
    if spec.codec in sounds.CODERS:
        return [("", SoundCoder(spec.codec))]
    return [("", _words(spec.codec, ground))]


def _words(coder: str, ground: Ground) -> SourceCodec:
    """A coder of words by name; that under the language model uses the one that our texts' receiver has."""
    if coder == LLM:
        code = ground.model.codecs["verbatim"].code
        return LlmWordCoder(code.alphabet, code.prior)
    return WordCoder(coder, _sentences(ground.training))


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
