"""The payload kinds of semantic latents: what becomes of them on the air, and of what is received."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from m4sc.phy.modulation import fsq
from m4sc.phy.modulation.digital import decode_transport, encode_transport
from m4sc.phy.modulation.mapping import latents_to_symbols, symbols_to_latents
from m4sc.phy.modulation.mcs import select_mcs
from m4sc.phy.modulation.qam import grid_scale

KINDS = ("analog", "qam", "digital")
QAM_ORDERS = (4, 16, 64, 256, 1024, 4096)


EXPECTED_SNR_DB = 15.0
"""What a scheme is chosen for where nobody says what the link has."""


def expected_snr_db(told: float | None) -> float:
    """What the choice of a scheme reckons with, dB; told: of the link, None where unknown."""
    return EXPECTED_SNR_DB if told is None else float(told)


@dataclass(frozen=True)
class PayloadFormat:
    """How latents are sent.

    Attributes:
        kind: "analog" (pairs of reals are I and Q), "qam" (held to a square grid) or "digital" (FSQ, CRC,
            LDPC and QAM).
        qam_order: points of the grid of "qam".
        levels: of a real of "digital", 2 to 256.
        mcs: scheme of "digital", -1: the fastest that `snr_db` less `margin_db` carries.
        snr_db, margin_db: Es/N0 and safety, dB, for that choice.
    """

    kind: str = "analog"
    qam_order: int = 256
    levels: int = 16
    mcs: int = -1
    snr_db: float = EXPECTED_SNR_DB
    margin_db: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"payload kind is '{self.kind}'; use one of {', '.join(KINDS)}")
        if self.qam_order not in QAM_ORDERS:
            raise ValueError(f"qam_order is {self.qam_order}; use one of {', '.join(map(str, QAM_ORDERS))}")
        fsq.check_levels(self.levels)


@dataclass(frozen=True)
class Mapped:
    """symbols: complex64 (n,), unit mean power; mcs, payload_bytes: for the header."""

    symbols: np.ndarray
    mcs: int = 0
    payload_bytes: int = 0


def map_latents(latents: np.ndarray, form: PayloadFormat) -> Mapped:
    """Latents, float32 (k, 2), to data symbols.

    Raises:
        ValueError: latents of another shape, or no such scheme.
    """
    if form.kind == "digital":
        data = fsq.latents_to_bytes(np.asarray(latents, np.float32), form.levels)
        mcs = form.mcs if form.mcs >= 0 else select_mcs(form.snr_db, form.margin_db, len(data)).index
        return Mapped(encode_transport(data, mcs), mcs, len(data))
    symbols = latents_to_symbols(latents, form.kind, form.qam_order)
    return Mapped(symbols, form.qam_order.bit_length() - 1 if form.kind == "qam" else 0)


def latents_as_sent(latents: np.ndarray, form: PayloadFormat) -> np.ndarray:
    """Latents, float32 (k, 2), as a receiver without noise would have them."""
    if form.kind == "digital":
        return fsq.bytes_to_latents(fsq.latents_to_bytes(latents, form.levels))[0]
    return symbols_to_latents(latents_to_symbols(latents, form.kind, form.qam_order))


def unmap_symbols(
    symbols: np.ndarray, noise_var: np.ndarray, kind: str, mcs: int, payload_bytes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Received symbols to latents and what they are off by; no decision is taken for "analog" and "qam".

    Args:
        symbols: complex (n,), unbiased.
        noise_var: float (n,), complex noise variance of each.
        kind, mcs, payload_bytes: as the header says.

    Returns:
        latents, float32 (k, 2), and their complex noise variances, float32 (k,), quantisation included; None
        where a CRC fails.

    Raises:
        ValueError: lengths or bytes that do not fit.
    """
    if kind == "digital":
        data = decode_transport(symbols, noise_var, mcs, payload_bytes)
        return None if data is None else fsq.bytes_to_latents(data)
    own = grid_noise(1 << mcs) if kind == "qam" else 0.0
    return symbols_to_latents(symbols), (np.asarray(noise_var) + own).astype(np.float32)


@lru_cache(maxsize=8)
def grid_noise(order: int) -> float:
    """Mean squared error that a unit-power complex Gaussian suffers on a grid of unit mean energy.

    Rounding within the grid and clipping beyond it; both dimensions. Latents are nearly Gaussian.

    Raises:
        ValueError: another order.
    """
    if order not in QAM_ORDERS:
        raise ValueError(f"a QAM grid of {order} points is not supported; use {QAM_ORDERS}")
    side, scale = round(order**0.5), grid_scale(order)
    points = np.arange(1 - side, side, 2) / scale * 2.0**0.5  # in standard deviations
    edges = np.concatenate([[-np.inf], (points[1:] + points[:-1]) / 2.0, [np.inf]])
    density = np.exp(-(edges**2) / 2.0) / np.sqrt(2.0 * np.pi)
    moment = np.where(np.isfinite(edges), edges, 0.0) * density
    mass, first = np.diff(ndtr(edges)), -np.diff(density)
    return float(np.sum(mass - np.diff(moment) - 2.0 * points * first + points**2 * mass))
