"""The transmitter's second look: of a picture the part that an instruction points at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from m4sc.encoders.efficientnet import EfficientNetLite
from m4sc.gaze.box import WHOLE, Box
from m4sc.gaze.network import GazeNetwork, Instructions
from m4sc.space.sentence_encoder import SentenceEncoder

_LEAST_PIXELS = 8  # a side of a part; less shows nothing


@dataclass(frozen=True)
class Found:
    """Where an instruction points.

    Attributes:
        probability: that a part is meant.
        box: that part, as shares of the picture's width and height.
    """

    probability: float
    box: Box


class SecondLook:
    """A gaze with the frozen backbones that it reads; a transmitter's alone.

    Args:
        network: trained.
        sentences: encoder of the configuration's name that another part has, too; None for one of its own.

    Attributes:
        look_with: what gives the backbone, so that another part's serves this one too.
    """

    def __init__(self, network: GazeNetwork, sentences: SentenceEncoder | None = None) -> None:
        self.network = network.eval().requires_grad_(False)
        self.config = network.config
        if sentences is None or sentences.name != self.config.sentences:
            sentences = SentenceEncoder(self.config.sentences)
        self._sentences = sentences
        self.look_with: Callable[[], EfficientNetLite] = lambda: EfficientNetLite(
            self.config.vision, torch.device("cpu")
        )

    @cached_property
    def _backbone(self) -> EfficientNetLite:
        return self.look_with()

    @torch.inference_mode()
    def find(self, picture: np.ndarray, instruction: str) -> Found:
        """Where an instruction points on a picture, uint8 (H, W, 3)."""
        side = self.config.looked_at
        square = Image.fromarray(np.ascontiguousarray(picture)).resize((side, side), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float()
        cells = self._backbone.maps(pixels).flatten(2).transpose(1, 2)
        pointed = self.network(
            self.network.components(cells), Instructions.of(self._sentences.tokens([instruction]))
        )
        left, top, right, bottom = pointed.box[0].clamp(0, 1).tolist()
        return Found(float(pointed.part[0].sigmoid()), (left, top, right, bottom))

    def part(self, picture: np.ndarray, instruction: str) -> tuple[np.ndarray, Box]:
        """The part of a picture, uint8 (H, W, 3), that is meant, and where it lies.

        It is the whole where no part is meant, or a tiny one.
        """
        found = self.find(picture, instruction)
        if found.probability < self.config.least_part:
            return picture, WHOLE
        height, width = picture.shape[:2]
        left, top, right, bottom = found.box
        rows = slice(round(top * height), round(bottom * height))
        columns = slice(round(left * width), round(right * width))
        if min(rows.stop - rows.start, columns.stop - columns.start) < _LEAST_PIXELS:
            return picture, WHOLE
        return np.ascontiguousarray(picture[rows, columns]), found.box


def load_second_look(folder: Path, sentences: SentenceEncoder | None = None) -> SecondLook:
    """Read the weights of `m4sc train gaze`; sentences: as of :class:`SecondLook`.

    Raises:
        FileNotFoundError: no such files.
        ValueError: the weights do not fit their configuration.
    """
    return SecondLook(GazeNetwork.load(folder), sentences)
