"""Nothing that is tested stands in a training split, unless it is stated; with M4SC_DATA on the real sets."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from m4sc.data import leaks
from m4sc.data.leaks import PICTURE, SENTENCE, Side, find_leaks, near_rows, picture_bits, words_of
from m4sc_app.cli import main
from PIL import Image


def photograph(seed: int) -> Image.Image:
    """A coarse random picture, enlarged smoothly as photographs are smooth."""
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def test_a_photograph_is_known_again_in_another_size_and_quality(tmp_path: Path) -> None:
    kept = []
    for seed in range(20):
        path = tmp_path / f"{seed}.png"
        photograph(seed).save(path)
        kept.append(picture_bits(path))
    photograph(7).resize((160, 120)).save(tmp_path / "again.jpg", quality=60)
    photograph(99).save(tmp_path / "other.jpg")
    tested = np.stack([picture_bits(tmp_path / name) for name in ("again.jpg", "other.jpg")])
    assert near_rows(tested[:1], np.stack(kept), 10) == 1
    assert near_rows(tested[1:], np.stack(kept), 10) == 0
    assert near_rows(tested, np.zeros((0, 30), np.uint8), 10) == 0


def test_sentences_are_compared_without_capitals_and_marks() -> None:
    assert words_of("A dog, on the  Beach!") == words_of("a dog on the beach")


def use(monkeypatch: pytest.MonkeyPatch, trained: list[str], tested: list[str]) -> None:
    def side(name: str, texts: list[str]):
        def make(data: Path) -> Iterator[Side]:
            yield Side(name, SENTENCE, frozenset(texts))
            yield Side(name, PICTURE, frozenset((name,)))

        return make

    def absent(data: Path) -> Iterator[Side]:
        raise FileNotFoundError("no such set")
        yield

    monkeypatch.setattr(leaks, "_TRAINED", (side("one", trained), absent))
    monkeypatch.setattr(leaks, "_TESTED", (side("two", tested),))


def test_what_is_shared_across_sets_is_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, ["a", "b", "c"], ["b", "c", "d", "e"])
    found, missing = find_leaks(tmp_path)
    assert [(x.kind, x.shared, x.entries, x.stated) for x in found] == [
        (SENTENCE, 2, 4, ""),
        (PICTURE, 0, 1, ""),
    ]
    assert missing == ["no such set"]
    assert main(["data", "leaks", "--data", str(tmp_path)]) == 1
    assert "2 of 4 of two (test) in one (training): NOT STATED" in capsys.readouterr().out
    monkeypatch.setattr(leaks, "STATED", {(SENTENCE, "one", "two"): (1, "few")})
    assert find_leaks(tmp_path)[0][0].stated == ""  # more than was stated
    monkeypatch.setattr(leaks, "STATED", {(SENTENCE, "one", "two"): (2, "by chance")})
    assert main(["data", "leaks", "--data", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["leaks"][0]["stated"] == "by chance" and told["compared"] == 2


def test_a_folder_without_sets_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "leaks", "--data", str(tmp_path / "none")]) == 2
    assert main(["data", "leaks", "--data", str(tmp_path)]) == 2
    assert "docs/concepts/training.md" in capsys.readouterr().err


def test_the_real_sets_share_nothing_that_is_not_stated() -> None:
    folder = os.environ.get("M4SC_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("M4SC_DATA names no folder of data sets")
    found, _ = find_leaks(Path(folder))
    assert found and [leak for leak in found if leak.shared and not leak.stated] == []
