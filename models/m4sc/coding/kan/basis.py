"""B-splines: the basis by the recursion of Cox and de Boor, and a basis fitted by another one."""

from __future__ import annotations

import torch
from torch import Tensor

_RIDGE = 1e-10  # of the mean squared basis function: decides only where no point lies


def bspline_basis(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """Every B-spline of a degree at every point, all at once.

    B_i^0(x) = 1 where t_i <= x < t_{i+1}, else 0;
    B_i^d(x) = (x - t_i) / (t_{i+d} - t_i) B_i^{d-1}(x)
             + (t_{i+d+1} - x) / (t_{i+d+1} - t_{i+1}) B_{i+1}^{d-1}(x),
    where a quotient with equal knots counts as 0.

    Args:
        x: float (..., n), one value for each of n inputs.
        knots: float (n, b + degree + 1), of each input, not falling.
        degree: 3 for cubic.

    Returns:
        float (..., n, b); sums to 1 over b for x from knot `degree` to below knot b, 0 outside all knots.

    Raises:
        ValueError: too few knots for the degree.

    Source: de Boor, "A Practical Guide to Splines", chapter IX, equations (13) to (15).
    """
    if degree < 0 or knots.shape[-1] < degree + 2:
        raise ValueError(f"degree {degree} takes at least {degree + 2} knots; got {knots.shape[-1]}")
    x = x[..., None]  # (..., n, 1)
    basis = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)  # (..., n, b + degree)
    for d in range(1, degree + 1):
        span = knots[:, d:] - knots[:, :-d]
        slope = torch.where(span > 0, 1.0 / span, torch.zeros_like(span))
        rising = (x - knots[:, : -d - 1]) * slope[:, :-1]
        falling = (knots[:, d + 1 :] - x) * slope[:, 1:]
        basis = rising * basis[..., :-1] + falling * basis[..., 1:]
    return basis


def quantile_knots(x: Tensor, intervals: int, degree: int, uniform_share: float) -> Tensor:
    """Knots with about as many points in each interval, mixed with evenly spaced ones.

    Args:
        x: float (points, n), at least two.
        intervals: from the least to the greatest point of each input.
        degree: as many even intervals are added at either end.
        uniform_share: 1 for even spacing, 0 for quantiles alone, which may fall together.

    Returns:
        float (n, intervals + 2 degree + 1).

    Source: Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv 2404.19756, section 2.4 and appendix.
    """
    ordered = x.sort(dim=0).values
    places = torch.linspace(0, len(x) - 1, intervals + 1, device=x.device).round().long()
    by_data = ordered[places].T  # (n, intervals + 1)
    low, high = by_data[:, :1], by_data[:, -1:]
    high = torch.maximum(high, low + 1e-3)  # an input that never moves keeps a grid
    even = low + (high - low) * torch.linspace(0, 1, intervals + 1, device=x.device, dtype=x.dtype)
    inner = uniform_share * even + (1.0 - uniform_share) * by_data
    step = (high - low) / intervals
    steps = torch.arange(1, degree + 1, device=x.device, dtype=x.dtype)
    return torch.cat([inner[:, :1] - step * steps.flip(0), inner, inner[:, -1:] + step * steps], dim=1)


def refit(old_basis: Tensor, new_basis: Tensor) -> Tensor:
    """Least-squares change of basis: old_basis @ c is best met by new_basis @ (result @ c).

    The fit is linear in the coefficients, so that it is made once for each basis function of an input and not
    for each of its edges, of which there are hundreds of times as many.

    Args:
        old_basis, new_basis: float (points, n, old) and (points, n, new), at the same points.

    Returns:
        float64 (n, new, old).
    """
    a, b = (basis.double().transpose(0, 1) for basis in (new_basis, old_basis))  # (n, points, .)
    gram = a.mT @ a
    ridge = _RIDGE * gram.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1e-12)
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram + ridge[:, None, None] * eye, a.mT @ b)
