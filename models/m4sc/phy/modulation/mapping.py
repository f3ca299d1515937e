"""Latents to complex symbols and back."""

from __future__ import annotations

import numpy as np

from m4sc.phy.modulation.qam import grid_scale

KINDS = ("analog", "qam")


def round_to_grid(symbols: np.ndarray, order: int) -> np.ndarray:
    """Nearest point of a square QAM grid of unit mean energy.

    Args:
        symbols: complex (n,).
        order: 4, 16, 64, 256, 1024 or 4096 points.

    Raises:
        ValueError: another order.
    """
    side = round(order**0.5)
    if side * side != order or side not in (2, 4, 8, 16, 32, 64):
        raise ValueError(f"a QAM grid of {order} points is not supported; use 4, 16, 64, 256, 1024 or 4096")
    scale = grid_scale(order)
    limit = side - 1

    def nearest(x: np.ndarray) -> np.ndarray:
        return np.clip(2.0 * np.floor(x * scale / 2.0) + 1.0, -limit, limit) / scale

    return (nearest(symbols.real) + 1j * nearest(symbols.imag)).astype(np.complex64)


def latents_to_symbols(latents: np.ndarray, kind: str = "analog", qam_order: int = 64) -> np.ndarray:
    """Pairs of reals to symbols.

    Args:
        latents: float32 (k, 2), I and Q, unit mean power.
        kind: "analog" (as they are) or "qam" (each held to the grid).
        qam_order: points of the grid.

    Returns:
        complex64 (k,).

    Raises:
        ValueError: wrong shape, kind or order.
    """
    latents = np.asarray(latents, dtype=np.float32)
    if latents.ndim != 2 or latents.shape[1] != 2:
        raise ValueError(f"latents are (k, 2), I and Q; got shape {latents.shape}")
    if kind not in KINDS:
        raise ValueError(f"payload kind '{kind}' does not carry latents; use one of {', '.join(KINDS)}")
    symbols = (latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64)
    return symbols if kind == "analog" else round_to_grid(symbols, qam_order)


def symbols_to_latents(symbols: np.ndarray) -> np.ndarray:
    """Complex (k,) to float32 (k, 2), I and Q."""
    symbols = np.asarray(symbols)
    return np.stack([symbols.real, symbols.imag], axis=-1).astype(np.float32)
