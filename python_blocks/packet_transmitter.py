"""Bytes PDUs to OFDM packets of gr-digital's format."""

from __future__ import annotations

from typing import Any

import numpy as np

from .frame_transmitter import frame_transmitter


class packet_transmitter(frame_transmitter):  # noqa: N801
    """Packet transmitter: bytes PDU in, complex baseband samples out, as ``digital.ofdm_rx`` receives them.

    Ports: message ``symbols`` (bytes, in) and ``stop`` in, ``status`` out; stream out, complex64 at
    ``waveform.samp_rate``.

    Each PDU (uint8 (n,), 1 to 4091 bytes) becomes one packet: preamble, header, bytes and CRC-32, uncoded.
    Metadata read: ``sequence``, the packet's number modulo 4096 (0 if missing). Tags, gaps, ``stop``,
    ``status`` and counters are those of :class:`frame_transmitter`. Samples are those of
    ``digital.ofdm_tx`` over the square root of ``fft_len``.

    Args:
        waveform, gap_samples, idle, packet_len_key, amplitude, end_on_done, clip_db, queue_len: see
            :class:`frame_transmitter`.
        bits_per_symbol: ``bps_payload`` of gr-digital, 1 (BPSK), 2 (QPSK) or 3 (8PSK).
        scramble: ``scramble_bits`` of gr-digital.
    """

    def __init__(
        self,
        waveform: Any = None,
        bits_per_symbol: int = 1,
        scramble: bool = False,
        gap_samples: int = 800,
        idle: str = "wait",
        packet_len_key: str = "",
        amplitude: float = 1.0,
        end_on_done: bool = False,
        clip_db: float = float("inf"),
        queue_len: int = 64,
    ) -> None:
        from m4sc.phy.gr_digital.packet import PacketFormat

        self._format = PacketFormat(bits_per_symbol, scramble)
        frame_transmitter.__init__(
            self, waveform, gap_samples, idle, packet_len_key, amplitude, end_on_done, clip_db, queue_len
        )

    def _burst(self, meta: dict[str, Any], payload: np.ndarray) -> np.ndarray:
        from m4sc.phy.gr_digital.packet import modulate_packet

        if payload.dtype != np.uint8:
            raise ValueError(f"a packet's PDU holds bytes; got {payload.dtype}")
        number = int(meta.get("sequence", 0))
        return modulate_packet(payload.tobytes(), number, self.waveform, self._format)
