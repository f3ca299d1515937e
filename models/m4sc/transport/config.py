"""How messages are cut and sent, and what a receiver keeps of those that are not whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from m4sc.phy.header.protection import NORMAL
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.phy.waveform import WaveformConfig
from m4sc.transport.budget import AUTO, chosen_protection


@dataclass(frozen=True)
class TransportConfig:
    """Sender's side.

    Attributes:
        form: how symbols are sent: analog, on a QAM grid, or quantised and coded.
        waveform: of the link: carriers for the interleaver, longest frame, air time.
        interleave: permute a frame's symbols over carriers and time.
        precode: DFT-spread the data of each OFDM symbol, also of payloads that do not ask for it.
        protection: of preamble and header, by number (:mod:`m4sc.phy.header.protection`); `AUTO`: what the
            payload needs.
        segment_symbols: complex symbols of an analogue frame at most.
        segment_bytes: bytes of a digital frame at most; fewer where the scheme is slow and the frame full.
    """

    form: PayloadFormat = field(default_factory=PayloadFormat)
    waveform: WaveformConfig = field(default_factory=WaveformConfig)
    interleave: bool = True
    precode: bool = False
    protection: int = AUTO
    segment_symbols: int = 8192
    segment_bytes: int = 1024

    def __post_init__(self) -> None:
        chosen_protection(self.protection, NORMAL)
        for name in ("segment_symbols", "segment_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    @property
    def most_symbols(self) -> int:
        """Complex symbols of any frame at most."""
        return min(self.segment_symbols, self.waveform.max_payload_symbols)


@dataclass(frozen=True)
class AssemblerConfig:
    """Receiver's side.

    Attributes:
        timeout_s: from a message's last frame until it is given up or delivered with erasures, s, > 0.
        max_messages: incomplete messages kept at most.
        max_bytes: memory of all that is kept at most, bytes.
    """

    timeout_s: float = 10.0
    max_messages: int = 64
    max_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s is {self.timeout_s}; give seconds above 0")
        if self.max_messages < 1 or self.max_bytes < 1:
            raise ValueError("max_messages and max_bytes must be at least 1")
