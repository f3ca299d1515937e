"""Readers: strict splits, shapes and clear errors, on tiny data sets written here."""

import gzip
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from m4sc.data import augment, cifar10, coco_mini, coco_text, espeak, flickr8k, fsdd
from m4sc.data.example import Example
from PIL import Image


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for name in ("cifar10", "flickr8k_1000/images", "coco_mini/images", "coco_captions_text", "fsdd"):
        (tmp_path / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    arrays = {f"x_{s}": rng.integers(256, size=(6, 32, 32, 3), dtype=np.uint8) for s in ("train", "test")}
    labels = {f"y_{s}": np.arange(6, dtype=np.uint8) for s in ("train", "test")}
    np.savez(
        tmp_path / "cifar10" / "tiny.npz",
        names=np.array([f"class{i}" for i in range(10)]),
        **arrays,
        **labels,
    )

    flickr = [
        {"image": f"{s}.jpg", "captions": ["A dog ."] * 5, "split": s} for s in ("train", "dev", "test")
    ]
    (tmp_path / "flickr8k_1000" / "captions.json").write_text(json.dumps(flickr))
    for name in ("train", "dev"):  # the test picture is absent
        Image.new("RGB", (40, 30)).save(tmp_path / "flickr8k_1000" / "images" / f"{name}.jpg")

    coco = [
        {
            "image": f"{i:012d}.jpg",
            "split": split,
            "orig_size": [640, 480],
            "captions": ["A cat sits.", "A cat"],
            "objects": [[name, 1, 2, 3, 4], [name, 5, 6, 7, 8]],
        }
        for i, (split, name) in enumerate([("train2017", "cat"), ("train2017", "dog"), ("val2017", "cup")])
    ]
    (tmp_path / "coco_mini" / "coco_mini.json").write_text(json.dumps(coco))
    for entry in coco:
        Image.new("RGB", (64, 48)).save(tmp_path / "coco_mini" / "images" / str(entry["image"]))

    captions = {str(i): [f"Number {i} is here", f"This is number {i} .", f"See {i}"] for i in range(20)}
    with gzip.open(tmp_path / "coco_captions_text" / "captions_val2017.json.gz", "wt") as file:
        json.dump(captions, file)

    rows = ["file,digit,speaker,index,split,seconds"]
    with zipfile.ZipFile(tmp_path / "fsdd" / "clips.zip", "w") as archive:
        for index in (2, 4, 5, 9):
            buffer = io.BytesIO()
            soundfile.write(buffer, np.zeros(1600, np.float32), 16_000, format="FLAC")
            archive.writestr(f"7_anna_{index}.flac", buffer.getvalue())
            rows.append(f"7_anna_{index}.flac,7,anna,{index},train,0.1")  # a wrong split column on purpose
    (tmp_path / "fsdd" / "meta.csv").write_text("\n".join(rows))
    return tmp_path


def media(examples: list[Example]) -> set[str]:
    return {example.media_id for example in examples}


def test_cifar10(data_dir: Path) -> None:
    train, test = (cifar10.load_cifar10(data_dir, split) for split in ("train", "test"))
    examples = cifar10.classify_examples(train, seed=3)
    assert [e.answers for e in examples] == [(f"class{i}",) for i in range(6)]
    assert np.array_equal(examples[2].load(), train.images[2])
    assert not media(examples) & media(cifar10.classify_examples(test))
    with pytest.raises(ValueError, match="none of train, test"):
        cifar10.load_cifar10(data_dir, "dev")
    with pytest.raises(FileNotFoundError, match="give the folder"):
        cifar10.load_cifar10(data_dir / "nowhere", "train")


def test_flickr_and_coco(data_dir: Path) -> None:
    assert [len(flickr8k.caption_examples(data_dir, s)) for s in ("train", "dev", "test")] == [1, 1, 0]
    assert flickr8k.caption_examples(data_dir, "dev")[0].answers == ("A dog.",) * 5
    assert flickr8k.caption_examples(data_dir, "dev")[0].load().shape == (30, 40, 3)
    train, test = (coco_mini.load_coco_mini(data_dir, split) for split in ("train", "test"))
    assert [p.image_id for p in train] == [0, 1] and [p.image_id for p in test] == [2]
    for example in coco_mini.object_examples(train, per_picture=8):
        own = "cat" if example.media_id == "coco-0" else "dog"
        wanted = "two" if example.kind == "objects-count" else ("yes" if own in example.instruction else "no")
        assert example.answers == (wanted,)


def test_text_split_is_by_image(data_dir: Path) -> None:
    train, test = (coco_text.load_captions(data_dir, split) for split in ("train", "test"))
    assert sorted(test) == [18, 19] and sorted(train) == list(range(18))
    assert 3 not in coco_text.load_captions(data_dir, "train", exclude={3})
    assert all(e.answers == (e.load(),) for e in coco_text.text_examples(test))


def test_summary_is_the_central_caption_and_is_cached(data_dir: Path, tmp_path: Path) -> None:
    captions, calls = coco_text.load_captions(data_dir, "test"), []

    def embed(sentences: object) -> np.ndarray:
        calls.append(1)
        return np.array([[1, 0.9], [1, 0], [0, 1]] * 2, dtype=float)  # the first lies between the others

    for _ in range(2):
        examples = coco_text.summarize_examples(captions, embed, cache_dir=tmp_path / "cache")
        assert [e.answers[0] for e in examples] == [captions[18][0], captions[19][0]]
    assert len(calls) == 1
    assert all(sentence in str(examples[0].load()) for sentence in captions[18][1:])
    assert captions[18][0] not in str(examples[0].load())


def test_digits_split_by_index(data_dir: Path) -> None:
    assert media(fsdd.digit_examples(data_dir, "test")) == {"fsdd-7_anna_2", "fsdd-7_anna_4"}
    train = fsdd.digit_examples(data_dir, "train")
    assert media(train) == {"fsdd-7_anna_5", "fsdd-7_anna_9"}
    assert train[0].answers == ("seven", "7") and train[0].load().dtype == np.float32


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_spoken_sentences_repeat_exactly(tmp_path: Path) -> None:
    sentences = ["A dog runs.", "-v is no option here."]
    first = [e.load() for e in espeak.spoken_examples(sentences, tmp_path / "a", seed=1)]
    other = [e.load() for e in espeak.spoken_examples(sentences, tmp_path / "b", seed=1)]
    assert all(np.array_equal(x, y) for x, y in zip(first, other, strict=True))
    assert all(0.4 < len(x) / 16_000 < 5 and np.max(np.abs(x)) > 0.5 for x in first)


def test_numbers_are_joined_clips_of_one_speaker(data_dir: Path) -> None:
    clips = fsdd.digit_examples(data_dir, "train")
    numbers = fsdd.number_examples(clips, 8, seed=3)
    longest = max(len(np.asarray(clip.load())) for clip in clips)
    for example in numbers:
        words, digits = example.answers
        assert words.split() == ["seven"] * len(digits) and set(digits) == {"7"} and 2 <= len(digits) <= 5
        sound = np.asarray(example.load())
        assert sound.dtype == np.float32 and 0 < len(sound) <= len(digits) * (longest + 0.2 * 16_000)
        assert np.array_equal(sound, example.load())
    assert [e.answers for e in numbers] == [e.answers for e in fsdd.number_examples(clips, 8, seed=3)]


def test_spelt_numbers_have_the_lengths_asked_for() -> None:
    found = espeak.digit_sentences(200, lengths=(2, 4), seed=1)
    assert {len(sentence.split()) for sentence in found} == {2, 3, 4}
    assert {word for sentence in found for word in sentence.split()} == set(fsdd.DIGIT_WORDS)


def test_cropped_copies_are_smaller_repeatable_and_keep_sides_apart(data_dir: Path) -> None:
    picture = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)
    sided = Example("a", "image", "caption", "?", ("A dog on the left.",), "", picture, "a")
    copies = augment.cropped_copies([sided], 6, seed=2)
    assert len({copy.media_id for copy in copies}) == 6 and all(not c.source.mirror for c in copies)
    for copy in copies:
        crop = np.asarray(copy.load())
        assert np.array_equal(crop, copy.load()) and 30 <= crop.shape[0] <= 40 and 45 <= crop.shape[1] <= 60
    other = augment.cropped_copies(flickr8k.caption_examples(data_dir, "train"), 8, seed=2)
    assert {copy.source.mirror for copy in other} == {True, False}
