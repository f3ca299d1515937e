"""Soft clipping of transmit samples."""

from __future__ import annotations

import numpy as np

from m4sc.phy.channel.amplifier import rapp

SMOOTHNESS = 5.0  # of the knee: harder than an amplifier's, so that only peaks are touched


def soft_clip(samples: np.ndarray, clip_db: float, mean_power: float) -> np.ndarray:
    """Samples whose power stays below `clip_db` over `mean_power`, phase kept: complex64 (n,).

    The curve is Rapp's. Clipping costs EVM and spills into the neighbouring band; it is worth it where an
    amplifier would clip harder.

    Raises:
        ValueError: clip_db is not a number, or so low that the signal itself would go.
    """
    if not clip_db >= 0:
        raise ValueError(f"clip_db is {clip_db}; give 0 dB or more over the mean power")
    return rapp(samples, clip_db, SMOOTHNESS, mean_power).astype(np.complex64)
