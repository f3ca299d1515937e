"""From a folder of data sets to what a gaze learns from, and is measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from m4sc.data.cifar10 import Cifar10, load_cifar10
from m4sc.data.example import Example
from m4sc.data.flickr8k import caption_examples
from m4sc.encoders.efficientnet import EfficientNetLite
from m4sc.encoders.object_detector import THINGS
from m4sc.gaze.network import GazeConfig
from m4sc.gaze.training import GazeLesson, Sights, draw_instructions, draw_sights
from m4sc.space.sentence_encoder import SentenceEncoder

_MOST_PHOTOGRAPHS = 1500
_HELD_OUT = 0.1  # of the training pictures, for measuring
_SAID = ("man", "woman", "boy", "girl", "people", "shirt", "tree", "red", "blue", "running", "sitting", "big")
_HELD = "held-out"

Say = Callable[[str], None]


@dataclass(frozen=True)
class GazePlan:
    """How much a gaze learns from.

    Attributes:
        pictures: of tiles, to learn from.
        held_out: of tiles of other pictures, with wordings that it does not learn, for measuring.
        bf16: features under autocast.
        seed: of all draws.
    """

    pictures: int = 3000
    held_out: int = 300
    bf16: bool = False
    seed: int = 0


def gaze_lessons(
    data: Path, cache: Path, plan: GazePlan, config: GazeConfig, say: Say = lambda text: None
) -> tuple[GazeLesson, GazeLesson]:
    """What a gaze learns from and what it is measured on: of training splits alone, no picture in both.

    Args:
        data: folder of data sets; CIFAR-10 is needed, Flickr8k used where it is there.
        cache: folder that keeps the pictures' features.
        plan: how much.
        config: of the gaze.
        say: gets news.

    Raises:
        FileNotFoundError: no CIFAR-10.
    """
    small = load_cifar10(data, "train")
    learned, held_out = _sides(data, small)
    things = (*THINGS, *small.names, *_SAID)
    backbone = EfficientNetLite(config.vision, torch.device("cpu"))

    @torch.inference_mode()
    def look(pictures: list[np.ndarray]) -> Tensor:
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            return backbone.maps(pixels).float().flatten(2).transpose(1, 2)

    def sights(name: str, side: _Side, count: int) -> Sights:
        kind = "bf16" if plan.bf16 else "fp32"
        path = cache / f"{name}-{count}-{plan.seed}-{config.looked_at}-{kind}.safetensors"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng([plan.seed, name == _HELD])
            made = draw_sights(
                side.pools(),
                count,
                look,
                rng,
                config.looked_at,
                lambda done: say(f"{name}: {done} of {count}"),
            )
            scratch = path.with_suffix(".tmp")
            save_file({"cells": made.cells.contiguous(), "grids": made.grids}, scratch)
            scratch.replace(path)
        kept = load_file(path)
        return Sights(kept["cells"], kept["grids"])

    def lesson(name: str, side: _Side, count: int) -> GazeLesson:
        rng = np.random.default_rng([plan.seed, name == _HELD, 1])
        read = SentenceEncoder(config.sentences).tokens
        told = draw_instructions(read, (things, side.sentences), rng, name == _HELD)
        return GazeLesson(sights(name, side, count), *told)

    return lesson("learned", learned, plan.pictures), lesson(_HELD, held_out, plan.held_out)


@dataclass(frozen=True)
class _Side:
    """Training pictures to learn from, or to measure on, and sentences likewise."""

    small: list[np.ndarray]
    photographs: list[Example]
    sentences: list[str]

    def pools(self) -> list[list[np.ndarray]]:
        """The pictures of each kind; photographs are read now."""
        read = [np.asarray(one.load()) for one in self.photographs]
        return [self.small, read] if read else [self.small]


def _sides(data: Path, small: Cifar10) -> tuple[_Side, _Side]:
    """What is learned from, and what is measured on."""
    images = list(small.images)
    own = round(len(images) * (1 - _HELD_OUT))
    try:
        examples = caption_examples(data, "train")
    except FileNotFoundError:
        learned = _Side(images[:own], [], ["A dog runs on the grass."])
        return learned, _Side(images[own:], [], ["Two people sit at a table."])
    kept = round(len(examples) * (1 - _HELD_OUT))
    first, last = examples[:kept], examples[kept:]
    return (
        _Side(images[:own], first[:_MOST_PHOTOGRAPHS], [one.answers[0] for one in first]),
        _Side(images[own:], last[: _MOST_PHOTOGRAPHS // 5], [one.answers[0] for one in last]),
    )
