"""Differentiable link: what the equaliser hands on, without the waveform."""

from __future__ import annotations

import torch
from torch import Tensor

CHANNELS = ("awgn", "rayleigh")


def transmit(
    symbols: Tensor, snr_db: Tensor, channel: str, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """y = x + n / h: unbiased equalised symbols and their noise variance.

    Args:
        symbols: float (n, t, s, 2), unit mean power.
        snr_db: float (n,), Es/N0 of each message (mean, for fading).
        channel: "awgn" (h = 1) or "rayleigh" (E|h|^2 = 1, one gain a symbol: an interleaved fading channel).
        generator: source of randomness.

    Returns:
        received, float (n, t, s, 2), and noise_var, float (n, t, s): complex noise variance after
        equalisation.

    Raises:
        ValueError: unknown channel.
    """
    if channel not in CHANNELS:
        raise ValueError(f"channel '{channel}' is unknown; use one of {', '.join(CHANNELS)}")
    noise_var = (10.0 ** (-snr_db / 10.0))[:, None, None].expand(symbols.shape[:-1])
    if channel == "rayleigh":
        gain = torch.randn(symbols.shape, generator=generator).square().sum(-1) / 2.0  # |h|^2
        noise_var = (noise_var / gain.clamp_min(1e-4)).clamp_max(1e4)
    noise = torch.randn(symbols.shape, generator=generator) * (noise_var / 2.0).sqrt()[..., None]
    return symbols + noise, noise_var
