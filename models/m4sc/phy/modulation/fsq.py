"""Finite scalar quantisation of latents: each real is bounded, then rounded to one of L levels.

Mentzer, Minnen, Agustsson, Tschannen, "Finite Scalar Quantization: VQ-VAE Made Simple", arXiv 2309.15505. Any
bounding function does there; here it is the one that costs a Gaussian least, since latents of unit mean power
are nearly Gaussian with a variance of 1/2 a real: the distribution function of a Gaussian of three times that
variance (Panter and Dite, "Quantization Distortion in Pulse-Count Modulation", 1951).
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from scipy.special import erf, erfinv, ndtr

from m4sc.phy.modulation.radix import pack_digits, packed_bytes, unpack_digits

MIN_LEVELS, MAX_LEVELS = 2, 256
_PREFIX = struct.Struct(">BH")  # levels - 1, complex symbols
_SPREAD = 3.0**0.5  # of erf(z / spread), whose variance is 3 / 2
_MOST_SYMBOLS = 0xFFFF


def check_levels(levels: int) -> None:
    """Raise ValueError unless a real can have so many levels."""
    if not MIN_LEVELS <= levels <= MAX_LEVELS:
        raise ValueError(f"{levels} levels a real; use {MIN_LEVELS} to {MAX_LEVELS}")


@lru_cache(maxsize=16)
def level_values(levels: int) -> np.ndarray:
    """The real that each level stands for, float64 (levels,), rising, read-only.

    Raises:
        ValueError: fewer than 2 or more than 256 levels.
    """
    check_levels(levels)
    values = _SPREAD * erfinv((2.0 * np.arange(levels) + 1.0) / levels - 1.0)
    values.setflags(write=False)
    return values


@lru_cache(maxsize=16)
def level_noise(levels: int) -> np.ndarray:
    """Mean squared error of a Gaussian real of variance 1/2 in each level's cell, float64 (levels,)."""
    edges = 2.0**0.5 * _SPREAD * erfinv(2.0 * np.arange(levels + 1) / levels - 1.0)  # in its deviations
    density = np.exp(-(edges**2) / 2.0) / np.sqrt(2.0 * np.pi)
    moment = np.where(np.isfinite(edges), edges, 0.0) * density
    mass = np.diff(ndtr(edges))
    mean, square = -np.diff(density) / mass, 1.0 - np.diff(moment) / mass
    at = 2.0**0.5 * level_values(levels)
    noise = (square - 2.0 * mean * at + at**2) / 2.0
    noise.setflags(write=False)
    return noise


def quantise(reals: np.ndarray, levels: int) -> np.ndarray:
    """Level of each real: floor(L (1 + erf(z / sqrt 3)) / 2), int64 of its shape.

    Raises:
        ValueError: levels out of range, or reals that are not finite.
    """
    check_levels(levels)
    if not np.isfinite(reals).all():
        raise ValueError("latents that are not finite cannot be quantised")
    share = 0.5 * (1.0 + erf(np.asarray(reals, np.float64) / _SPREAD))
    return np.minimum((share * levels).astype(np.int64), levels - 1)


def latents_to_bytes(latents: np.ndarray, levels: int) -> bytes:
    """Latents, float (k, 2), as three bytes of levels and length and then their packed levels.

    Raises:
        ValueError: another shape, none or more than 65535 of them, levels out of range.
    """
    if latents.ndim != 2 or latents.shape[1] != 2 or not 0 < len(latents) <= _MOST_SYMBOLS:
        raise ValueError(f"latents are (k, 2) with k from 1 to {_MOST_SYMBOLS}; got shape {latents.shape}")
    digits = quantise(latents, levels).ravel()
    return _PREFIX.pack(levels - 1, len(latents)) + pack_digits(digits, np.full(digits.size, levels))


def bytes_to_latents(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of :func:`latents_to_bytes`, but for the quantisation noise.

    Returns:
        latents, float32 (k, 2), and the expected complex noise variance of each pair, float32 (k,).

    Raises:
        ValueError: bytes that no latents make.
    """
    if len(data) < _PREFIX.size:
        raise ValueError(f"{len(data)} bytes are too few for quantised latents")
    less_one, count = _PREFIX.unpack(data[: _PREFIX.size])
    levels = less_one + 1
    if count == 0:
        raise ValueError("the bytes hold no latents")
    check_levels(levels)
    digits = unpack_digits(data[_PREFIX.size :], np.full(2 * count, levels)).reshape(-1, 2)
    noise_var = level_noise(levels)[digits].sum(1)
    return level_values(levels)[digits].astype(np.float32), noise_var.astype(np.float32)


def n_bytes(n_symbols: int, levels: int) -> int:
    """Bytes of `n_symbols` pairs of reals."""
    check_levels(levels)
    return _PREFIX.size + packed_bytes(np.full(2 * n_symbols, levels))
