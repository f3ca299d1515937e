"""Picture to a grid of features by a frozen EfficientNet-Lite."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from m4sc.pretrained import resolve

SMALL_SIDE = 64


class ImageEncoder:
    """EfficientNet-Lite features pooled to ``grid`` x ``grid`` tokens.

    A picture is squeezed to a square of ``size`` pixels, a small one (longest side up to `SMALL_SIDE`) of
    ``small_size``: enlarging further what has no detail takes the features away from what the encoder
    was trained on, while the parts of a larger picture are told apart better when it is enlarged.
    """

    feature_dim = 1280

    def __init__(
        self, name: str = "efficientnet-lite2", size: int = 320, small_size: int = 256, grid: int = 4
    ) -> None:
        from efficientnet_lite_pytorch import EfficientNet
        from safetensors.torch import load_file

        folder = resolve(name, "vision")
        self.net = EfficientNet.from_name(name)
        self.net.load_state_dict(load_file(str(folder / "model.safetensors")))
        self.net.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.size, self.small_size, self.grid = size, small_size, grid

    @torch.inference_mode()
    def __call__(self, pictures: list[np.ndarray]) -> Tensor:
        """Pictures, uint8 (H, W, 3) of any size, to features, float32 (n, grid**2, 1280), row by row."""
        sizes = [self.small_size if max(p.shape[:2]) <= SMALL_SIDE else self.size for p in pictures]
        features = torch.empty(len(pictures), self.grid**2, self.feature_dim)
        for size in sorted(set(sizes)):
            chosen = [n for n, own in enumerate(sizes) if own == size]
            features[chosen] = self._encode([pictures[n] for n in chosen], size)
        return features

    def _encode(self, pictures: list[np.ndarray], size: int) -> Tensor:
        batch = np.stack([_resize(picture, size) for picture in pictures])  # (n, size, size, 3)
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        maps = self.net.extract_features(
            (pixels - 127.0) / 128.0
        )  # (n, 1280, h, w); scaling of the "lite" family
        pooled = torch.nn.functional.adaptive_avg_pool2d(maps, self.grid)
        return pooled.flatten(2).transpose(1, 2).float()


def _resize(picture: np.ndarray, size: int) -> np.ndarray:
    """The whole picture, squeezed to a square: float32 (size, size, 3) in 0..255."""
    image = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)
