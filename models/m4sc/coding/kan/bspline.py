"""Kolmogorov-Arnold layer with B-splines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m4sc.coding.kan.basis import bspline_basis, quantile_knots, refit


class BSplineKanLayer(nn.Module):
    """y_j = sum_i (v_ji silu(x_i) + sum_b w_jib B_ib(x_i)) + bias_j: a learned function on every edge.

    The splines of all edges of an input share its basis, so that the layer is one evaluation of the basis
    and one matrix product, instead of a curve an edge. Outside the grid only the SiLU branch is left.

    Source: Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv 2404.19756; the reformulation as one product
    is that of efficient-kan (Blealtan, 2024).
    """

    knots: Tensor

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        intervals: int = 5,
        degree: int = 3,
        limits: tuple[float, float] = (-2.0, 2.0),
        norm: bool = True,
    ) -> None:
        """intervals: of the grid over `limits`; an input has intervals + degree basis functions. norm: layer
        norm on the inputs, which keeps them on the grid.

        Raises:
            ValueError: no interval, a negative degree, or empty limits.
        """
        super().__init__()
        if intervals < 1 or degree < 0 or not limits[0] < limits[1]:
            raise ValueError(
                f"{intervals} intervals of degree {degree} over {limits} make no spline; "
                "give at least one interval, a degree from 0 and rising limits"
            )
        self.intervals, self.degree = intervals, degree
        self.norm = nn.LayerNorm(in_dim) if norm else nn.Identity()
        step = (limits[1] - limits[0]) / intervals
        places = torch.arange(-degree, intervals + degree + 1, dtype=torch.float32)
        self.register_buffer("knots", (limits[0] + step * places).repeat(in_dim, 1))
        self.spline = nn.Linear(in_dim * self.n_basis, out_dim, bias=False)
        self.base = nn.Linear(in_dim, out_dim)
        nn.init.normal_(self.spline.weight, std=0.5 / (in_dim * self.n_basis) ** 0.5)

    @property
    def n_basis(self) -> int:
        """Basis functions of an input."""
        return self.intervals + self.degree

    def forward(self, x: Tensor) -> Tensor:
        """x: float (..., in_dim). Returns float (..., out_dim)."""
        x = self.norm(x)
        basis = bspline_basis(x, self.knots, self.degree)  # (..., in_dim, n_basis)
        return self.spline(basis.flatten(-2)) + self.base(nn.functional.silu(x))

    @torch.no_grad()
    def update_grid(self, x: Tensor, uniform_share: float = 0.02) -> None:
        """Move the knots to where the inputs are and refit the coefficients, so that the function stays.

        On the given inputs the new splines are the least-squares fit of the old ones: exact where the new
        grid can hold them, such as polynomials of the layer's degree. Parameters keep their shapes.

        Args:
            x: float (..., in_dim), before the norm; more of them than basis functions.
            uniform_share: of even spacing in the new knots; the rest are quantiles.

        Raises:
            ValueError: too few inputs, a share outside 0 to 1, or inputs that are not finite.
        """
        points = self.norm(x).flatten(0, -2)
        if len(points) <= self.n_basis:
            raise ValueError(
                f"{len(points)} inputs do not fix {self.n_basis} coefficients; give more than {self.n_basis}"
            )
        if not (0.0 <= uniform_share <= 1.0 and bool(torch.isfinite(points).all())):
            raise ValueError("a grid update takes finite inputs and a uniform_share from 0 to 1")
        knots = quantile_knots(points, self.intervals, self.degree, uniform_share)
        change = refit(
            bspline_basis(points, self.knots, self.degree), bspline_basis(points, knots, self.degree)
        )
        weight = self.spline.weight.unflatten(1, (-1, self.n_basis)).double()  # (out, in, basis)
        self.spline.weight.copy_(torch.einsum("iba,jia->jib", change, weight).flatten(1))
        self.knots.copy_(knots)
