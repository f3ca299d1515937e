"""`m4sc train space` from a small made-up data set to weights, and a second run that finds its stages."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from m4sc.space import material, training
from m4sc.space.imagined import Imagination
from m4sc.space.knowledge_base import KnowledgeBase
from m4sc.space.system import SpaceSystem
from m4sc.space.training import SpacePlan, split_photographs, train_space
from m4sc_app.cli import main
from PIL import Image
from torch.nn import functional

DIM = 2560
THINGS = ("dog", "cat", "man", "car", "tree", "boat")


class Pictures:
    """Features that depend on a picture's mean colour."""

    head = (torch.randn(1000, 1280, generator=torch.Generator().manual_seed(2)) / 36, torch.zeros(1000))

    def __call__(
        self, pictures: list[np.ndarray], mirrored: bool = False, bf16: bool = False
    ) -> torch.Tensor:
        colours = torch.tensor(np.stack([p.mean((0, 1)) / 255 for p in pictures]), dtype=torch.float32)
        mixed = torch.randn(3, DIM, generator=torch.Generator().manual_seed(1))
        return torch.sin(4 * colours @ mixed)

    def class_scores(self, features: torch.Tensor) -> torch.Tensor:
        weight, bias = self.head
        return features[:, : weight.shape[1]] @ weight.T + bias


class Sentences:
    """Points from the words of a sentence."""

    def __call__(self, sentences: list[str], cache: Path | None = None) -> torch.Tensor:
        rows = []
        for sentence in sentences:
            words = sentence.lower().rstrip(".").split()
            seeds = [sum((i + 7) * ord(c) for i, c in enumerate(word)) for word in words]
            rows.append(sum(torch.randn(384, generator=torch.Generator().manual_seed(s)) for s in seeds))
        return functional.normalize(torch.stack(rows), dim=-1)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    for name in ("flickr8k_1000/images", "flickr8k_more/images", "coco_mini", "coco_captions_text"):
        (tmp_path / "data" / name).mkdir(parents=True)
    root = tmp_path / "data"
    for folder in ("flickr8k_1000", "flickr8k_more"):
        entries = []
        for i in range(30):
            thing = THINGS[i % len(THINGS)]
            colour = np.array([40 * (i % len(THINGS)), 90, 20]) + rng.integers(0, 20, 3)
            Image.new("RGB", (200, 160), tuple(map(int, colour))).save(
                root / folder / "images" / f"{folder}{i}.jpg"
            )
            captions = [
                f"A {thing} is here .",
                f"The {thing}",
                f"One {thing} there",
                f"A big {thing}",
                f"A {thing}",
            ]
            entries.append({"image": f"{folder}{i}.jpg", "captions": captions, "split": "train"})
        (root / folder / "captions.json").write_text(json.dumps(entries))
    mini = {
        "image": "000000000003.jpg",
        "split": "val2017",
        "orig_size": [4, 4],
        "captions": [],
        "objects": [],
    }
    (root / "coco_mini" / "coco_mini.json").write_text(json.dumps([mini]))
    (root / "coco_mini" / "images").mkdir()
    Image.new("RGB", (8, 8)).save(root / "coco_mini" / "images" / "000000000003.jpg")
    seen = ("stands", "is", "waits", "lies")
    captions = {
        str(i): ["TWO PEOPLE TALK", *(f"A {THINGS[i % 6]} {verb} at place {i}" for verb in seen)]
        for i in range(20)
    }
    with gzip.open(root / "coco_captions_text" / "captions_val2017.json.gz", "wt") as file:
        json.dump(captions, file)
    for module in (material, training):
        monkeypatch.setattr(module, "SentenceEncoder", Sentences)
    monkeypatch.setattr(material, "PictureFeatures", Pictures)
    monkeypatch.setattr(training, "PictureFeatures", Pictures)
    monkeypatch.setattr("m4sc.space.system.SentenceEncoder", lambda name: Sentences())
    return root


def test_tested_sentences_stay_out_of_the_knowledge(data: Path) -> None:
    known = material.coco_sentences(data)
    assert "Two people talk." in known
    assert not any("place 3." in text for text in known)  # COCO-mini's val picture
    assert not any("place 19." in text or "place 18." in text for text in known)  # the text tasks' tenth


def test_held_out_photographs_are_not_learned_from() -> None:
    split = split_photographs(60, 500)
    assert len(split.validate) == 12 and not set(split.learn.tolist()) & set(split.validate.tolist())


def test_imagined_pictures_lie_as_far_from_their_captions_as_real_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    said = functional.normalize(torch.randn(400, 64, generator=generator) + 0.3, dim=-1)
    gap = 0.2 * torch.randn(64, generator=generator)
    seen = functional.normalize(0.5 * said + gap + 0.08 * torch.randn(400, 64, generator=generator), dim=-1)
    others = functional.normalize(torch.randn(400, 64, generator=generator) + 0.3, dim=-1)
    imagined = Imagination.of(seen, said)(others, generator)
    real, made = (seen * said).sum(-1), (imagined * others).sum(-1)
    torch.testing.assert_close(imagined.norm(dim=-1), torch.ones(400))
    assert abs(real.mean() - made.mean()) < 0.03 and abs(real.std() - made.std()) < 0.03
    wrong = (imagined * others.roll(1, 0)).sum(-1)
    assert made.mean() > wrong.mean() + 0.1


def _world() -> training.Described:
    """A dog's photograph, another that is kept for validation, and an imagined picture of a car."""
    captions = [("A dog runs.",) * 5, ("A man walks.",) * 5, ("A red car.",) * 5]
    said = functional.normalize(torch.randn(3, 5, 384, generator=torch.Generator().manual_seed(0)), dim=-1)
    return training.Described(said[:, 0], captions, said, torch.tensor([0]), torch.tensor([2]))


def test_people_where_nobody_is_cost_and_the_subject_earns() -> None:
    words = ("a", "dog", "man", "car", "red", "runs", "walks", "and")
    said, rows = (
        ["A dog and a man.", "A dog and a car.", "A red and a car.", "A man and a car."],
        [0, 0, 2, 2],
    )

    def earned(naming: float, people: float) -> np.ndarray:
        return training.earnings(words, _world(), SpacePlan(naming=naming, people=people))(said, rows)

    plain = earned(0.0, 0.0)
    np.testing.assert_allclose(plain - earned(0.0, 2.0), [2.0, 0.0, 0.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(earned(3.0, 0.0) - plain, [3.0, 3.0, 3.0, 3.0], atol=1e-6)
    assert training.earnings(words, _world(), SpacePlan())(["A man walks."], [1]) <= 1.0  # nothing is known


def test_half_of_the_imagined_pictures_are_spoken_of_as_photographs() -> None:
    world = _world()
    many = replace(world, points=torch.zeros(2000, 384), imagined=torch.arange(1000, 2000))
    assert training.styles_of(many).tolist() == [0] * 1000 + [1] * 1000
    mixed = training.styles_of(many, 3)
    assert not mixed[:1000].any() and 400 < int(mixed.sum()) < 600
    assert not torch.equal(mixed, training.styles_of(many, 4))


def test_where_both_are_as_near_other_things_are_thrice_as_probable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "through_channel", lambda codec, points, generator: (points, None))
    noise = 0.2 * torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    points = torch.cat([torch.eye(8)[:1] + noise, torch.eye(8)[1:2] + noise])
    said, rows = torch.zeros(800, 5, 8), torch.arange(800)
    world = training.Described(points, [()] * 800, said, rows[:400], rows[400:])
    found = training.manner_of(None, world, 0)  # type: ignore[arg-type]
    middle = points.mean(0, keepdim=True)
    assert float(torch.sigmoid(middle @ found["weight"].T + found["bias"])) == pytest.approx(0.75, abs=0.01)


def test_training_writes_weights_and_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "run", list[str]()
    plan = SpacePlan(minutes=0.05, held_out=10, epochs=3, known=1010, reward_share=0.2, second_share=0.1)
    system = train_space(data, out, plan, said.append)
    files = {path.name for path in out.glob("*") if path.is_file()}
    assert files == {"config.json", "model.safetensors", "knowledge.safetensors", "words.txt"}
    assert len(KnowledgeBase.load(out / "knowledge.safetensors")) > 1000
    assert any("(copies)" in line for line in said)
    kept = {path: path.stat().st_mtime_ns for path in (out / "stages").iterdir()}
    assert len(kept) == 8  # one round of rewards of each speaker
    again = train_space(data, out, plan)
    assert {path: path.stat().st_mtime_ns for path in (out / "stages").iterdir()} == kept
    assert again.fingerprint == system.fingerprint and system.network.second is not None
    assert system.network.expectation is not None and system.config.expecting == plan.expecting
    further = replace(plan, speaker=out)
    assert train_space(data, tmp_path / "further", further).config.speaker == system.config.speaker
    assert SpaceSystem.load(out).config.confidence != (0.0,) * 6


def test_a_knowledge_base_is_made_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("m4sc.space.sentence_encoder.SentenceEncoder", Sentences)
    (tmp_path / "notes.txt").write_text("The pump is off. The valve is open.")
    file = tmp_path / "kb.safetensors"
    assert main(["kb", "build", str(tmp_path), "--out", str(file), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["sentences"] == 2
    assert main(["kb", "show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"] == made["fingerprint"]
    assert main(["kb", "build", str(tmp_path / "none")]) == 2
