"""Picture to a grid of features by a frozen vision backbone."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from m4sc.encoders.efficientnet import EfficientNetLite
from m4sc.encoders.vision_tower import VisionTower
from m4sc.pretrained.registry import find_backbone

SMALL_SIDE = 64


class ImageEncoder:
    """Features of a backbone pooled to ``grid`` x ``grid`` tokens.

    A picture is squeezed to a square of ``size`` pixels, a small one (longest side up to `SMALL_SIDE`) of
    ``small_size``: enlarging further what has no detail takes the features away from what the encoder
    was trained on, while the parts of a larger picture are told apart better when it is enlarged.

    Attributes:
        feature_dim: width of the features.
        device: where the backbone is.
    """

    def __init__(
        self,
        name: str = "efficientnet-lite2",
        size: int = 320,
        small_size: int = 256,
        grid: int = 4,
        device: torch.device | None = None,
    ) -> None:
        """name: built-in name, folder or Hugging Face id (see :func:`m4sc.pretrained.resolve`)."""
        self.device = device or torch.device("cpu")
        self.backbone: EfficientNetLite | VisionTower
        if find_backbone(name) is not None:
            self.backbone = EfficientNetLite(name, self.device)
        else:
            self.backbone = VisionTower(name, self.device)
        self.feature_dim = self.backbone.feature_dim
        self.size, self.small_size, self.grid = size, small_size, grid

    @torch.inference_mode()
    def __call__(self, pictures: list[np.ndarray]) -> Tensor:
        """Pictures, uint8 (H, W, 3) of any size, to features, float32 (n, grid**2, dim), row by row."""
        sizes = [self.small_size if max(p.shape[:2]) <= SMALL_SIDE else self.size for p in pictures]
        features = torch.empty(len(pictures), self.grid**2, self.feature_dim)
        for size in sorted(set(sizes)):
            chosen = [n for n, own in enumerate(sizes) if own == size]
            features[chosen] = self._encode([pictures[n] for n in chosen], size).cpu()
        return features

    def _encode(self, pictures: list[np.ndarray], size: int) -> Tensor:
        resample = Image.Resampling(self.backbone.resample)
        batch = np.stack([_resize(picture, size, resample) for picture in pictures])  # (n, size, size, 3)
        maps = self.backbone.maps(
            torch.from_numpy(batch).permute(0, 3, 1, 2).to(self.device)
        )  # (n, dim, h, w)
        pooled = torch.nn.functional.adaptive_avg_pool2d(maps, self.grid)
        return pooled.flatten(2).transpose(1, 2).float()


def _resize(picture: np.ndarray, size: int, resample: Image.Resampling) -> np.ndarray:
    """The whole picture, squeezed to a square: float32 (size, size, 3) in 0..255."""
    image = Image.fromarray(picture).resize((size, size), resample)
    return np.asarray(image, dtype=np.float32)
