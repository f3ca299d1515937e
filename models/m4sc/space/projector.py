"""From a frozen encoder's features to the shared space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from m4sc.space.sentence_encoder import SPACE_DIM

PROJECTORS = ("kan", "linear", "mlp")
_REACH = 2.5  # the splines' centres lie on -2.5..2.5 standard deviations


@dataclass(frozen=True)
class ProjectorConfig:
    """Shape of a projector.

    Attributes:
        in_dim: width of the features.
        out_dim: width of the space.
        kind: "kan": a linear map with a learned spline on every coordinate pair behind it; "linear": the map
            alone; "mlp": one hidden layer of `hidden` units.
        grid: basis functions of a spline.
        hidden: units of "mlp".
        dropout: of the features, in training.
    """

    in_dim: int
    out_dim: int = SPACE_DIM
    kind: str = "kan"
    grid: int = 6
    hidden: int = 1024
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.kind not in PROJECTORS:
            raise ValueError(f"projector '{self.kind}' is unknown; use one of {', '.join(PROJECTORS)}")
        if min(self.in_dim, self.out_dim, self.hidden) < 1 or self.grid < 2:
            raise ValueError("a projector needs widths of at least 1 and splines of at least 2 functions")


class ResidualKan(nn.Module):
    """y = x + W phi(x): the identity, until its splines learn something.

    phi are `grid` Gaussians on fixed centres, which stand in for B-splines (Li, "Kolmogorov-Arnold Networks
    are Radial Basis Function Networks", 2024). Inputs are in standard deviations.
    """

    centres: Tensor

    def __init__(self, dim: int, grid: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(-_REACH, _REACH, grid), persistent=False)
        self.width = 2 * _REACH / (grid - 1)
        self.spline = nn.Linear(dim * grid, dim, bias=False)
        nn.init.zeros_(self.spline.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x: float (..., dim). Returns float (..., dim)."""
        basis = torch.exp(-(((x[..., None] - self.centres) / self.width) ** 2))  # (..., dim, grid)
        return x + self.spline(basis.flatten(-2))


class Standardised(nn.Module):
    """A network whose inputs are features in standard deviations about their mean."""

    mean: Tensor
    std: Tensor

    def __init__(self, in_dim: int) -> None:
        """in_dim: of the features."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(in_dim))
        self.register_buffer("std", torch.ones(in_dim))

    @torch.no_grad()
    def fit_scale(self, features: Tensor) -> None:
        """Take mean and standard deviation of features, float (n, in_dim), so that inputs are z-scores."""
        self.mean.copy_(features.mean(0))
        self.std.copy_(features.std(0).clamp_min(1e-3))

    def z_scores(self, features: Tensor) -> Tensor:
        """features: float (..., in_dim). Returns float (..., in_dim)."""
        return (features - self.mean) / self.std


class Projector(Standardised):
    """Features to unit vectors of the space."""

    def __init__(self, config: ProjectorConfig) -> None:
        super().__init__(config.in_dim)
        self.config = config
        self.dropout = nn.Dropout(config.dropout)
        if config.kind == "mlp":
            self.first = nn.Linear(config.in_dim, config.hidden)
            self.last = nn.Linear(config.hidden, config.out_dim)
            return
        self.linear = nn.Linear(config.in_dim, config.out_dim)
        if config.kind == "kan":
            self.spline = ResidualKan(config.out_dim, config.grid)

    @torch.no_grad()
    def start_linear(self, features: Tensor, targets: Tensor, ridge: float = 0.3) -> None:
        """Start from ridge regression of targets, float (n, out_dim), on features, float (n, in_dim).

        ridge: weight of the penalty beside the mean square of a z-scored feature.

        Raises:
            ValueError: an MLP has no linear start.
        """
        if self.config.kind == "mlp":
            raise ValueError("an mlp projector has no linear start; use kan or linear")
        x = self.z_scores(features)
        centre = targets.mean(0)
        gram = x.T @ x / len(x) + ridge * torch.eye(x.shape[1])
        solved = torch.linalg.solve(gram, x.T @ (targets - centre) / len(x))  # (in_dim, out_dim)
        gain = 1.0 / (x @ solved).std(0).mean().clamp_min(1e-6)  # splines take standard deviations
        self.linear.weight.copy_(gain * solved.T)
        self.linear.bias.copy_(gain * centre)

    def forward(self, features: Tensor) -> Tensor:
        """features: float (..., in_dim). Returns unit vectors, float (..., out_dim)."""
        x = self.dropout(self.z_scores(features))
        if self.config.kind == "mlp":
            y = self.last(self.dropout(nn.functional.gelu(self.first(x))))
        else:
            y = self.linear(x)
            y = self.spline(y) if self.config.kind == "kan" else y
        return nn.functional.normalize(y, dim=-1)


class ProjectorEnsemble(nn.Module):
    """Several projectors, whose mean point is taken."""

    def __init__(self, config: ProjectorConfig, members: int) -> None:
        super().__init__()
        self.members = nn.ModuleList([Projector(config) for _ in range(members)])

    def forward(self, features: Tensor) -> Tensor:
        """features: float (..., in_dim). Returns unit vectors, float (..., out_dim)."""
        return nn.functional.normalize(torch.stack([one(features) for one in self.members]).sum(0), dim=-1)
