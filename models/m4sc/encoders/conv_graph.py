"""A frozen convolutional network, as a list of steps in a JSON file beside its tensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from m4sc.json_fields import from_object
from m4sc.tensor_file import load_tensors

GRAPH = "config.json"


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        kind: one of :data:`KINDS`.
        out: name of what it gives.
        takes: names of earlier steps' values, of the input or of stored tensors.
        stride: of a convolution.
        groups: of a convolution.
        padded: a convolution keeps its size (divided by the stride): zeros are put around, one more behind
            than before where they do not come out even.
        positive: negative values become 0.
    """

    kind: str
    out: str
    takes: tuple[str, ...]
    stride: int = 1
    groups: int = 1
    padded: bool = False
    positive: bool = False


def _doubled(x: Tensor) -> Tensor:
    """Twice as high and wide: values in place, means between them; the last row and column stand twice."""
    for axis in (2, 3):
        behind = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, x.shape[axis] - 1, 1)], axis)
        x = torch.stack([x, (x + behind) / 2], axis + 1).flatten(axis, axis + 1)
    return x


def _convolved(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    around = (0, 0)
    if step.padded:
        widths: list[int] = []
        for axis in (3, 2):
            size, kernel = x.shape[axis], weight.shape[axis]
            missing = max((-(-size // step.stride) - 1) * step.stride + kernel - size, 0)
            widths += [missing // 2, missing - missing // 2]
        if widths[0] == widths[1] and widths[2] == widths[3]:
            around = (widths[2], widths[0])
        else:
            x = functional.pad(x, widths)
    return functional.conv2d(x, weight, bias, step.stride, around, groups=step.groups)


def _channels_last(x: Tensor) -> Tensor:
    """The order in memory in which convolutions of few channels are fastest."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


_SIMPLE: Mapping[str, Callable[..., Tensor]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "clip6": lambda a: a.clamp(0, 6),
    "positive": lambda a: a.clamp_min(0),
    "logistic": torch.sigmoid,
    "mean": lambda a: a.mean((2, 3), keepdim=True),
    "join": lambda *parts: torch.cat(parts, 1),
    "double": _doubled,
}
KINDS = ("convolve", *_SIMPLE)


class ConvGraph:
    """Runs the steps of a folder's ``config.json`` with the tensors of its ``model.safetensors``."""

    def __init__(self, steps: Sequence[Step], tensors: Mapping[str, Tensor], source: str = "image") -> None:
        """source: name of the input.

        Raises:
            ValueError: a step of unknown kind, or one that takes what nothing gives.
        """
        known = {source, *tensors}
        for step in steps:
            if step.kind not in KINDS or not known.issuperset(step.takes):
                raise ValueError(f"the network's step {step.out} cannot be run; copy its files again")
            known.add(step.out)
        self.steps, self.source = tuple(steps), source
        self.tensors = {name: _channels_last(value.float()) for name, value in tensors.items()}
        self._last_use = {name: n for n, step in enumerate(steps) for name in step.takes}

    @torch.inference_mode()
    def __call__(self, image: Tensor, wanted: Sequence[str]) -> list[Tensor]:
        """The values of the steps called `wanted` for an image, float (n, channels, height, width)."""
        values = {self.source: _channels_last(image)}
        for number, step in enumerate(self.steps):
            taken = [values[name] if name in values else self.tensors[name] for name in step.takes]
            found = _convolved(step, *taken) if step.kind == "convolve" else _SIMPLE[step.kind](*taken)
            values[step.out] = found.clamp_min_(0) if step.positive else found
            for name in step.takes:
                if self._last_use[name] == number and name not in wanted:
                    values.pop(name, None)
        return [values[name] for name in wanted]

    @classmethod
    def load(cls, folder: Path) -> ConvGraph:
        """Read a folder's network.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a file is broken.
        """
        try:
            told = json.loads((folder / GRAPH).read_text(encoding="utf-8"))
            steps = [
                from_object(Step, {**row, "takes": tuple(row["takes"])}, what="a step")
                for row in told["steps"]
            ]
            shapes = {name: tuple(shape) for name, shape in told["shapes"].items()}
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"{folder / GRAPH} is broken or cut off; copy it again") from exc
        tensors = load_tensors(folder / "model.safetensors")
        return cls(
            steps, {name: value.reshape(shapes.get(name, value.shape)) for name, value in tensors.items()}
        )
