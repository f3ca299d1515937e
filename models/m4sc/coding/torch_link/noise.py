"""Gaussian and uniform draws that are made where the generator is and used where the symbols are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def draw_normal(shape: Sequence[int], generator: torch.Generator | None, device: torch.device) -> Tensor:
    """Standard normal, float32, on `device`; drawn on the generator's own device, which may be the host."""
    source = device if generator is None else generator.device
    return torch.randn(tuple(shape), generator=generator, device=source).to(device, non_blocking=True)


def draw_uniform(shape: Sequence[int], generator: torch.Generator | None, device: torch.device) -> Tensor:
    """Uniform on [0, 1), float32, on `device`, as :func:`draw_normal`."""
    source = device if generator is None else generator.device
    return torch.rand(tuple(shape), generator=generator, device=source).to(device, non_blocking=True)
