"""Messages through a source codec and a channel code, for comparison."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .message_reader import MessageReader
from .symbol_mapper import data_carriers
from .worker import pdu_worker


class classical_encoder(pdu_worker):  # noqa: N801
    """Classical encoder: message PDU in, one symbols PDU a frame out.

    Ports: ``messages`` in, ``symbols`` and ``status`` out. Source codec (picture, sound, text), then
    segments of at most ``segment_bytes``, each a transport block with CRC, 5G NR LDPC and QAM. Metadata in
    as for :class:`semantic_encoder`; adds ``payload_kind`` = ``digital``, ``mcs``, ``segment``,
    ``n_segments``, ``payload_bytes``, ``interleaved``, ``precoded``.

    Args:
        codec: object with ``source_encode(Message) -> bytes``; None for ``m4sc.codecs.source_coding``'s.
        snr_db: SNR (Es/N0 per data subcarrier, dB) for which the modulation and coding scheme is chosen.
        margin_db: subtracted from it before choosing.
        mcs: index of a fixed scheme instead, -1 to choose.
        segment_bytes: bytes of one frame at most, >= 1; fewer where the scheme is slow and the frame full.
        queue_len, on_error, on_full: see :class:`pdu_worker`.
        interleave, precode, waveform: see :class:`symbol_mapper`.
    """

    def __init__(
        self,
        codec: Any = None,
        snr_db: float = 20.0,
        margin_db: float = 1.0,
        mcs: int = -1,
        segment_bytes: int = 1024,
        queue_len: int = 16,
        on_error: str = "skip",
        on_full: str = "wait",
        interleave: bool = True,
        precode: bool = False,
        waveform: Any = None,
    ) -> None:
        super().__init__("m4sc_classical_encoder", "messages", "symbols", queue_len, on_error, on_full)
        if segment_bytes < 1:
            raise ValueError(f"segment_bytes is {segment_bytes}; give at least 1")
        self._codec, self._snr_db, self._margin_db = codec, float(snr_db), float(margin_db)
        self._interleave, self._precode = bool(interleave), bool(precode)
        self._n_carriers = data_carriers(waveform)
        self._mcs, self._segment_bytes, self._reader = mcs, segment_bytes, MessageReader()

    def set_snr_db(self, snr_db: float) -> None:
        """Choose schemes for another SNR, dB; safe while running."""
        self._snr_db = float(snr_db)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message to its frames."""
        from m4sc.phy.modulation.arrangement import arrange
        from m4sc.phy.modulation.digital import encode_transport, most_bytes
        from m4sc.phy.waveform import WaveformConfig

        task, message = self._reader.read(meta, payload)
        coded = find_codec(self._codec).source_encode(message)
        if not coded:
            raise ValueError("the source codec gave no bytes; the message is empty")
        mcs = self._scheme(min(len(coded), self._segment_bytes))
        size = min(self._segment_bytes, most_bytes(mcs, WaveformConfig().max_payload_symbols))
        parts = [coded[i : i + size] for i in range(0, len(coded), size)]
        for segment, part in enumerate(parts):
            mcs = min(mcs, self._scheme(len(part)))  # a short last segment needs a more robust scheme
            symbols = arrange(encode_transport(part, mcs), self._n_carriers, self._interleave, self._precode)
            yield (
                {
                    **meta,
                    "task_id": task.task_id,
                    "modality": task.modality,
                    "payload_kind": "digital",
                    "mcs": mcs,
                    "segment": segment,
                    "n_segments": len(parts),
                    "payload_bytes": len(part),
                    "interleaved": self._interleave,
                    "precoded": self._precode,
                },
                symbols,
            )

    def _scheme(self, n_bytes: int) -> int:
        from m4sc.phy.modulation.mcs import select_mcs

        if self._mcs >= 0:
            return self._mcs
        return select_mcs(self._snr_db, self._margin_db, n_bytes).index


def find_codec(codec: Any) -> Any:
    """The codec given, or ``m4sc.codecs.source_coding``'s: ``source_encode`` and ``source_decode``."""
    if codec is not None:
        return codec
    import m4sc.codecs.source_coding

    return m4sc.codecs.source_coding
