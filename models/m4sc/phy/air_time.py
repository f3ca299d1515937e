"""Symbols and seconds that a frame takes on the air."""

from __future__ import annotations

from m4sc.phy.header.fields import HEADER_BYTES
from m4sc.phy.waveform import WaveformConfig

HEADER_CODED_BITS = 6 * 8 * HEADER_BYTES


def header_ofdm_symbols(waveform: WaveformConfig) -> int:
    """OFDM symbols of the header, BPSK: `header_repeats` times the bits of a code of rate 1/6, or more."""
    return -(-waveform.header_repeats * HEADER_CODED_BITS // waveform.n_data_carriers)


def payload_ofdm_symbols(n_symbols: int, waveform: WaveformConfig) -> int:
    """OFDM symbols of a payload of `n_symbols` complex data symbols."""
    return -(-n_symbols // waveform.n_data_carriers)


def frame_samples(n_symbols: int, waveform: WaveformConfig) -> int:
    """Samples of a frame: preamble, header and payload with pilots and cyclic prefixes."""
    count = (
        waveform.preamble_symbols + header_ofdm_symbols(waveform) + payload_ofdm_symbols(n_symbols, waveform)
    )
    return count * waveform.symbol_len


def air_time_s(n_symbols: int, waveform: WaveformConfig) -> float:
    """Seconds on the air of a frame with `n_symbols` complex data symbols."""
    return frame_samples(n_symbols, waveform) / waveform.samp_rate
