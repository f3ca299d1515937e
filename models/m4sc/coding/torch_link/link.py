"""Differentiable link: what the equaliser hands on, without the waveform."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.torch_link.amplifier import amplify
from m4sc.coding.torch_link.config import EstimationConfig, LinkConfig
from m4sc.coding.torch_link.noise import draw_normal
from m4sc.coding.torch_link.receiver import header_training, receive
from m4sc.coding.torch_link.tdl import draw_responses
from m4sc.phy.channel.config import TDL_FADINGS
from m4sc.phy.channel.fading import rician_powers
from m4sc.phy.modulation.interleaver import permutation

CHANNELS = ("awgn", "rayleigh", "rician", *TDL_FADINGS)


def transmit(
    symbols: Tensor,
    snr_db: Tensor,
    channel: str,
    generator: torch.Generator | None = None,
    estimation: EstimationConfig | None = None,
    config: LinkConfig | None = None,
) -> tuple[Tensor, Tensor]:
    """y = x + n / h: unbiased equalised symbols and their noise variance.

    Args:
        symbols: float (n, t, s, 2), unit mean power.
        snr_db: float (n,), Es/N0 of each message (mean, for fading), where the symbols are.
        channel: "awgn" (h = 1); "rayleigh" or "rician" (E|h|^2 = 1, one gain a symbol: ideal interleaving);
            "tdl-a" to "tdl-e": each message is a frame of its own whose symbols lie on the waveform's data
            carriers, interleaved or not, under one draw of the profile.
        generator: source of randomness, on the symbols' device or the host's.
        estimation: errors of the real receiver; None: it knows channel and noise. With "rayleigh" and
            "rician", where symbols are on no carriers, only the channel estimate's noise.
        config: of TDL profiles, Rician factor and amplifier; None for the defaults.

    Returns:
        received, float (n, t, s, 2), and noise_var, float (n, t, s): complex noise variance after
        equalisation.

    Raises:
        ValueError: unknown channel.
    """
    if channel not in CHANNELS:
        raise ValueError(f"channel '{channel}' is unknown; use one of {', '.join(CHANNELS)}")
    config = config or LinkConfig()
    framed = channel in TDL_FADINGS or (channel == "awgn" and estimation is not None)
    if framed or config.amplifier_backoff_db < math.inf:
        return _in_frames(symbols, snr_db, channel, generator, estimation, config)
    noise_var = (10.0 ** (-snr_db / 10.0))[:, None, None].expand(symbols.shape[:-1])
    if channel == "awgn":
        noise = draw_normal(symbols.shape, generator, symbols.device) * (noise_var / 2.0).sqrt()[..., None]
        return symbols + noise, noise_var
    return _ideally_interleaved(symbols, noise_var, channel, generator, estimation, config)


def _ideally_interleaved(
    symbols: Tensor,
    noise_var: Tensor,
    channel: str,
    generator: torch.Generator | None,
    estimation: EstimationConfig | None,
    config: LinkConfig,
) -> tuple[Tensor, Tensor]:
    """One gain a symbol; an estimate of it is off by noise of variance noise_var taps / observations."""
    los, scattered = rician_powers(config.rician_k_db) if channel == "rician" else (0.0, 1.0)
    h = draw_normal(symbols.shape, generator, symbols.device) * (scattered / 2.0) ** 0.5
    h = h + h.new_tensor([los**0.5, 0.0])
    share = 0.0
    if estimation is not None and estimation.channel:
        header = header_training(config.waveform, symbols.device)
        share = header.taps / header.observed  # of the noise variance
    gain = h.square().sum(-1)  # |h|^2
    own = (noise_var / gain.clamp_min(1e-4) * (1.0 + share)).clamp_max(1e4)
    noise = draw_normal(symbols.shape, generator, symbols.device) * (own / 2.0).sqrt()[..., None]
    return symbols + noise, own


def _in_frames(
    symbols: Tensor,
    snr_db: Tensor,
    channel: str,
    generator: torch.Generator | None,
    estimation: EstimationConfig | None,
    config: LinkConfig,
) -> tuple[Tensor, Tensor]:
    """Each message on the data carriers of a frame of its own."""
    w, device = config.waveform, symbols.device
    n, k = symbols.shape[0], symbols.shape[1] * symbols.shape[2]
    rows = -(-k // w.n_data_carriers)
    order = permutation(k, w.n_data_carriers) if config.interleaved else np.arange(k)
    places = torch.from_numpy(np.array(order)).to(device, non_blocking=True)
    flat = torch.view_as_complex(symbols.reshape(n, k, 2).float().contiguous())
    grid = flat.new_zeros(n, rows * w.n_data_carriers).index_copy(1, places, flat)
    grid = grid.reshape(n, rows, w.n_data_carriers)
    if config.amplifier_backoff_db < math.inf:
        grid = amplify(grid, w, config.amplifier_backoff_db, config.amplifier_smoothness)
    total = header_training(w, device).rows + rows
    if channel in TDL_FADINGS:
        h = draw_responses(channel[-1].upper(), n, total, config, generator, device)
    elif channel == "awgn":
        h = torch.ones(n, 1, w.fft_len, dtype=torch.complex64, device=device)
    else:
        raise ValueError(f"'{channel}' has one gain a symbol and no waveform to amplify; use a TDL or awgn")
    noise_var = 10.0 ** (-snr_db.float() / 10.0)
    received, reported = receive(grid, h, noise_var, w, estimation, generator)
    pairs = torch.view_as_real(received.reshape(n, -1)[:, places]).reshape(symbols.shape)
    return pairs, reported.reshape(n, -1)[:, places].reshape(symbols.shape[:-1]).clamp_max(1e4)
