"""Payloads to frames that are sent again until the receiver has them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import pmt

from .pdu import is_done, read_pdu
from .worker import pdu_worker

_LOOK_S = 0.01
_REPORTS = 64  # that wait at most: of one frame under way there is hardly more than one


class arq_mapper(pdu_worker):  # noqa: N801
    """ARQ mapper: payload PDU in, symbols PDUs out, each frame again until it is acknowledged.

    Ports: ``payload`` and ``reports`` in, ``symbols`` and ``status`` out. In the place of
    :class:`symbol_mapper`, where there is a way back from an :class:`arq_combiner`: a message port, ZeroMQ
    (``zeromq.pub_msg_sink``), or frames of the other end. Payloads are those that :class:`symbol_mapper`
    reads; latents are quantised, so that each frame has a check. Stop and wait
    (:mod:`m4sc.transport.arq`): the scheme of each message and the protection of each frame follow the SNR
    that was reported last; a receiver that is not heard is asked with more protection.

    The metadata out are those of :class:`symbol_mapper`, with ``copy`` (0 for a frame's first). A report is
    a PDU whose payload is ``m4sc.transport.arq.Report`` in bytes; anything else on ``reports`` is counted as
    an error. A message that is given up is reported on ``status`` (``event`` ``lost``).

    Counters: those of :class:`pdu_worker` and of ``m4sc.transport.arq.ArqSender``: ``messages``
    acknowledged, ``given_up``, ``again``, ``anew``, ``silent``, ``strange``.

    Args:
        timeout_s: until a frame without a report is sent again, s, > 0; longer than frame, channel and the
            way back take.
        tries: copies of a frame at most, >= 1; then its message is given up.
        levels: of a real of quantised latents, 2 to 256.
        interleave: permute symbols over carriers and time.
        segment_bytes: bytes of a frame at most, >= 1; fewer where the scheme is slow.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default; its data carriers count.
        queue_len: PDUs held at most, >= 1.
    """

    def __init__(
        self,
        timeout_s: float = 1.0,
        tries: int = 32,
        levels: int = 16,
        interleave: bool = True,
        segment_bytes: int = 1024,
        waveform: Any = None,
        queue_len: int = 16,
    ) -> None:
        super().__init__("m4sc_arq_mapper", "payload", "symbols", queue_len)
        from m4sc.phy.modulation.payload import PayloadFormat
        from m4sc.phy.waveform import WaveformConfig
        from m4sc.transport.arq import ArqConfig, ArqSender
        from m4sc.transport.config import TransportConfig

        transport = TransportConfig(
            PayloadFormat(kind="digital", levels=levels),
            WaveformConfig() if waveform is None else waveform,
            bool(interleave),
            segment_bytes=int(segment_bytes),
        )
        self._sender = ArqSender(transport, ArqConfig(timeout_s=float(timeout_s), tries=int(tries)))
        self._arrived: deque[Any] = deque(maxlen=_REPORTS)
        self._heard = threading.Event()
        self._copy_counts()
        self.message_port_register_in(pmt.intern("reports"))
        self.set_msg_handler(pmt.intern("reports"), self._accept_report)

    def _copy_counts(self) -> None:
        for name, count in self._sender.counters.items():
            if name != "sent":  # the block's own says so
                self.counters[name] = count

    def _accept_report(self, message: Any) -> None:
        """On the scheduler's thread."""
        from m4sc.transport.arq import Report

        try:
            meta, payload = read_pdu(message)
            if is_done(meta) or meta.get("back") == "request":  # for the encoder, by the same way
                return
            self._arrived.append(Report.from_bytes(payload.tobytes()))
            self._heard.set()
        except (ValueError, TypeError, RuntimeError) as exc:
            self.counters["errors"] += 1
            self.report("error", f"not a report: {exc}")

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message; yields its frames, and again those that are not acknowledged, until all are."""
        from .symbol_mapper import address_of, payload_of, sent_as

        given_up = self._sender.counters["given_up"]
        self._sender.offer(payload_of(meta, payload), address_of(meta))
        copies: dict[int, int] = {}
        while len(self._sender) and not self._stopping.is_set():
            self._heard.clear()
            while self._arrived:
                self._sender.take(self._arrived.popleft())
            frame = self._sender.poll(time.monotonic())
            self._copy_counts()
            if frame is None:
                self._heard.wait(_LOOK_S)
                continue
            segment = frame.header.segment
            yield {**meta, **sent_as(frame), "copy": copies.get(segment, 0)}, frame.symbols
            copies[segment] = copies.get(segment, 0) + 1
        self._copy_counts()
        if self._sender.counters["given_up"] > given_up:
            self.report("lost", "the receiver did not acknowledge it; given up", meta)
