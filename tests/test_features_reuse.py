"""The feature cache: a message is encoded once, lists of questions can be renewed without encoding."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from m4sc.data.example import Example
from m4sc.training import features


def example(task: str, media: str, question: str = "What?") -> Example:
    picture = np.zeros((8, 8, 3), np.uint8)
    return Example(f"{task}-{media}", "image", task, question, ("cat",), "", picture, media)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the messages that went through an encoder, each mapped to features of ones."""
    seen: list[str] = []

    def encode(examples: list[Example], *_: object) -> dict[str, torch.Tensor]:
        names = list(dict.fromkeys(e.media_id for e in examples))
        seen.extend(names)
        return {name: torch.ones(2, 3, dtype=torch.float16) for name in names}

    monkeypatch.setattr(features, "_encode", encode)
    none = {"speech_examples": [], "sound_examples": []}
    for name, value in none.items():
        monkeypatch.setattr(features, name, lambda *_, value=value: value)
    monkeypatch.setattr(
        features, "image_examples", lambda *_: [example("caption", "a"), example("caption", "b")]
    )
    monkeypatch.setattr(features, "question_examples", lambda *_: [example("vqa", "b"), example("vqa", "c")])
    return seen


def test_each_message_is_encoded_once(tmp_path: Path, encoded: list[str]) -> None:
    features.cache_features(tmp_path, tmp_path / "f", "train", features.Amount())
    assert encoded == ["a", "b", "c"]
    samples = features.load_features(tmp_path / "f", "train")
    assert sorted((s.task, s.media) for s in samples) == [
        ("caption", "a"),
        ("caption", "b"),
        ("vqa", "b"),
        ("vqa", "c"),
    ]


def test_new_wordings_cost_no_encoding(
    tmp_path: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    features.cache_features(tmp_path, tmp_path / "f", "train", features.Amount())
    (tmp_path / "f" / "train_vqa.json").unlink()
    renewed = [example("vqa", "c", "Which?"), example("vqa", "d", "Which?")]
    monkeypatch.setattr(features, "question_examples", lambda *_: renewed)
    features.cache_features(tmp_path, tmp_path / "f", "train", features.Amount())
    assert encoded == ["a", "b", "c", "d"]
    rows = json.loads((tmp_path / "f" / "train_vqa.json").read_text())
    assert [(row["media"], row["instruction"]) for row in rows] == [("c", "Which?"), ("d", "Which?")]
    assert len(features.load_features(tmp_path / "f", "train")) == 4
