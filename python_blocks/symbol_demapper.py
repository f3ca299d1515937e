"""Received frames back to payloads, for decoders of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .frame_assembly import FrameAssembly, meta_of_message
from .worker import pdu_worker


class symbol_demapper(pdu_worker):  # noqa: N801
    """Symbol demapper: received symbols PDU in, one payload PDU a message out.

    Ports: ``symbols`` in, ``payload`` and ``status`` out. The payload in is complex64 (k,), equalised and
    unbiased; out is float32 (2 k,), I and Q in the message's order, with ``noise_var`` (float32 (k,)), or
    uint8: the message's bytes. No decision is taken on a QAM grid: latents are handed on as received, the
    grid's own noise added to ``noise_var``. Symbols of a lost frame are 0 with an infinite ``noise_var``.
    Of ``digital`` frames the bits are decoded; quantised latents come with the quantiser's noise.

    A message of bytes with a lost frame or a failed CRC is lost: counted (``counters['lost']``,
    ``counters['crc_errors']``) and reported on ``status``. :class:`message_decoder` does all this by itself.

    Args:
        queue_len: PDUs held at most, >= 1.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default; the mapper's.
        timeout_s: from a message's last frame until it is closed incomplete, s, > 0.
        user_id, source_id: this receiver and the wanted transmitter, -1 for any.
    """

    def __init__(
        self,
        queue_len: int = 16,
        waveform: Any = None,
        timeout_s: float = 10.0,
        user_id: int = -1,
        source_id: int = -1,
    ) -> None:
        super().__init__("m4sc_symbol_demapper", "symbols", "payload", queue_len)
        self._frames = FrameAssembly(waveform, timeout_s, user_id, source_id, self.counters)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame; yields the messages that it completes or closes."""
        return self._payloads(self._frames.push(meta, payload))

    def idle(self) -> Iterable[tuple[dict[str, Any], Any]]:
        """Close messages whose time is over."""
        return self._payloads(self._frames.expire())

    def finish(self) -> None:
        """Close what is incomplete at the end of the stream."""
        self._guarded({}, lambda: self._payloads(self._frames.flush()))

    def _payloads(self, messages: Iterable[Any]) -> Iterable[tuple[dict[str, Any], Any]]:
        for message in messages:
            meta, received = meta_of_message(message), message.received
            if received is None:
                self.report("lost", message.reason, meta)
            elif received.data:
                yield meta, received.data
            else:
                symbols = np.ascontiguousarray(received.symbols, np.complex64)
                yield {**meta, "noise_var": received.noise_var}, symbols.view(np.float32)
