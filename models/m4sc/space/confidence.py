"""How probably a caption is right, from what the receiver sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

RIGHT_FROM = 0.5  # cosine to the nearest human caption from which a caption counts as right


def evidence(closeness: float, surroundings: float, agreement: float, quality: float) -> np.ndarray:
    """What the regression takes: float (5,), the last of them 1.

    Args:
        closeness: cosine of the answer to the received point.
        surroundings: mean cosine of the neighbours in the knowledge base.
        agreement: of the answer with the neighbours, 0 to 1.
        quality: share of the point that the channel let through, 0 to 1.
    """
    return np.array([closeness, surroundings, agreement, quality, 1.0])


def confidence(seen: np.ndarray, coefficients: Sequence[float]) -> float:
    """1 / (1 + exp(-seen . coefficients))."""
    return float(1.0 / (1.0 + np.exp(-np.clip(seen @ np.asarray(coefficients), -30, 30))))


def fit(seen: np.ndarray, right: np.ndarray, penalty: float = 1e-3, steps: int = 200) -> tuple[float, ...]:
    """Coefficients of the logistic regression; seen: float (n, 5), right: bool (n,)."""
    x = torch.from_numpy(seen).double()
    y = torch.from_numpy(right.astype(np.float64))
    w = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ w, y)
        loss = loss + penalty * w[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return tuple(float(value) for value in w.detach())


def calibration_error(confidences: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Guo et al., ICML 2017) over bins of equal width."""
    place = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = [
        abs(confidences[place == b].mean() - right[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))
