"""Probe frames through radio ends, for the search of gains."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pmt
from gnuradio import gr, m4sc
from gnuradio.m4sc.pdu import is_done, make_pdu, read_pdu

from m4sc_flowgraphs.radio_ends import ReceiveEnd, TransmitEnd


class _Snrs(gr.basic_block):
    """Keeps the SNR estimate of every received frame."""

    def __init__(self) -> None:
        gr.basic_block.__init__(self, "m4sc_snrs", [], [])
        self.values: list[float] = []
        self.message_port_register_in(pmt.intern("frames"))
        self.set_msg_handler(pmt.intern("frames"), self._accept)

    def _accept(self, message: Any) -> None:
        meta, _ = read_pdu(message)
        if not is_done(meta):
            self.values.append(float(meta["snr_db"]))


class GainProbe(gr.top_block):
    """Transmitter and receiver of probe frames; needs no model.

    Args:
        waveform: ``WaveformConfig``.
        channel: block between both, instead of ends.
        receive: end to listen to.
        transmit: end to send to, None where another machine sends.
        amplitude: factor on the samples of ``channel``'s transmitter, linear.
    """

    def __init__(
        self,
        waveform: Any,
        channel: Any = None,
        receive: ReceiveEnd | None = None,
        transmit: TransmitEnd | None = None,
        amplitude: float = 1.0,
    ) -> None:
        super().__init__("M4SC gain probe", catch_exceptions=True)
        self.handle_sigint = False
        self.sends = transmit is not None or channel is not None
        self._begun, self._sequence, self._receive = False, 0, receive
        self._rng = np.random.default_rng(7)
        self.receiver, self.snrs = m4sc.frame_receiver(waveform), _Snrs()
        self.msg_connect(self.receiver, "symbols", self.snrs, "frames")
        if self.sends:
            gap = 800 if transmit is None else transmit.gap_samples
            key = "" if transmit is None else transmit.length_tag
            self.transmitter = m4sc.frame_transmitter(waveform, gap, packet_len_key=key, amplitude=amplitude)
        if channel is not None:
            self.channel = channel
            self.connect(self.transmitter, channel, self.receiver)
        if transmit is not None:
            self.connect(self.transmitter, transmit.block)
        if receive is not None:
            self.connect(receive.block, self.receiver)

    def begin(self) -> None:
        """Start, once."""
        if not self._begun:
            self._begun = True
            self.start()

    def end(self, seconds: float = 10.0) -> None:
        """Stop."""
        if not self._begun:
            return
        self.stop()
        waiter = threading.Thread(target=self.wait, daemon=True)
        waiter.start()
        waiter.join(seconds)

    def send(self, n_symbols: int) -> None:
        """One frame of so many random QPSK symbols."""
        symbols = np.exp(0.5j * np.pi * (self._rng.integers(4, size=n_symbols) + 0.5)).astype(np.complex64)
        pdu = make_pdu({"sequence": self._sequence & 0xFFFF}, symbols)
        self._sequence += 1
        self.transmitter.put(pdu, 0)

    def take_snrs(self) -> list[float]:
        """SNR estimates since the last call, dB."""
        taken = self.snrs.values[:]
        del self.snrs.values[: len(taken)]
        return taken

    def clipped_samples(self) -> int:
        """Samples at full scale so far."""
        return 0 if self._receive is None else int(self._receive.counters.get("clipped_samples", 0))
