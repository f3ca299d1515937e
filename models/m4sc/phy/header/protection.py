"""How strongly a frame's header is protected: four ways, from two OFDM symbols to thirty-one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Protection:
    """One way to send preamble and header.

    Attributes:
        index: number of this way; a higher one stands more noise.
        name: for people.
        bits_per_symbol: 1 (BPSK) or 2 (QPSK).
        coded_bits: of the header's polar code, before OFDM symbols are filled by repetition.
        preambles: how often both sync words are sent.
        snr_db: Es/N0 from which at most 1 % of the frames are lost by detection or header, in AWGN with
            carrier offsets to 1.5 subcarriers, as ``m4sc bench frame`` measures it.
    """

    index: int
    name: str
    bits_per_symbol: int
    coded_bits: int
    preambles: int
    snr_db: float


PROTECTIONS = (
    Protection(0, "light", 2, 288, 1, 3.0),
    Protection(1, "normal", 1, 576, 1, -4.4),
    Protection(2, "strong", 1, 720, 2, -6.4),
    Protection(3, "strongest", 1, 1488, 3, -9.4),
)
NORMAL = PROTECTIONS[1]


def protection_for(snr_db: float, margin_db: float = 0.0) -> Protection:
    """The shortest protection that holds at `snr_db` less `margin_db`; the strongest if none does."""
    for protection in PROTECTIONS:
        if snr_db - margin_db >= protection.snr_db:
            return protection
    return PROTECTIONS[-1]


def get_protection(index: int) -> Protection:
    """Protection by number.

    Raises:
        ValueError: no such protection.
    """
    if not 0 <= index < len(PROTECTIONS):
        raise ValueError(f"there is no protection {index}; use 0 to {len(PROTECTIONS) - 1}")
    return PROTECTIONS[index]
