"""Header and symbols to samples."""

from __future__ import annotations

import numpy as np

from m4sc.phy.airtime import HEADER_REPETITIONS, header_ofdm_symbols, payload_ofdm_symbols
from m4sc.phy.header import HEADER_BYTES, FrameHeader
from m4sc.phy.waveform import WaveformConfig


def header_order(waveform: WaveformConfig) -> np.ndarray:
    """Bit number on each data symbol of the header, int (symbols,).

    Copies of a bit lie a whole header apart and, by a rotation each time, on different carriers.
    """
    bits = 8 * HEADER_BYTES
    copies = [np.roll(np.arange(bits), 17 * copy) for copy in range(HEADER_REPETITIONS)]
    order = np.concatenate(copies)
    room = header_ofdm_symbols(waveform) * waveform.n_data_carriers
    return np.resize(order, room)


def scrambler(length: int) -> np.ndarray:
    """Fixed signs, float (length,), so that repeated bits do not make a high peak."""
    return np.random.default_rng(38211).integers(0, 2, length) * 2.0 - 1.0


def header_symbols(header: FrameHeader, waveform: WaveformConfig) -> np.ndarray:
    """BPSK symbols of the header, complex128 (symbols,); bit 0 is +1."""
    bits = np.unpackbits(np.frombuffer(header.pack(), dtype=np.uint8))
    order = header_order(waveform)
    return (1.0 - 2.0 * bits[order]) * scrambler(len(order)) + 0j


def add_prefix(bins: np.ndarray, waveform: WaveformConfig) -> np.ndarray:
    """Bins, complex (symbols, fft_len), to samples with cyclic prefix, complex (symbols * symbol_len,)."""
    time = np.fft.ifft(bins, axis=1, norm="ortho")
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
    body = np.zeros(payload_ofdm_symbols(len(symbols), waveform) * waveform.n_data_carriers, dtype=complex)
    body[: len(symbols)] = symbols
    data = np.concatenate([head, body]).reshape(-1, waveform.n_data_carriers)
    bins = np.zeros((2 + len(data), waveform.fft_len), dtype=complex)
    bins[0], bins[1] = waveform.sync_bins(1), waveform.sync_bins(2)
    bins[2:, waveform.data_bins] = data
    bins[2:, waveform.pilot_bins] = waveform.pilots(len(data))
    return add_prefix(bins, waveform).astype(np.complex64)
