"""What of a picture goes into the space: frozen backbones' features and what the first one's head names."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from importlib import resources
from threading import Lock

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from m4sc.encoders.efficientnet import EfficientNetLite
from m4sc.encoders.object_detector import FEATURES, ObjectDetector
from m4sc.space.naming import naming_sentence

LOOKED_AT = 256
"""Pixels a side. Features that are kept for later bear it in their name."""
_PART = 16
_KEPT = 16  # pictures whose features wait for the next task


def class_names() -> list[str]:
    """The 1,000 ImageNet classes in the head's order: the first lemma of each WordNet synset."""
    text = resources.files("m4sc.space").joinpath("imagenet_names.txt").read_text(encoding="utf-8")
    return [line.split(",")[0].strip() for line in text.splitlines() if line]


def class_sentences() -> list[str]:
    """A sentence that names each class."""
    return [naming_sentence(name) for name in class_names()]


class PictureFeatures:
    """Mean and maximum over the 8 x 8 grid of EfficientNet-Lite2, and the head's scores.

    With `things` the features of a detector of everyday things stand behind them, which learned from other
    pictures and other names. A picture is squeezed to a square: full-size and small ones alike. The features
    of the last pictures that came one by one are kept: several users' tasks on one picture look at it once.
    """

    def __init__(
        self, name: str = "efficientnet-lite2", device: torch.device | None = None, things: bool = False
    ) -> None:
        self.backbone = EfficientNetLite(name, device or torch.device("cpu"))
        self.device = device or torch.device("cpu")
        self._kept: OrderedDict[tuple[object, ...], Tensor] = OrderedDict()
        self._lock = Lock()
        self.detector = ObjectDetector() if things else None
        self.dim = 2 * self.backbone.feature_dim + FEATURES * things

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[np.ndarray], mirrored: bool = False, bf16: bool = False) -> Tensor:
        """Pictures, uint8 (H, W, 3) of any size, to float32 (n, dim): means, then maxima, then things.

        Args:
            pictures: what to look at.
            mirrored: look at them from left to right; the detector sees them as they are.
            bf16: autocast; twice as fast on processors with AVX-512 BF16, for features kept for training.
        """
        if len(pictures) == 1 and not bf16:
            return self._of_one(pictures[0], mirrored)
        return self._look(pictures, mirrored, bf16)

    def _of_one(self, picture: np.ndarray, mirrored: bool) -> Tensor:
        """Features of a picture, looked at unless they are kept; float32 (1, dim)."""
        pixels = hashlib.blake2b(np.ascontiguousarray(picture).tobytes()).digest()
        key = mirrored, picture.shape, pixels
        with self._lock:
            known = self._kept.get(key)
        if known is None:
            known = self._look([picture], mirrored, False)
            with self._lock:
                self._kept[key] = known
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return known.clone()

    def _look(self, pictures: Sequence[np.ndarray], mirrored: bool, bf16: bool) -> Tensor:
        """Features of pictures, float32 (n, dim)."""
        parts = []
        for start in range(0, len(pictures), _PART):
            part = np.stack([_squeezed(p, mirrored) for p in pictures[start : start + _PART]])
            pixels = torch.from_numpy(part).permute(0, 3, 1, 2).to(self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
                maps = self.backbone.maps(pixels).float()  # (n, 1280, 8, 8)
            parts.append(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1).cpu())
        found = torch.cat(parts) if parts else torch.zeros(0, 2 * self.backbone.feature_dim)
        return found if self.detector is None else torch.cat([found, seen_things(self.detector, pictures)], 1)

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """Weight, float (1000, 1280), and bias of the classifier that reads the means."""
        return self.backbone.head

    @torch.inference_mode()
    def class_scores(self, features: Tensor) -> Tensor:
        """Scores of the 1,000 classes before the softmax, float32 (n, 1000), from features of the call."""
        return self.backbone.scores(features[:, : self.backbone.feature_dim])


def seen_things(detector: ObjectDetector, pictures: Sequence[np.ndarray]) -> Tensor:
    """Features of what a detector sees, float32 (n, FEATURES)."""
    return torch.stack([detector.features(one) for one in pictures]) if pictures else torch.zeros(0, FEATURES)


def _squeezed(picture: np.ndarray, mirrored: bool) -> np.ndarray:
    """The whole picture as float32 (256, 256, 3) in 0..255."""
    image = Image.fromarray(picture).resize((LOOKED_AT, LOOKED_AT), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, dtype=np.float32)
    return np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels
