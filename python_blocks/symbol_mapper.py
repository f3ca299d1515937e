"""Payloads to frames of data symbols."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from .worker import pdu_worker


class symbol_mapper(pdu_worker):  # noqa: N801
    """Symbol mapper: payload PDU in, one symbols PDU a frame out; the transport's sending side.

    Ports: ``payload`` in, ``symbols`` and ``status`` out. The payload in is float32 (2 k,), I and Q of k
    symbols, or uint8: bytes. Out is complex64 (n,) in the order in which it is sent, with as many PDUs as the
    message has frames (:mod:`m4sc.transport.frames`). Reads ``task_id``, ``modality``,
    ``model_fingerprint``, ``essential``, ``unit``, ``spread``, ``sequence``, ``source_id``, ``user_id`` and
    ``public``. All metadata pass on; adds ``payload_kind``, ``segment``, ``n_segments``, ``interleaved``,
    ``precoded``, ``mcs`` (``qam``: log2 of the order; ``digital``: index of the scheme), ``payload_bytes``
    and ``protection``.

    Interleaving is on by default: over TDL-C (1.5 us delay spread, 10 dB) the noise of a frame's tokens of 8
    symbols spreads over 1.0 dB (standard deviation) instead of 3.2 dB, and 6 % of them, not 16 %, have less
    than 3 dB of SNR.

    Args:
        kind: of symbols: ``analog`` (the pair is I and Q), ``qam`` (held to a square grid, so that any radio
            can send it) or ``digital`` (finite scalar quantisation, then CRC, 5G NR LDPC and QAM). Bytes are
            always ``digital``.
        qam_order: points of the grid of ``qam``, 4 to 4096.
        levels: of a real of ``digital``, 2 to 256.
        mcs: scheme of ``digital``, -1: the fastest that ``snr_db`` less ``margin_db`` carries.
        snr_db, margin_db: Es/N0 per data subcarrier and safety, dB, for that choice; an SNR of None is
            unknown, and 15 dB are reckoned with.
        interleave: permute symbols over carriers and time.
        precode: DFT-spread the data of each OFDM symbol; see ``m4sc bench papr`` for what it is worth.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default; its data carriers count.
        segment_symbols: symbols of an analogue frame at most, >= 1.
        segment_bytes: bytes of a digital frame at most, >= 1; fewer where the scheme is slow.
        protection: number of the header's, ``m4sc.phy.header.protection.PROTECTIONS``; -1: what the payload
            needs, for bytes by their scheme, for symbols by ``snr_db`` and never the lightest.
        queue_len: PDUs held at most, >= 1.
    """

    def __init__(
        self,
        kind: str = "analog",
        qam_order: int = 256,
        queue_len: int = 16,
        interleave: bool = True,
        precode: bool = False,
        waveform: Any = None,
        levels: int = 16,
        mcs: int = -1,
        snr_db: float | None = 15.0,
        margin_db: float = 1.0,
        segment_symbols: int = 8192,
        segment_bytes: int = 1024,
        protection: int = -1,
    ) -> None:
        super().__init__("m4sc_symbol_mapper", "payload", "symbols", queue_len)
        from m4sc.phy.modulation.payload import PayloadFormat, expected_snr_db
        from m4sc.phy.waveform import WaveformConfig
        from m4sc.transport.config import TransportConfig

        form = PayloadFormat(kind, qam_order, levels, mcs, expected_snr_db(snr_db), float(margin_db))
        shape = WaveformConfig() if waveform is None else waveform
        sizes = (int(segment_symbols), int(segment_bytes))
        self._config = TransportConfig(form, shape, bool(interleave), bool(precode), int(protection), *sizes)

    def set_snr_db(self, snr_db: float | None) -> None:
        """Choose the schemes of ``digital`` for another SNR, dB, None as above; safe while running."""
        from m4sc.phy.modulation.payload import expected_snr_db

        form = replace(self._config.form, snr_db=expected_snr_db(snr_db))
        self._config = replace(self._config, form=form)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message's payload to its frames."""
        from m4sc.transport.frames import to_frames

        for frame in to_frames(payload_of(meta, payload), address_of(meta), self._config):
            yield {**meta, **sent_as(frame)}, frame.symbols


def payload_of(meta: dict[str, Any], payload: np.ndarray) -> Any:
    """A payload PDU as the transport's; raises ValueError where it holds neither latents nor bytes."""
    from m4sc.codecs.base import Payload

    in_bytes = payload.dtype == np.uint8
    if payload.size == 0 or (not in_bytes and payload.size % 2):
        raise ValueError(f"{payload.size} latents; give pairs of I and Q, at least one, or bytes")
    return Payload(
        int(meta.get("task_id", 0)),
        str(meta.get("modality", "image")),
        int(meta.get("model_fingerprint", 0)),
        None if in_bytes else np.asarray(payload, dtype=np.float32).reshape(-1, 2),
        payload.tobytes() if in_bytes else b"",
        int(meta.get("essential", 0)),
        int(meta.get("unit", 1)),
        bool(meta.get("spread", False)),
        int(meta.get("mcs", -1)),
    )


def address_of(meta: dict[str, Any]) -> Any:
    """Who sends a payload PDU to whom."""
    from m4sc.transport.frames import Address

    return Address(
        int(meta.get("sequence", 0)),
        int(meta.get("source_id", 0)),
        int(meta.get("user_id", 0)),
        bool(meta.get("public", False)),
    )


def sent_as(frame: Any) -> dict[str, Any]:
    """Metadata that tell how a frame is sent."""
    header = frame.header
    return {
        "payload_kind": header.payload_kind.name.lower(),
        "mcs": header.mcs,
        "payload_bytes": header.payload_bytes,
        "segment": header.segment,
        "n_segments": header.n_segments,
        "interleaved": header.interleaved,
        "precoded": header.precoded,
        "protection": frame.protection.index,
    }
