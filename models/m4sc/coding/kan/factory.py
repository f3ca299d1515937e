"""One option for every kind of layer, all of the same number of parameters."""

from __future__ import annotations

from torch import nn

from m4sc.coding.kan.bspline import BSplineKanLayer
from m4sc.coding.kan.mlp import MlpLayer, hidden_width
from m4sc.coding.kan.radial import RbfKanLayer
from m4sc.config import LAYER_KINDS

_CUBIC = 3


def make_layer(kind: str, in_dim: int, out_dim: int, grid: int) -> nn.Module:
    """A layer float (..., in_dim) to float (..., out_dim).

    Args:
        kind: "rbf", "bspline" (cubic, or of lower degree where the grid is too small for one) or "mlp".
        in_dim, out_dim: widths.
        grid: basis functions an input; "mlp" gets the hidden width at which it has as many parameters.

    Raises:
        ValueError: unknown kind, or no basis function.
    """
    if grid < 1:
        raise ValueError(f"grid is {grid}; an input has at least 1 basis function")
    if kind == "rbf":
        return RbfKanLayer(in_dim, out_dim, grid)
    if kind == "bspline":
        degree = min(_CUBIC, grid - 1)
        return BSplineKanLayer(in_dim, out_dim, grid - degree, degree)
    if kind == "mlp":
        return MlpLayer(in_dim, out_dim, hidden_width(in_dim, out_dim, grid))
    raise ValueError(f"layer kind '{kind}' is unknown; use one of {', '.join(LAYER_KINDS)}")
