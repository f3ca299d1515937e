"""Symbols and seconds that a frame takes on the air."""

from __future__ import annotations

from m4sc.phy.header.fields import HEADER_BYTES, MESSAGE_BYTES
from m4sc.phy.header.protection import NORMAL, Protection
from m4sc.phy.waveform import WaveformConfig

_CRC_BYTES = 3


def block_ofdm_symbols(n_bytes: int, waveform: WaveformConfig, protection: Protection) -> int:
    """OFDM symbols of `n_bytes` at the protection's code rate, which is that of a header."""
    bits = -(-protection.coded_bits * (n_bytes + _CRC_BYTES) // (HEADER_BYTES + _CRC_BYTES))
    return -(-bits // (protection.bits_per_symbol * waveform.n_data_carriers))


def header_ofdm_symbols(waveform: WaveformConfig, protection: Protection = NORMAL) -> int:
    """OFDM symbols of the header."""
    return block_ofdm_symbols(HEADER_BYTES, waveform, protection)


def message_ofdm_symbols(waveform: WaveformConfig, protection: Protection = NORMAL) -> int:
    """OFDM symbols of the message fields behind a header that announces them."""
    return block_ofdm_symbols(MESSAGE_BYTES, waveform, protection)


def payload_ofdm_symbols(n_symbols: int, waveform: WaveformConfig) -> int:
    """OFDM symbols of a payload of `n_symbols` complex data symbols."""
    return -(-n_symbols // waveform.n_data_carriers)


def frame_samples(
    n_symbols: int, waveform: WaveformConfig, protection: Protection = NORMAL, announced: bool = False
) -> int:
    """Samples of a frame: preamble, header and payload with pilots and cyclic prefixes.

    announced: with a block of message fields.
    """
    head = 2 * protection.preambles + header_ofdm_symbols(waveform, protection)
    fields = message_ofdm_symbols(waveform, protection) if announced else 0
    return (head + fields + payload_ofdm_symbols(n_symbols, waveform)) * waveform.symbol_len


def air_time_s(
    n_symbols: int, waveform: WaveformConfig, protection: Protection = NORMAL, announced: bool = False
) -> float:
    """Seconds on the air of a frame with `n_symbols` complex data symbols."""
    return frame_samples(n_symbols, waveform, protection, announced) / waveform.samp_rate
