"""Rapp amplifier on the time-domain waveform, differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

from m4sc.phy.channel.simulator import mean_sample_power
from m4sc.phy.waveform import WaveformConfig

_TINY = 1e-12  # keeps the gradient of |x|^p finite at 0


def rapp(samples: Tensor, backoff_db: float, smoothness: float, mean_power: float) -> Tensor:
    """Complex samples through the amplifier of ``m4sc.phy.channel.amplifier.rapp``."""
    saturation = mean_power * 10.0 ** (backoff_db / 10.0)
    drive = (samples.real.square() + samples.imag.square() + _TINY) / saturation
    return samples * (1.0 + drive**smoothness) ** (-0.5 / smoothness)


def amplify(grid: Tensor, waveform: WaveformConfig, backoff_db: float, smoothness: float) -> Tensor:
    """What a receiver sees on the data carriers of an amplified frame.

    Args:
        grid: complex (..., rows, data carriers).
        waveform: gives carriers and pilots.
        backoff_db, smoothness: input back-off against a frame's mean power, and p.

    Returns:
        complex, of grid's shape: compressed, with intermodulation; the prefix takes no part.
    """
    bins = grid.new_zeros(*grid.shape[:-1], waveform.fft_len)
    bins[..., torch.from_numpy(waveform.data_bins).to(grid.device)] = grid
    pilots = torch.from_numpy(waveform.pilots(grid.shape[-2])).to(grid.device, grid.dtype)
    bins[..., torch.from_numpy(waveform.pilot_bins).to(grid.device)] = pilots.expand(*grid.shape[:-1], -1)
    time = torch.fft.ifft(bins, norm="ortho")
    out = rapp(time, backoff_db, smoothness, mean_sample_power(waveform))
    return torch.fft.fft(out, norm="ortho")[..., torch.from_numpy(waveform.data_bins).to(grid.device)]
