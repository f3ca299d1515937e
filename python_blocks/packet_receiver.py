"""A stream of samples to the bytes of packets in gr-digital's format."""

from __future__ import annotations

from typing import Any

import numpy as np

from .frame_receiver import NOTHING_SHARED, Shared, frame_receiver


class packet_receiver(frame_receiver):  # noqa: N801
    """Packet receiver: complex baseband samples of ``digital.ofdm_tx`` in, bytes PDU out.

    Ports: stream in, complex64 at ``waveform.samp_rate``; message ``symbols`` (bytes), ``csi`` and
    ``status`` out.

    The payload out is uint8 (n,), without the CRC-32; metadata: ``sequence`` (the packet's number, modulo
    4096), ``snr_db``, ``cfo_hz``, ``sfo_ppm``, ``h_hat``, ``start_sample``. A packet whose CRC-32 is wrong
    is dropped, counted as ``crc_errors`` and reported on ``status``. Tags, ``csi``, ``status`` and the
    other counters are those of :class:`frame_receiver`.

    Args:
        waveform: see :class:`frame_receiver`.
        bits_per_symbol: ``bps_payload`` of gr-digital, 1 (BPSK), 2 (QPSK) or 3 (8PSK).
        scramble: ``scramble_bits`` of gr-digital.
        on_full: see :class:`frame_receiver`.
    """

    def __init__(
        self,
        waveform: Any = None,
        bits_per_symbol: int = 1,
        scramble: bool = False,
        on_full: str = "wait",
    ) -> None:
        from m4sc.phy.gr_digital.packet import PacketFormat

        self._format = PacketFormat(bits_per_symbol, scramble)
        frame_receiver.__init__(self, waveform, on_full)
        self._counts["crc_errors"] = 0

    def _demodulator(self) -> Any:
        from m4sc.phy.gr_digital.demodulator import PacketDemodulator

        return PacketDemodulator(self.waveform, self._format)

    def _warm_up(self) -> None:
        from m4sc.phy.warm_up import packets_are_warm

        packets_are_warm(self.waveform, self._format)

    def _shared(self, frame: Any) -> Shared:
        return NOTHING_SHARED

    def _meta(self, frame: Any) -> dict[str, Any]:
        return {
            "sequence": frame.number,
            "snr_db": float(frame.snr_db),
            "cfo_hz": float(frame.cfo_hz),
            "sfo_ppm": float(frame.sfo_ppm),
            "h_hat": np.asarray(frame.h_hat, dtype=np.complex64),
            "start_sample": int(frame.start_sample),
        }

    def _payload(self, frame: Any) -> np.ndarray:
        return np.frombuffer(frame.payload, np.uint8)

    def _publish(self, frame: Any, heard: bool) -> None:
        from m4sc.phy.receiver import Fault

        if frame.valid:
            frame_receiver._publish(self, frame, heard)
            return
        self._counts["crc_errors"] += 1
        reason = f"packet {frame.number} has a wrong CRC-32; dropped"
        self._report_fault(Fault("crc_errors", int(frame.start_sample), True, reason))
