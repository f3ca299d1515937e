"""Copies of frames to decoded ones, and reports on each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pmt

from .frame_assembly import frame_of
from .pdu import make_pdu
from .worker import pdu_worker


class arq_combiner(pdu_worker):  # noqa: N801
    """ARQ combiner: received symbols PDU in, decodable symbols PDU out, and a report on every frame.

    Ports: ``symbols`` in, ``symbols``, ``reports`` and ``status`` out; behind :class:`frame_receiver`, before
    :class:`message_decoder` or :class:`symbol_demapper`. Copies of a digital frame are combined, each symbol
    weighted by its noise; the frame goes on once, when its check passes, with the combined symbols and
    ``noise_var`` and ``copies``. Frames of other kinds have no check and pass unchanged.

    ``reports`` carries one PDU a digital frame: ``back`` ("report"), ``source_id``, ``user_id``,
    ``sequence``, ``segment``, ``acknowledged``, ``snr_db`` (Es/N0 of this copy, dB), and as payload the same
    in bytes (``m4sc.transport.arq.Report``) for the :class:`arq_mapper` at the other end.

    Counters: those of :class:`pdu_worker` and of ``m4sc.transport.arq.Combiner``: ``decoded``, ``combined``,
    ``failed``, ``repeated``, ``given_up``.

    Args:
        timeout_s: until a frame that failed is forgotten, s, > 0.
        frames: failed frames kept at most, >= 1.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default; its data carriers count.
        queue_len: PDUs held at most, >= 1.
    """

    def __init__(
        self, timeout_s: float = 10.0, frames: int = 64, waveform: Any = None, queue_len: int = 16
    ) -> None:
        super().__init__("m4sc_arq_combiner", "symbols", "symbols", queue_len)
        from m4sc.phy.waveform import WaveformConfig
        from m4sc.transport.arq import Combiner, CombinerConfig

        shape = WaveformConfig() if waveform is None else waveform
        config = CombinerConfig(int(frames), timeout_s=float(timeout_s))
        self._combiner = Combiner(shape.n_data_carriers, config)
        self.counters.update(self._combiner.counters)
        self.message_port_register_out(pmt.intern("reports"))

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame; yields it combined with its copies once they are decoded."""
        if meta.get("payload_kind") != "digital":
            yield meta, payload
            return
        frame = frame_of(meta, payload)
        found = self._combiner.push(frame, time.monotonic())
        self.counters.update({k: v - self.counters[k] for k, v in self._combiner.counters.items()})
        report = found.report
        told = {
            "back": "report",
            "source_id": report.source_id,
            "user_id": report.user_id,
            "sequence": report.sequence,
            "segment": report.segment,
            "acknowledged": report.acknowledged,
            "snr_db": report.snr_db,
        }
        if found.symbols is not None:
            yield {**meta, "noise_var": found.noise_var, "copies": found.copies}, found.symbols
        if np.isfinite(report.snr_db):
            self.publish("reports", make_pdu(told, report.to_bytes()))
