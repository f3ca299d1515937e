"""Which of two kinds a point is of."""

from __future__ import annotations

import torch
from torch import Tensor


def discriminant(first: Tensor, other: Tensor, penalty: float = 1e-4) -> tuple[Tensor, Tensor]:
    """Fisher's linear discriminant: weight, float (dim,), and bias of the log odds of the other kind.

    Args:
        first, other: points of both kinds, float (n, dim) and (m, dim), taken to be equally probable.
        penalty: added to the covariance's diagonal, so that its smallest directions do not decide.
    """
    spread = (torch.cov(first.T) + torch.cov(other.T)) / 2
    weight = torch.linalg.solve(spread + penalty * torch.eye(first.shape[1]), other.mean(0) - first.mean(0))
    middle = (first.mean(0) + other.mean(0)) / 2
    return weight, -(weight @ middle)
