"""Shared by the codecs that send tokens: symbols as tensors, one group of symbols a token."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from m4sc.codecs.base import Received


def as_tokens(
    received: Received, per_token: int, counts: tuple[int, ...] | None = None
) -> tuple[Tensor, Tensor]:
    """Symbols by token, float (t, per_token, 2), and their noise variances, float (t, per_token).

    Args:
        received: of a message; an infinite noise variance marks a symbol that did not arrive.
        per_token: complex symbols a token.
        counts: how many tokens there can be; None for any number.

    Raises:
        ValueError: no whole tokens, another number of them, or values that are not numbers.
    """
    symbols, noise_var = received.symbols, received.noise_var
    tokens, rest = divmod(len(symbols), per_token)
    if not tokens or rest or len(symbols) != len(noise_var) or (counts is not None and tokens not in counts):
        raise ValueError(
            f"{len(symbols)} symbols with {len(noise_var)} noise variances do not make whole tokens of "
            f"{per_token} symbols; transmitter and receiver use different models"
        )
    if not np.isfinite(symbols).all() or np.isnan(noise_var).any():
        raise ValueError("received symbols or noise variances are not finite")
    pairs = np.stack([np.real(symbols), np.imag(symbols)], axis=-1).astype(np.float32)
    n = np.array(noise_var, dtype=np.float32)
    return torch.from_numpy(pairs).reshape(-1, per_token, 2), torch.from_numpy(n).reshape(-1, per_token)


def as_latents(symbols: Tensor) -> np.ndarray:
    """Symbols of any shape (..., 2) as a payload's latents, float32 (k, 2)."""
    return symbols.reshape(-1, 2).float().numpy()


def check_choice(value: int, allowed: tuple[int, ...], what: str) -> None:
    """Raise ValueError unless ``value`` is allowed."""
    if value not in allowed:
        raise ValueError(f"{value} {what}; use one of {', '.join(map(str, allowed))}")
