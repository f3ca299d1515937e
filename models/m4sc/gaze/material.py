"""From a folder of data sets to what a gaze learns from, and is measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from m4sc.data.cifar10 import load_cifar10
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
    pools, held_pools, sentences, held_sentences = _pictures(data)
    things = (*THINGS, *load_cifar10(data, "train").names, *_SAID)
    backbone = EfficientNetLite(config.vision, torch.device("cpu"))

    @torch.inference_mode()
    def look(pictures: list[np.ndarray]) -> Tensor:
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            return backbone.maps(pixels).float().flatten(2).transpose(1, 2)

    def sights(name: str, drawn: Sequence[Sequence[np.ndarray]], count: int) -> Sights:
        kind = "bf16" if plan.bf16 else "fp32"
        path = cache / f"{name}-{count}-{plan.seed}-{config.looked_at}-{kind}.safetensors"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng([plan.seed, name == _HELD])
            made = draw_sights(
                drawn, count, look, rng, config.looked_at, lambda done: say(f"{name}: {done} of {count}")
            )
            scratch = path.with_suffix(".tmp")
            save_file({"cells": made.cells.contiguous(), "grids": made.grids}, scratch)
            scratch.replace(path)
        kept = load_file(path)
        return Sights(kept["cells"], kept["grids"])

    def lesson(name: str, drawn: Sequence[Sequence[np.ndarray]], texts: list[str], count: int) -> GazeLesson:
        rng = np.random.default_rng([plan.seed, name == _HELD, 1])
        read = SentenceEncoder(config.sentences).tokens
        told = draw_instructions(read, (things, texts), rng, name == _HELD)
        return GazeLesson(sights(name, drawn, count), *told)

    learned = lesson("learned", pools, sentences, plan.pictures)
    return learned, lesson(_HELD, held_pools, held_sentences, plan.held_out)


def _pictures(
    data: Path,
) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]], list[str], list[str]]:
    """Training pictures of each kind to learn from and to measure on, and captions likewise."""
    small = list(load_cifar10(data, "train").images)
    kept = round(len(small) * (1 - _HELD_OUT))
    pools, held = [small[:kept]], [small[kept:]]
    try:
        examples = caption_examples(data, "train")
    except FileNotFoundError:
        return pools, held, ["A dog runs on the grass."], ["Two people sit at a table."]
    kept = round(len(examples) * (1 - _HELD_OUT))
    first, last = examples[:kept], examples[kept:]
    pools.append([np.asarray(one.load()) for one in first[:_MOST_PHOTOGRAPHS]])
    held.append([np.asarray(one.load()) for one in last[: _MOST_PHOTOGRAPHS // 5]])
    return pools, held, [one.answers[0] for one in first], [one.answers[0] for one in last]
