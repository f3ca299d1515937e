"""Tensors of a safetensors file that may be broken or cut off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from m4sc.shipped import is_shipped

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Net = TypeVar("Net", bound="nn.Module")

_LARGE = 200_000  # numbers of a matrix that is worth its rounding
SCALE = ".scale"  # behind a tensor's name: what its rows, kept as int8, are multiplied by


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name, as they are stored; those of int8 rows with a scale are multiplied out.

    Raises:
        ValueError: the file is no safetensors file, or not whole.
        FileNotFoundError: no such file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(str(path))
    except SafetensorError as exc:
        raise ValueError(f"{path} is broken or cut off ({exc}); copy it again") from exc
    scales = {name: found.pop(name) for name in list(found) if name.endswith(SCALE)}
    for name, scale in scales.items():
        rows = found.get(name.removesuffix(SCALE))
        if rows is None or rows.dim() != 2 or scale.shape != rows.shape[:1]:
            raise ValueError(f"{path} holds the scales of rows that are not there: {name}; copy it again")
        found[name.removesuffix(SCALE)] = (rows.float() * scale.float()[:, None]).half()
    return found


def as_int8_rows(values: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix, float (n, m), as int8 (n, m) and the scale of each row, float16 (n,)."""
    scale = (values.float().abs().amax(1) / 127).clamp_min(1e-7).half()
    return (values.float() / scale.float()[:, None]).round().clamp(-127, 127).char(), scale


def packed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A network's state as it is stored: large matrices as int8 rows, other floats as float16.

    :func:`load_tensors` reads it.
    """
    found: dict[str, Tensor] = {}
    for name, values in state.items():
        if values.is_floating_point() and values.dim() == 2 and values.numel() >= _LARGE:
            found[name], found[name + SCALE] = as_int8_rows(values)
        else:
            found[name] = (values.half() if values.is_floating_point() else values).contiguous()
    return found


def save_network(tensors: dict[str, Tensor], config: str, folder: Path) -> None:
    """Write ``model.safetensors`` and ``config.json``, which :func:`load_network` and a configuration read.

    Args:
        tensors: by name, as they are to be stored.
        config: JSON text.
        folder: made where it is not there.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / "model.safetensors.tmp"  # renamed when whole: a kill leaves no half of a file
    save_file(tensors, str(scratch))
    scratch.replace(folder / "model.safetensors")
    (folder / "config.json").write_text(config + "\n", encoding="utf-8")


def load_network(make: Callable[[], Net], folder: Path) -> Net:
    """A network with the weights of a folder's ``model.safetensors``, ready to be used.

    The shapes are compared before the network takes memory: a configuration may say anything, unless it came
    with the project (the comparison alone takes seconds).

    Args:
        make: a new network, all of whose state the file holds.
        folder: of the weights.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not whole, or the weights do not fit their configuration.
    """
    stored = load_tensors(folder / "model.safetensors")
    state = {key: value.float() if value.is_floating_point() else value for key, value in stored.items()}
    fault = f"the weights in {folder.name} do not fit their configuration"
    try:
        if not is_shipped(folder) and _shapes(make) != {key: value.shape for key, value in state.items()}:
            raise ValueError(fault)
        network = make()
        network.load_state_dict(state)
    except (RuntimeError, OverflowError, TypeError) as exc:  # of sizes that no tensor has, too
        raise ValueError(fault) from exc
    return network.eval()


def _shapes(make: Callable[[], Net]) -> dict[str, torch.Size]:
    """Of the state of a network, by name, without the memory for it."""
    import torch

    with torch.device("meta"):
        return {key: value.shape for key, value in make().state_dict().items()}


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
