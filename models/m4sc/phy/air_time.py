"""Symbols and seconds that a frame takes on the air."""

from __future__ import annotations

from m4sc.phy.header.protection import NORMAL, Protection
from m4sc.phy.waveform import WaveformConfig


def header_ofdm_symbols(waveform: WaveformConfig, protection: Protection = NORMAL) -> int:
    """OFDM symbols of the header."""
    return -(-protection.coded_bits // (protection.bits_per_symbol * waveform.n_data_carriers))


def payload_ofdm_symbols(n_symbols: int, waveform: WaveformConfig) -> int:
    """OFDM symbols of a payload of `n_symbols` complex data symbols."""
    return -(-n_symbols // waveform.n_data_carriers)


def frame_samples(
    n_symbols: int, waveform: WaveformConfig, protection: Protection = NORMAL, announced: bool = False
) -> int:
    """Samples of a frame: preamble, header and payload with pilots and cyclic prefixes.

    announced: with a block of message fields, which is as long as the header.
    """
    header = header_ofdm_symbols(waveform, protection) * (2 if announced else 1)
    count = 2 * protection.preambles + header + payload_ofdm_symbols(n_symbols, waveform)
    return count * waveform.symbol_len


def air_time_s(
    n_symbols: int, waveform: WaveformConfig, protection: Protection = NORMAL, announced: bool = False
) -> float:
    """Seconds on the air of a frame with `n_symbols` complex data symbols."""
    return frame_samples(n_symbols, waveform, protection, announced) / waveform.samp_rate
