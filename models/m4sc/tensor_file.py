"""Tensors of a safetensors file that may be broken or cut off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as they are stored.

    Raises:
        ValueError: the file is no safetensors file, or not whole.
        FileNotFoundError: no such file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(str(path))
    except SafetensorError as exc:
        raise ValueError(f"{path} is broken or cut off ({exc}); copy it again") from exc


def take_over(network: nn.Module, state: dict[str, Tensor], folder: Path) -> None:
    """Load tensors of a folder's weights into a network that may have others too.

    Raises:
        ValueError: a tensor has another shape than the network's.
    """
    try:
        network.load_state_dict(state, strict=False)
    except RuntimeError as exc:
        reason = " ".join(str(exc).split())[:200]
        raise ValueError(f"the weights in {folder.name} do not fit their configuration: {reason}") from exc
