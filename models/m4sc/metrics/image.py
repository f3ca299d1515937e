"""PSNR and SSIM of 8-bit pictures."""

from __future__ import annotations

import numpy as np


def psnr_db(image: np.ndarray, reference: np.ndarray) -> float:
    """10 log10(255^2 / MSE) in dB, at most 100. Both uint8 of one shape.

    Raises:
        ValueError: shapes differ.
    """
    if image.shape != reference.shape:
        raise ValueError(
            f"pictures of shapes {image.shape} and {reference.shape} cannot be compared; make them equal"
        )
    error = float(np.mean((image.astype(np.float64) - reference.astype(np.float64)) ** 2))
    return 100.0 if error == 0 else min(100.0, 10 * float(np.log10(255.0**2 / error)))


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity, -1 to 1, as scikit-image computes it. Both uint8 (H, W, 3)."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(image, reference, channel_axis=-1, data_range=255))
