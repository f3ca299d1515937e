"""How probably a caption is right, from what the receiver sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

EVIDENCE = 6  # numbers that the regression takes
RIGHT_FROM = 0.5  # cosine to the nearest human caption from which a caption counts as right


def evidence(
    closeness: float, surroundings: float, agreement: float, accord: float, quality: float
) -> np.ndarray:
    """What the regression takes: float (6,), the last of them 1.

    Args:
        closeness: cosine of the answer to the received point.
        surroundings: mean cosine of the neighbours in the knowledge base.
        agreement: of the answer with the neighbours, 0 to 1.
        accord: of the speaker's sentence with its others, 0 to 1.
        quality: share of the point that the channel let through, 0 to 1.
    """
    return np.array([closeness, surroundings, agreement, accord, quality, 1.0])


def confidence(seen: np.ndarray, coefficients: Sequence[float]) -> float:
    """1 / (1 + exp(-seen . coefficients))."""
    return float(1.0 / (1.0 + np.exp(-np.clip(seen @ np.asarray(coefficients), -30, 30))))


def fit(seen: np.ndarray, right: np.ndarray, penalty: float = 1e-3, steps: int = 200) -> tuple[float, ...]:
    """Coefficients of the logistic regression.

    Args:
        seen: float (n, k), the last column 1.
        right: bool (n,).
        penalty: on the squares of the coefficients of inputs in standard deviations, so that it means the
            same for a cosine, which varies little, and for log odds, which vary much.
        steps: at most.
    """
    mean, std = seen[:, :-1].mean(0), np.maximum(seen[:, :-1].std(0), 1e-6)
    x = torch.from_numpy(np.concatenate([(seen[:, :-1] - mean) / std, seen[:, -1:]], 1)).double()
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
    found = w.detach().numpy()
    slopes = found[:-1] / std
    return (*slopes.tolist(), float(found[-1] - slopes @ mean))


def calibration_error(confidences: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error (Guo et al., ICML 2017) over bins of equal width."""
    place = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = [
        abs(confidences[place == b].mean() - right[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))
