"""`m4sc bench look`: what a second look is worth."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from m4sc.codecs.base import Payload
from m4sc.data.example import Example
from m4sc.evaluate.second_look import NONSENSE, PATHS, measure_look, placed_questions
from m4sc.message import Message
from m4sc_app.cli import main

NAMES = ("red", "green", "blue")


class Halves:
    """Sends the likeliest colour of what it looks at, as one of three phases; the left half if told so."""

    def encode(
        self,
        message: Message,
        task: str,
        instruction: str | None = None,
        look: bool = False,
        rate: int = 2,
    ) -> Payload:
        picture = np.asarray(message.data)
        if look and instruction and "left" in instruction:
            picture = picture[:, : picture.shape[1] // 2]
        angle = 2 * np.pi / 3 * int(picture.mean((0, 1)).argmax())
        return Payload(
            3, "image", 0, np.tile([np.cos(angle), np.sin(angle)], (8 * rate, 1)).astype(np.float32)
        )

    def decode_many(self, received: Any, task: str, instructions: Any) -> list[SimpleNamespace]:
        phases = [np.angle(symbols.mean()) % (2 * np.pi) for symbols, _ in received]
        return [SimpleNamespace(text=NAMES[round(p / (2 * np.pi / 3)) % 3]) for p in phases]


def coloured(left: int, right: int, number: int) -> Example:
    """A picture whose right part is the larger one."""
    picture = np.zeros((8, 20, 3), np.uint8)
    picture[:, :10, left], picture[:, 10:, right] = 100, 250
    return Example(
        id=f"{number}",
        modality="image",
        task="mosaic",
        instruction="What is on the left?",
        answers=(NAMES[left],),
        kind="halves",
        source=picture,
        media_id=f"{number}",
    )


def test_the_gain_is_that_of_looking_and_nonsense_has_none() -> None:
    pairs = [(left, right) for left in range(3) for right in range(3) for _ in range(4)]
    examples = [coloured(left, right, n) for n, (left, right) in enumerate(pairs)]
    rows = measure_look(Halves(), examples, {"rate": 2}, [10.0], (0, 1))
    assert tuple(row.path for row in rows) == PATHS
    light, told, nonsense = rows
    assert light.score == pytest.approx(1 / 3) and told.score == 1.0
    assert told.gain[0] == pytest.approx(2 / 3) and 0 < told.gain[1] < told.gain[0] < told.gain[2]
    assert nonsense.score == light.score and nonsense.gain == (0.0, 0.0, 0.0) and "left" not in NONSENSE
    assert {row.n for row in rows} == {36}


def test_questions_are_of_nine_places_and_the_same_again(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {"names": np.array([f"c{i}" for i in range(10)])}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{split}"] = np.arange(20) % 10
    np.savez(tmp_path / "cifar10" / "tiny.npz", **arrays)
    first, again = (placed_questions(tmp_path, 6, 9) for _ in range(2))
    assert [one.instruction for one in first] == [one.instruction for one in again]
    assert len(first) == 54 and len({one.media_id for one in first}) == 6
    places = {one.id.rpartition("-")[2] for one in first}
    assert places == {str(n) for n in range(9)}
    assert np.asarray(first[0].load()).shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--snr=loud", "numbers with commas"),
        ("--symbols=33", "32, 64 or 128"),
        ("--wording=odd", "seen or heldout"),
    ],
)
def test_mistakes_are_told(
    option: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "look", "--data", str(tmp_path), option]) == 2
    assert said in capsys.readouterr().err
