"""Weights to start from: whatever of a file fits a network."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from m4sc.tensor_file import load_tensors


def take_fitting(network: nn.Module, own: dict[str, Tensor], folder: Path) -> int:
    """Load what has a name and shape of `own` from ``model.safetensors`` in `folder`; the number of tensors.

    Args:
        network: is changed in place.
        own: its tensors that may be taken over, by their names in its state.
        folder: of the other weights.

    Raises:
        ValueError: none fits.
    """
    found = load_tensors(folder / "model.safetensors")
    fitting = {key: v.float() for key, v in found.items() if key in own and v.shape == own[key].shape}
    if not fitting:
        raise ValueError(f"no tensor in {folder.name} fits this configuration; start without it")
    network.load_state_dict(fitting, strict=False)
    return len(fitting)
