"""Header and symbols to samples."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy import fft

from m4sc.phy.air_time import payload_ofdm_symbols
from m4sc.phy.header.code import header_code
from m4sc.phy.header.fields import MESSAGE_BYTES, FrameHeader
from m4sc.phy.header.protection import NORMAL, Protection
from m4sc.phy.waveform import WaveformConfig


def add_prefix(bins: np.ndarray, waveform: WaveformConfig) -> np.ndarray:
    """Bins, complex (symbols, fft_len), to samples with prefixes, (symbols * symbol_len,), of that dtype."""
    time = fft.ifft(bins, axis=1, norm="ortho")
    return np.concatenate([time[:, -waveform.cp_len :], time], axis=1).ravel()


def frame_waveform(waveform: WaveformConfig, protection: Protection) -> WaveformConfig:
    """The waveform with as many preambles as the protection sends."""
    if waveform.preamble_repeats == protection.preambles:
        return waveform
    return _with_preambles(waveform, protection.preambles)


@lru_cache(maxsize=32)
def _with_preambles(waveform: WaveformConfig, count: int) -> WaveformConfig:
    return replace(waveform, preamble_repeats=count)


def modulate_frame(
    header: FrameHeader,
    symbols: np.ndarray,
    waveform: WaveformConfig,
    protection: Protection = NORMAL,
    message: bytes = b"",
) -> np.ndarray:
    """Samples of a frame: sync words, header, message fields if there are any, payload.

    Args:
        header: its ``n_symbols`` must be the payload's length.
        symbols: complex64 (n,), unit mean power.
        waveform: the waveform.
        protection: of preamble, header and message fields; a receiver sees which it is.
        message: fields of the message, coded as the header is: `MESSAGE_BYTES` bytes for a header that is
            ``announced``, else none.

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
    if bool(message) != header.announced:
        raise ValueError("message fields come with a header that announces them, and with no other")
    blocks = [header_code(waveform, protection).encode(header.pack())]
    if message:
        blocks.append(header_code(waveform, protection, MESSAGE_BYTES).encode(message))
    body = np.zeros(
        payload_ofdm_symbols(len(symbols), waveform) * waveform.n_data_carriers, dtype=np.complex64
    )
    body[: len(symbols)] = symbols
    data = np.concatenate([*blocks, body]).reshape(-1, waveform.n_data_carriers)
    preamble = frame_waveform(waveform, protection).preamble_bins
    bins = np.zeros((len(preamble) + len(data), waveform.fft_len), dtype=np.complex64)
    bins[: len(preamble)] = preamble
    bins[len(preamble) :, waveform.data_bins] = data
    bins[len(preamble) :, waveform.pilot_bins] = waveform.pilots(len(data))
    return add_prefix(bins, waveform)
