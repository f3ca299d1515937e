"""A perceptron of a KAN layer's size, for the ablation."""

from __future__ import annotations

from torch import Tensor, nn


def hidden_width(in_dim: int, out_dim: int, grid: int) -> int:
    """Width at which an MLP has as many parameters as a KAN layer of `grid` functions an input, at least 1.

    in h + h + h out + out = in out (grid + 1) + out, to the nearest h: off by half of in + out + 1 at most.
    """
    return max(1, round(in_dim * out_dim * (grid + 1) / (in_dim + out_dim + 1)))


class MlpLayer(nn.Module):
    """y = W silu(V norm(x) + a) + b."""

    def __init__(self, in_dim: int, out_dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim)
        self.first = nn.Linear(in_dim, hidden)
        self.last = nn.Linear(hidden, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """x: float (..., in_dim). Returns float (..., out_dim)."""
        return self.last(nn.functional.silu(self.first(self.norm(x))))
