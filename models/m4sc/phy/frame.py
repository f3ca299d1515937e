"""Header and symbols to samples."""

from __future__ import annotations

import numpy as np
from scipy import fft

from m4sc.phy.air_time import payload_ofdm_symbols
from m4sc.phy.header.code import header_symbols
from m4sc.phy.header.fields import FrameHeader
from m4sc.phy.waveform import WaveformConfig


def add_prefix(bins: np.ndarray, waveform: WaveformConfig) -> np.ndarray:
    """Bins, complex (symbols, fft_len), to samples with prefixes, (symbols * symbol_len,), of that dtype."""
    time = fft.ifft(bins, axis=1, norm="ortho")
    return np.concatenate([time[:, -waveform.cp_len :], time], axis=1).ravel()


def modulate_frame(header: FrameHeader, symbols: np.ndarray, waveform: WaveformConfig) -> np.ndarray:
    """Samples of a frame: sync words, header, payload.

    Args:
        header: its ``n_symbols`` must be the payload's length.
        symbols: complex64 (n,), unit mean power.
        waveform: the waveform.

    Returns:
        complex64 samples; a data symbol has unit energy at an orthonormal FFT's output.

    Raises:
        ValueError: lengths differ, payload empty or too long, or a value is not finite.
    """
    if header.n_symbols != len(symbols):
        raise ValueError(f"the header promises {header.n_symbols} symbols, the payload has {len(symbols)}")
    if not 0 < len(symbols) <= waveform.max_payload_symbols:
        raise ValueError(
            f"a payload has 1 to {waveform.max_payload_symbols} symbols; got {len(symbols)}; "
            "send it in segments"
        )
    if not np.isfinite(symbols).all():
        raise ValueError("the payload has NaN or infinite symbols")
    head = header_symbols(header, waveform)
    body = np.zeros(
        payload_ofdm_symbols(len(symbols), waveform) * waveform.n_data_carriers, dtype=np.complex64
    )
    body[: len(symbols)] = symbols
    data = np.concatenate([head, body]).reshape(-1, waveform.n_data_carriers)
    n_preamble = waveform.preamble_symbols
    bins = np.zeros((n_preamble + len(data), waveform.fft_len), dtype=np.complex64)
    bins[:n_preamble] = waveform.preamble_bins
    bins[n_preamble:, waveform.data_bins] = data
    bins[n_preamble:, waveform.pilot_bins] = waveform.pilots(len(data))
    return add_prefix(bins, waveform)
