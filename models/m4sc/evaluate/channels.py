"""Symbol channels of the evaluation: what a receiver's equaliser hands on, without running the waveform."""

from __future__ import annotations

import numpy as np

from m4sc.phy.channel.config import TDL_FADINGS

SYMBOL_CHANNELS = ("awgn", "rayleigh", *TDL_FADINGS)
INTERFERED = ("cw", "pulse", "sweep")
"""Other transmitters in the band, with which frames cross as samples (:mod:`m4sc.evaluate.as_samples`)."""
CHANNELS = (*SYMBOL_CHANNELS, *INTERFERED)


def check_symbol_channel(channel: str) -> None:
    """Raise ValueError for a channel that is none of `SYMBOL_CHANNELS`."""
    if channel not in SYMBOL_CHANNELS:
        raise ValueError(f"channel {channel!r} is none of {', '.join(SYMBOL_CHANNELS)}")


def transmit(
    symbols: np.ndarray, channel: str, snr_db: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Send symbols of unit mean power; return them equalised, with the noise variance of each.

    y = s + n / h with E|n|^2 = 10^(-snr_db / 10) per complex symbol (Es/N0). "awgn": h = 1. "rayleigh": h
    complex Gaussian, E|h|^2 = 1, new for each symbol (ideal interleaving) and known to the receiver.
    "tdl-a" to "tdl-e": each message in an OFDM frame of its own under one draw of the profile, with channel,
    phase and noise as a receiver estimates them (:func:`m4sc.coding.torch_link.link.transmit`).

    Args:
        symbols: complex64 (k,).
        channel: one of `SYMBOL_CHANNELS`.
        snr_db: mean SNR in dB.
        rng: source of noise and fading.

    Returns:
        complex64 (k,) and float32 (k,).

    Raises:
        ValueError: unknown channel.
    """
    check_symbol_channel(channel)
    if channel in TDL_FADINGS:
        return _in_a_frame(symbols, channel, snr_db, rng)
    noise_var = 10.0 ** (-snr_db / 10)
    real, imag = rng.normal(scale=np.sqrt(noise_var / 2), size=(2, len(symbols)))
    gain: np.ndarray = np.ones(len(symbols))
    if channel == "rayleigh":
        gain = np.maximum(rng.exponential(size=len(symbols)), 1e-6)  # |h|^2; its phase turns n alone
    received = symbols + (real + 1j * imag) / np.sqrt(gain)
    return received.astype(np.complex64), (noise_var / gain).astype(np.float32)


def _in_a_frame(
    symbols: np.ndarray, channel: str, snr_db: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    import torch

    from m4sc.coding.torch_link import link
    from m4sc.coding.torch_link.config import EstimationConfig

    sent = torch.from_numpy(np.stack([symbols.real, symbols.imag], -1).astype(np.float32))
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    received, noise_var = link.transmit(
        sent[None, :, None], torch.tensor([snr_db]), channel, generator, EstimationConfig()
    )
    y = received.reshape(-1, 2).numpy()
    return (y[:, 0] + 1j * y[:, 1]).astype(np.complex64), noise_var.reshape(-1).numpy().astype(np.float32)
