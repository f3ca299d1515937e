"""Kolmogorov-Arnold layers with radial basis functions."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RbfKanLayer(nn.Module):
    """y = W phi(norm(x)) + V silu(norm(x)): a learned function on every edge.

    Each edge's function is a sum of ``grid`` Gaussians on fixed centres over -2..2, which stand in for the
    B-splines of Liu et al., "KAN: Kolmogorov-Arnold Networks" (2024), as Li, "Kolmogorov-Arnold Networks
    are Radial Basis Function Networks" (2024) shows. The layer norm keeps inputs on the grid.
    """

    centres: Tensor

    def __init__(self, in_dim: int, out_dim: int, grid: int = 5) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim)
        self.register_buffer("centres", torch.linspace(-2.0, 2.0, grid), persistent=False)
        self.width = 4.0 / max(grid - 1, 1)
        self.spline = nn.Linear(in_dim * grid, out_dim, bias=False)
        self.base = nn.Linear(in_dim, out_dim)
        nn.init.normal_(self.spline.weight, std=0.5 / (in_dim * grid) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """x: float (..., in_dim). Returns float (..., out_dim)."""
        x = self.norm(x)
        basis = torch.exp(-(((x[..., None] - self.centres) / self.width) ** 2))  # (..., in_dim, grid)
        return self.spline(basis.flatten(-2)) + self.base(nn.functional.silu(x))
