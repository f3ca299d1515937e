"""What stands in a training split and in a tested one: pictures, sentences, recordings, speakers' sentences.

Every set that something of the shipped weights was trained on is compared with every set that something is
tested on, not only with its own other half.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from m4sc.data import cifar10, coco_mini, coco_text, daquar, flickr8k, human_speech
from m4sc.data.esc50 import split_of as recording_split
from m4sc.data.example import Example, ImageFile, require
from m4sc.data.fsdd import digit_examples
from m4sc.data.mosaic import mosaic_examples
from m4sc.data.short_messages import message_examples
from m4sc.media.kinds import read_file
from m4sc.media.pictures import read_picture

PICTURE, SENTENCE, RECORDING, VOICE = "picture", "sentence", "recording", "speaker and sentence"
_HASH_SIDE = 16  # of the thumbnail whose differences name a photograph: 240 bits
_NEAR_BITS = 10  # of them that two copies of one photograph, saved twice, may differ in
_MOSAICS = 600  # as many as the adapter that hears words learned the questions of

_CHANCE = "people wrote the same sentence for different photographs"
STATED: dict[tuple[str, str, str], tuple[int, str]] = {
    (SENTENCE, "Flickr8k's captions", "Flickr8k's captions"): (41, _CHANCE),
    (SENTENCE, "Flickr8k's captions", "COCO's captions"): (2, _CHANCE),
    (SENTENCE, "COCO's captions", "COCO's captions"): (38, _CHANCE),
    (SENTENCE, "knowledge base", "COCO's captions"): (38, _CHANCE),
    (SENTENCE, "knowledge base", "COCO-mini's captions"): (5, _CHANCE),
    (SENTENCE, "COCO's captions", "COCO-mini's captions"): (
        206,
        "the tasks on texts were trained on the captions of COCO-mini's tested photographs; what answers on "
        "photographs was not: the knowledge base leaves them out",
    ),
    (SENTENCE, "spoken questions", "spoken questions"): (
        178,
        "questions on mosaics have few forms, so the adapter that hears words knows nearly all of them, in "
        "the same voices: the score of spoken questions says nothing about questions never heard",
    ),
    (VOICE, "FSDD", "FSDD"): (60, "six speakers say ten digits in both parts of the official split"),
}
"""Leaks that are known: kind, trained and tested set, to how many there are at most, and why."""


@dataclass(frozen=True)
class Side:
    """One split of one set.

    Attributes:
        name: of the set.
        kind: of what is compared.
        keys: what it holds; of photographs rows of bits, uint8 (n, 30).
    """

    name: str
    kind: str
    keys: frozenset[Hashable] | np.ndarray


@dataclass(frozen=True)
class Leak:
    """What a trained and a tested set share.

    Attributes:
        kind, trained, tested: of what, and the sets' names.
        shared: how many of the tested set's entries are in the trained one too.
        entries: of the tested set.
        stated: why it is so, where it is known and no more than what was counted; else empty.
    """

    kind: str
    trained: str
    tested: str
    shared: int
    entries: int
    stated: str


def find_leaks(data_dir: Path) -> tuple[list[Leak], list[str]]:
    """Compare all sets that are there; return every pair of one kind, and what is missing.

    Args:
        data_dir: folder of the data sets.
    """
    trained, missing = _sides(_TRAINED, data_dir)
    tested, more = _sides(_TESTED, data_dir)
    found = []
    for test in tested:
        for train in trained:
            if train.kind == test.kind and isinstance(train.keys, np.ndarray) == isinstance(
                test.keys, np.ndarray
            ):
                shared = _shared(train, test)
                most, why = STATED.get((test.kind, train.name, test.name), (0, ""))
                stated = why if 0 < shared <= most else ""
                found.append(Leak(test.kind, train.name, test.name, shared, len(test.keys), stated))
    return found, missing + more


def _shared(train: Side, test: Side) -> int:
    if isinstance(test.keys, np.ndarray) and isinstance(train.keys, np.ndarray):
        return near_rows(test.keys, train.keys, _NEAR_BITS)
    assert isinstance(test.keys, frozenset) and isinstance(train.keys, frozenset)
    return len(test.keys & train.keys)


def near_rows(tested: np.ndarray, trained: np.ndarray, bits: int) -> int:
    """Rows of bits, uint8 (n, b), that differ from one of `trained`, uint8 (m, b), in at most `bits`."""
    if not len(trained):
        return 0
    known = np.unpackbits(trained, axis=1).astype(np.float32)
    ones = known.sum(1)
    near = 0
    for part in np.array_split(tested, max(1, len(tested) // 256)):
        own = np.unpackbits(part, axis=1).astype(np.float32)
        apart = own.sum(1)[:, None] + ones - 2 * own @ known.T
        near += int((apart.min(1) <= bits).sum())
    return near


def picture_bits(path: Path) -> np.ndarray:
    """Bits that name a photograph whatever its size and quality, uint8 (30,): is each of 16 x 15 parts
    brighter than its neighbour (Krawetz's "dHash", 2013)."""
    picture, _ = read_picture(read_file(path))
    small = Image.fromarray(picture).convert("L").resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX)
    values = np.asarray(small, np.int16)
    return np.packbits(values[:, 1:] > values[:, :-1])


def words_of(text: str) -> str:
    """A sentence without capitals and marks."""
    return " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split())


Maker = Callable[[Path], Iterator[Side]]


def _sides(makers: Iterable[Maker], data_dir: Path) -> tuple[list[Side], list[str]]:
    found: list[Side] = []
    missing = []
    for make in makers:
        try:
            found += make(data_dir)
        except FileNotFoundError as error:
            missing.append(str(error))
    return found, missing


def _photographs(name: str, examples: Iterable[Example]) -> Side:
    paths = {e.source.path for e in examples if isinstance(e.source, ImageFile)}
    bits = [picture_bits(path) for path in sorted(paths)]
    return Side(name, PICTURE, np.stack(bits) if bits else np.zeros((0, 30), np.uint8))


def _sentences(name: str, texts: Iterable[str]) -> Side:
    return Side(name, SENTENCE, frozenset(words_of(text) for text in texts))


def _small_pictures(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        pictures = cifar10.load_cifar10(data, split).images
        keys = frozenset(hashlib.sha256(picture.tobytes()).digest() for picture in pictures)
        yield Side("CIFAR-10", PICTURE, keys)

    return make


def _flickr(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        examples = flickr8k.caption_examples(data, split)
        yield _photographs("Flickr8k", examples)
        yield _sentences("Flickr8k's captions", (a for e in examples for a in e.answers))

    return make


def _coco_mini(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        examples = coco_mini.caption_examples(coco_mini.load_coco_mini(data, split))
        yield _photographs("COCO-mini", examples)
        yield _sentences("COCO-mini's captions", (a for e in examples for a in e.answers))

    return make


def _daquar(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        yield _photographs("DAQUAR", daquar.vqa_examples(data, split))

    return make


def _coco_texts(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        groups = coco_text.load_captions(data, split).values()
        yield _sentences("COCO's captions", (text for group in groups for text in group))

    return make


def _known_sentences(data: Path) -> Iterator[Side]:
    from m4sc.space.material import coco_sentences

    yield _sentences("knowledge base", coco_sentences(data))


def _messages(data: Path) -> Iterator[Side]:
    require(data / "coco_captions_text", "The COCO caption text")  # tested beside its sentences
    yield _sentences("short messages", (e.answers[0] for e in message_examples()))


def _message_forms(data: Path) -> Iterator[Side]:
    path = Path(__file__).with_name("short_messages.json")
    forms = json.loads(path.read_text(encoding="utf-8"))["sentences"]
    yield _sentences("short messages' forms", (form for form in forms if "{" not in form))


def _questions(split: str, count: int, seed: int) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        asked = mosaic_examples(cifar10.load_cifar10(data, split), count, seed=seed)
        yield _sentences("spoken questions", (e.instruction for e in asked if e.kind != "describe"))

    return make


def _digits(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        clips = digit_examples(data, split)
        yield Side("FSDD", RECORDING, frozenset(e.media_id for e in clips))
        yield Side("FSDD", VOICE, frozenset((e.kind, e.answers[0]) for e in clips))

    return make


def _people(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        rows = [r for r in _table(data, "human_speech") if human_speech.split_of(r["text"]) == split]
        yield Side("human speech", VOICE, frozenset((r["speaker"], words_of(r["text"])) for r in rows))

    return make


def _commands(split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        rows = [row for row in _table(data, "speech_commands_part") if row["split"] == split]
        yield Side("Speech Commands", VOICE, frozenset((row["speaker"], row["word"]) for row in rows))

    return make


def _sounds(folder: str, name: str, split: str) -> Maker:
    def make(data: Path) -> Iterator[Side]:
        rows = _table(data, folder)
        keys = frozenset(row["clip_id"] for row in rows if recording_split(row["clip_id"]) == split)
        yield Side(name, RECORDING, keys)

    return make


def _table(data: Path, folder: str) -> list[dict[str, str]]:
    path = data / folder / "meta.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _every_sound(split: str) -> list[Maker]:
    folders = (("esc50_part", "ESC-50"), ("esc10_rest", "ESC-10"), ("urbansound8k_part", "UrbanSound8K"))
    return [_sounds(folder, name, split) for folder, name in folders]


_TRAINED: tuple[Maker, ...] = (
    _small_pictures("train"), _flickr("train"), _coco_mini("train"), _daquar("train"), _coco_texts("train"),
    _known_sentences, _message_forms, _questions("train", _MOSAICS, 0), _digits("train"), _people("train"),
    _commands("train"), *_every_sound("train"),
)  # fmt: skip
_TESTED: tuple[Maker, ...] = (
    _small_pictures("test"), _flickr("dev"), _coco_mini("test"), _daquar("test"), _coco_texts("test"),
    _messages, _questions("test", 50, 0), _digits("test"), _people("test"), _commands("dev"),
    *_every_sound("test"),
)  # fmt: skip
