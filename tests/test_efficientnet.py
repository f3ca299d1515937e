"""The frozen picture backbone: faster, and the same."""

from __future__ import annotations

import torch
from efficientnet_lite_pytorch import EfficientNet
from m4sc.encoders.efficientnet import EfficientNetLite
from m4sc.pretrained import resolve
from safetensors.torch import load_file

NAME = "efficientnet-lite2"


def test_fused_convolutions_give_what_the_packaged_network_gives() -> None:
    plain = EfficientNet.from_name(NAME)
    plain.load_state_dict(load_file(str(resolve(NAME, "vision") / "model.safetensors")))
    plain.eval()
    pixels = torch.rand(2, 3, 260, 228, generator=torch.Generator().manual_seed(1)) * 255
    with torch.inference_mode():
        expected = plain.extract_features((pixels - 127.0) / 128.0)
        backbone = EfficientNetLite(NAME, torch.device("cpu"))
        found = backbone.maps(pixels)
    assert float((found - expected).abs().max()) < 1e-3 * float(expected.abs().max())
    norms = [m for m in backbone.net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms == []
