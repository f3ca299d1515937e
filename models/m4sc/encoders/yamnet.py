"""YAMNet: what makes a sound, by 521 classes of AudioSet (Plakal and Ellis, 2020, tensorflow/models).

A MobileNet (Howard et al., 2017) over log-mel patches of 0.96 s: 64 bands from 125 to 7500 Hz, frames of
25 ms every 10 ms, natural logarithm of magnitude plus 0.001.
"""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from m4sc.message import SAMPLE_RATE_HZ
from m4sc.pretrained import resolve

_FRAME, _HOP, _FFT = 400, 160, 512  # samples
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 64, 125.0, 7500.0
_OFFSET = 1e-3
PATCH_FRAMES, PATCH_HOP_FRAMES = 96, 48
PATCH_SAMPLES = _HOP * (PATCH_FRAMES - 1) + _FRAME
PATCH_HOP_SAMPLES = _HOP * PATCH_HOP_FRAMES
FEATURES, CLASSES = 1024, 521
# Width and stride of each pair of convolutions, depth-wise and point-wise, behind the first.
_PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def _mel(hz: np.ndarray | float) -> np.ndarray:
    """Mel scale of HTK."""
    return np.asarray(1127.0 * np.log1p(np.asarray(hz) / 700.0))


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """Triangles on the mel scale, float32 (257, 64); the bin of 0 Hz belongs to none."""
    bins = _mel(np.linspace(0, SAMPLE_RATE_HZ / 2, _FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), _BANDS + 2)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    found = np.maximum(0.0, np.minimum(rising, falling))
    found[0] = 0.0
    return found.astype(np.float32)


def padded(samples: np.ndarray) -> np.ndarray:
    """Zeros behind a sound, float32 (n,), so that whole patches hold all of it."""
    steps = max(int(np.ceil((len(samples) - PATCH_SAMPLES) / PATCH_HOP_SAMPLES)), 0)
    whole = np.zeros(PATCH_SAMPLES + steps * PATCH_HOP_SAMPLES, np.float32)
    whole[: len(samples)] = samples
    return whole


def log_mel(samples: np.ndarray) -> np.ndarray:
    """samples: float (n,) at 16 kHz, n >= 400. Returns float32 (frames, 64)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), _FRAME)[::_HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)  # Hann, periodic
    magnitude = np.abs(np.fft.rfft(frames * window.astype(np.float32), _FFT)).astype(np.float32)
    return np.log(magnitude @ _filters() + _OFFSET)


def patches(samples: np.ndarray) -> np.ndarray:
    """samples: float (n,) at 16 kHz. Returns float32 (patches, 1, 96, 64), a patch every 0.48 s."""
    mel = log_mel(padded(samples))
    starts = range(0, len(mel) - PATCH_FRAMES + 1, PATCH_HOP_FRAMES)
    return np.stack([mel[start : start + PATCH_FRAMES] for start in starts])[:, None]


class _Convolution(nn.Conv2d):
    """A convolution, its batch normalisation inside it, and a ReLU.

    A stride of 2 pads behind only, as TensorFlow's "SAME" does for an even size.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.kernel_size[0] == 3:
            x = nn.functional.pad(x, (1, 1, 1, 1) if self.stride[0] == 1 else (0, 1, 0, 1))
        return torch.relu(super().forward(x))


class YamNet(nn.Module):
    """Patches to features and to the logits of the classes."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_Convolution(1, 32, 3, 2)]
        width = 32
        for wider, stride in _PAIRS:
            layers.append(_Convolution(width, width, 3, stride, groups=width))
            layers.append(_Convolution(width, wider, 1))
            width = wider
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: float (n, 1, 96, 64), as of :func:`patches`. Returns float (n, 1024) and float (n, 521)."""
        features = self.layers(x).mean((2, 3))
        return features, self.classifier(features)


def load_yamnet(name: str = "yamnet") -> tuple[YamNet, tuple[str, ...]]:
    """The frozen network and the names of its classes.

    Raises:
        BackboneError: (a ValueError) its package is not installed or damaged, or no such backbone.
    """
    folder = resolve(name, "sound")
    network = YamNet()
    network.load_state_dict(load_file(str(folder / "model.safetensors")))
    classes = json.loads((folder / "config.json").read_text(encoding="utf-8"))["classes"]
    return network.eval().requires_grad_(False), tuple(classes)
