"""Feature maps of any vision model that transformers loads: CLIP, SigLIP, ViT and others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from m4sc.pretrained import resolve
from m4sc.quiet import quiet_loading

_LAST_BUT_ONE = ("clip", "clip_vision_model")
_BICUBIC = 3


@dataclass(frozen=True)
class Preprocessing:
    """What a checkpoint's image processor does to pixels.

    Attributes:
        size: side of the square picture; None where the configuration does not say.
        mean, std: of each channel, for pixels of 0..255 times `factor`.
        factor: usually 1/255.
        resample: Pillow's number of the interpolation.
    """

    size: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    factor: float
    resample: int


def read_preprocessing(folder: Path) -> Preprocessing:
    """From the image processor's configuration beside the weights.

    Raises:
        ValueError: there is none, or it has no normalisation.
    """
    config = _processor_config(folder)
    if "image_mean" not in config or "image_std" not in config:
        raise ValueError(
            f"{folder.name} has no preprocessor_config.json with image_mean and image_std; save its image "
            "processor into the folder"
        )
    size = config.get("crop_size") or config.get("size")
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    return Preprocessing(
        size=None if size is None else int(size),
        mean=tuple(config["image_mean"]),
        std=tuple(config["image_std"]),
        factor=float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0,
        resample=int(config.get("resample", _BICUBIC)),
    )


def _processor_config(folder: Path) -> dict[str, Any]:
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            config = json.loads((folder / name).read_text(encoding="utf-8"))
            return dict(config.get("image_processor", config))
    return {}


def _vision_config(folder: Path) -> Any:
    """Of the picture's part of a model."""
    with quiet_loading():
        from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(folder))
    return getattr(config, "vision_config", config)


def vision_dim(name: str) -> int:
    """Width of the features of a checkpoint, read from its configuration.

    Raises:
        ValueError: it is no vision model.
    """
    config = _vision_config(resolve(name, "vision"))
    sizes = getattr(config, "hidden_sizes", None)
    if sizes:
        return int(sizes[-1])
    if not hasattr(config, "hidden_size"):
        raise ValueError(f"'{name}' does not say how wide its features are; it is no vision model")
    return int(config.hidden_size)


def vision_size(name: str) -> int:
    """Side in pixels of the square pictures that a checkpoint takes."""
    folder = resolve(name, "vision")
    size = getattr(_vision_config(folder), "image_size", None) or read_preprocessing(folder).size
    if size is None:
        raise ValueError(f"the configuration of '{name}' names no size of pictures")
    return int(size)


class VisionTower:
    """A frozen vision model; of a model of pictures and words, the part that sees.

    The features are the last layer's; of CLIP, whose last layer was trained for its class token alone,
    the one before, as LLaVA takes them (Liu et al., "Visual Instruction Tuning", 2023).
    """

    def __init__(self, name: str, device: torch.device) -> None:
        folder = resolve(name, "vision")
        self.prepare = read_preprocessing(folder)
        self.resample = self.prepare.resample
        self.feature_dim = vision_dim(name)
        with quiet_loading():
            from transformers import AutoModel

            model = AutoModel.from_pretrained(str(folder), dtype=torch.float32)
        self.early = model.config.model_type in _LAST_BUT_ONE
        self.net = getattr(model, "vision_model", model).eval().requires_grad_(False).to(device)

    def maps(self, pixels: Tensor) -> Tensor:
        """Pixels, float (n, 3, size, size) in 0..255, to features, float (n, dim, h, w)."""
        mean, std = (pixels.new_tensor(v)[:, None, None] for v in (self.prepare.mean, self.prepare.std))
        out = self.net(
            pixel_values=(pixels * self.prepare.factor - mean) / std, output_hidden_states=self.early
        )
        states: Tensor = out.hidden_states[-2] if self.early else out.last_hidden_state
        if states.dim() == 4:  # convolutional: a map already
            return states
        side = isqrt(states.shape[1])  # class and register tokens stand before the patches
        patches = states[:, states.shape[1] - side * side :]
        return patches.transpose(1, 2).unflatten(2, (side, side))
