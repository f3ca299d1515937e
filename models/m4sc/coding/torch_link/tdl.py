"""Frequency responses of TDL-A to TDL-E over an OFDM frame."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.torch_link.config import LinkConfig
from m4sc.coding.torch_link.noise import draw_normal, draw_uniform
from m4sc.phy.channel.delay_line import tap_shapes
from m4sc.phy.channel.fading import LOS_DOPPLER, SINUSOIDS
from m4sc.phy.channel.tdl import get_profile, mean_powers


@lru_cache(maxsize=32)
def _path_responses(letter: str, spread_samples: float, fft_len: int, device: torch.device) -> Tensor:
    """Response of each path alone on every bin, complex64 (fft_len, paths)."""
    shapes = tap_shapes(np.array(get_profile(letter).delays) * spread_samples)  # (taps, paths)
    bins = np.exp(-2j * np.pi * np.outer(np.arange(fft_len), np.arange(len(shapes))) / fft_len)
    return torch.from_numpy((bins @ shapes).astype(np.complex64)).to(device)


def _gains(
    powers: Tensor,
    los_power: float,
    times_s: Tensor,
    n: int,
    doppler_hz: float,
    generator: torch.Generator | None,
) -> Tensor:
    """As ``m4sc.phy.channel.fading.PathGains``, for a batch: complex64 (n, times, paths)."""
    shape, device = (n, len(powers), SINUSOIDS), powers.device
    amplitudes = torch.view_as_complex(draw_normal((*shape, 2), generator, device))
    amplitudes = amplitudes * (powers / (2 * SINUSOIDS)).sqrt()[:, None]
    los = los_power**0.5 * torch.exp(2j * torch.pi * draw_uniform((n, 1), generator, device))
    if doppler_hz == 0:
        gains = amplitudes.sum(-1)[:, None]  # (n, 1, paths)
        first = los
    else:
        numbers = torch.arange(SINUSOIDS, device=device)
        sectors = (numbers + draw_uniform(shape, generator, device)) / SINUSOIDS
        turns = torch.cos(2 * torch.pi * sectors)[:, None] * (
            2 * torch.pi * doppler_hz * times_s[:, None, None]
        )
        gains = (amplitudes[:, None] * torch.polar(torch.ones_like(turns), turns)).sum(
            -1
        )  # (n, times, paths)
        first = los * torch.exp(2j * torch.pi * LOS_DOPPLER * doppler_hz * times_s)
    gains[..., 0] = gains[..., 0] + first
    return gains


def draw_responses(
    letter: str,
    n: int,
    n_symbols: int,
    config: LinkConfig,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Channels of `n` frames on every FFT bin.

    Energy behind the cyclic prefix is taken as if the prefix were long enough, and what Doppler moves from
    carrier to carrier within one OFDM symbol is left out: at 0.01 of the carrier spacing it is 38 dB down.

    Args:
        letter: profile "A" to "E".
        n: frames.
        n_symbols: OFDM symbols after the preamble.
        config: delay spread, Doppler and waveform.
        generator: source of randomness, on `device` or the host's.
        device: where the responses are wanted; None for the host.

    Returns:
        complex64 (n, n_symbols, fft_len), or (n, 1, fft_len) without Doppler; E|h|^2 about 1.
    """
    w, device = config.waveform, device or torch.device("cpu")
    scattered, los = mean_powers(get_profile(letter))
    times = (torch.arange(n_symbols, device=device) + w.preamble_symbols) * (w.symbol_len / w.samp_rate)
    powers = torch.from_numpy(scattered.astype(np.float32)).to(device, non_blocking=True)
    gains = _gains(powers, los, times, n, config.doppler_hz, generator)
    return gains @ _path_responses(letter, config.delay_spread_s * w.samp_rate, w.fft_len, device).T
