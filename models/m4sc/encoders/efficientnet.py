"""Feature maps of a frozen EfficientNet-Lite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

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
        self.net.eval().requires_grad_(False)
        _fuse(self.net)
        self.net.to(device, memory_format=torch.channels_last)

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


_STAGES = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


def _fuse(net: Any) -> None:
    """Normalisations go into the convolutions before them, and even padding too: a fifth of the time."""
    _fuse_pair(net, "_conv_stem", "_bn0")
    _fuse_pair(net, "_conv_head", "_bn1")
    for block in net._blocks:
        for convolution, norm in _STAGES:
            if hasattr(block, convolution):
                _fuse_pair(block, convolution, norm)


def _fuse_pair(owner: nn.Module, convolution: str, norm: str) -> None:
    conv: Any = getattr(owner, convolution)
    bn: Any = getattr(owner, norm)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    setattr(owner, norm, nn.Identity())
    left, right, top, bottom = getattr(conv.static_padding, "padding", (0, 0, 0, 0))
    if (left, top) == (right, bottom):
        conv.padding, conv.static_padding = (top, left), nn.Identity()
