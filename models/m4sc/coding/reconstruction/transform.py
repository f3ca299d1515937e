"""The best linear code of a Gaussian picture for a white Gaussian channel: where training starts."""

from __future__ import annotations

import numpy as np


def karhunen_loeve(pictures: np.ndarray, part: int = 2000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variances and basis of pictures and their mirror images.

    Args:
        pictures: uint8 (n, side, side, 3).
        part: pictures a time, for memory's sake.

    Returns:
        mean, float64 (d,); variances, float64 (d,), falling; orthonormal basis, float64 (d, d), a vector a
        column, with d = side * side * 3 pixels in the order (row, column, colour).
    """
    both = (pictures, pictures[:, :, ::-1])
    mean = np.mean([side.reshape(len(side), -1).mean(0, dtype=np.float64) for side in both], axis=0)
    covariance = np.zeros((mean.size, mean.size))
    for side in both:
        for start in range(0, len(side), part):
            x = side[start : start + part].reshape(-1, mean.size).astype(np.float32) - mean.astype(np.float32)
            covariance += x.T @ x
    variances, basis = np.linalg.eigh(covariance / (2 * len(pictures)))
    return mean, variances[::-1].copy(), basis[:, ::-1].copy()


def linear_powers(variances: np.ndarray, power: float, noise_var: float) -> np.ndarray:
    """Power of each coefficient that leaves the least squared error behind an LMMSE receiver.

    p_i = max(0, sqrt(v_i s / t) - s) with t such that the powers' sum is `power` (Lee and Petersen,
    "Optimal linear coding for vector channels", IEEE Trans. Commun. 24, 1976).

    Args:
        variances: v_i, float (n,), of the coefficients.
        power: sum of the powers.
        noise_var: s, of the real noise on each.
    """
    low, high = 1e-12, 1e12  # of t; the sum falls as t rises
    for _ in range(200):
        level = np.sqrt(low * high)
        powers = np.maximum(0.0, np.sqrt(variances * noise_var / level) - noise_var)
        low, high = (level, high) if powers.sum() > power else (low, level)
    return powers
