"""Feature maps of a frozen EfficientNet-Lite."""

from __future__ import annotations

import torch
from torch import Tensor

from m4sc.pretrained import resolve


class EfficientNetLite:
    """The built-in vision backbone."""

    feature_dim = 1280
    resample = 3  # Pillow's number of bicubic

    def __init__(self, name: str, device: torch.device) -> None:
        from efficientnet_lite_pytorch import EfficientNet
        from safetensors.torch import load_file

        self.net = EfficientNet.from_name(name)
        self.net.load_state_dict(load_file(str(resolve(name, "vision") / "model.safetensors")))
        self.net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)

    def maps(self, pixels: Tensor) -> Tensor:
        """Pixels, float (n, 3, size, size) in 0..255, to features, float (n, 1280, h, w)."""
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return self.net.extract_features((pixels - 127.0) / 128.0)  # scaling of the "lite" family

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """Weight, float (1000, 1280), and bias of the classifier that reads mean features."""
        return self.net._fc.weight.detach().cpu(), self.net._fc.bias.detach().cpu()

    def scores(self, means: Tensor) -> Tensor:
        """Mean features, float (n, 1280), to the head's scores of the 1,000 ImageNet classes."""
        return torch.nn.functional.linear(means.cpu(), *self.head)
