"""PSNR, SSIM and difference of 8-bit pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MS_SSIM_SIDE = 160
_SMALL = 32  # side of pictures that are compared as a whole


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


def ms_ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Multi-scale structural similarity, 0 to 1, as pytorch-msssim computes it. Both uint8 (H, W, 3).

    Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment",
    Asilomar 2003.

    Raises:
        ValueError: shapes differ, or a side is not above `MS_SSIM_SIDE` pixels, as five scales need.
    """
    import torch
    from pytorch_msssim import ms_ssim as of_planes

    if image.shape != reference.shape or min(image.shape[:2]) <= MS_SSIM_SIDE:
        raise ValueError(
            f"pictures of shapes {image.shape} and {reference.shape}: MS-SSIM takes equal ones with sides "
            f"above {MS_SSIM_SIDE}"
        )
    planes = [torch.from_numpy(one.transpose(2, 0, 1).astype(np.float32))[None] for one in (image, reference)]
    return float(of_planes(*planes, data_range=255))


def difference(image: np.ndarray, other: np.ndarray) -> float:
    """How far apart two pictures are: their squared difference over the sum of their variances.

    0 of equal ones, about 1 of two that have nothing to do with one another, more where one is brighter. Each
    is scaled to 32 x 32, so that noise and fine texture count for little. Both uint8 (H, W, 3), of any size.
    """
    from PIL import Image

    a, b = (
        np.asarray(Image.fromarray(one).resize((_SMALL, _SMALL), Image.Resampling.BOX), np.float64)
        for one in (image, other)
    )
    spread = sum(float(np.mean((one - one.mean(axis=(0, 1))) ** 2)) for one in (a, b))
    apart = float(np.mean((a - b) ** 2))
    return 0.0 if apart == 0 else apart / max(spread, 1.0)


def fitted_to(image: np.ndarray | None, reference: np.ndarray) -> np.ndarray:
    """The picture at the reference's size, uint8 (H, W, 3); a lost one (None) counts as mid-grey."""
    from PIL import Image

    if image is None:
        return np.full_like(reference, 128)
    if image.shape == reference.shape:
        return image
    size = (reference.shape[1], reference.shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def score_pictures(
    answers: Sequence[np.ndarray | None], references: Sequence[np.ndarray], metric: str = "psnr"
) -> list[float]:
    """PSNR (dB) or SSIM of each received picture; None stands for a lost one, which counts as mid-grey.

    Raises:
        ValueError: unknown metric; as many answers as references are needed.
    """
    metrics = {"psnr": psnr_db, "ssim": ssim}
    if metric not in metrics:
        raise ValueError(f"metric {metric!r} is unknown; use psnr or ssim")
    if len(answers) != len(references):
        raise ValueError(f"{len(answers)} pictures for {len(references)} references; give each one")
    return [
        metrics[metric](fitted_to(answer, reference), reference)
        for answer, reference in zip(answers, references, strict=True)
    ]
