"""Received data symbols back to latents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .symbol_mapper import data_carriers
from .worker import pdu_worker

_UNKNOWN_NOISE = 1e-3  # complex noise variance for LLRs where the receiver gave none


def restored(meta: dict[str, Any], symbols: np.ndarray, n_carriers: int) -> tuple[dict[str, Any], np.ndarray]:
    """Metadata and symbols in the message's order, whatever the header says was done to them."""
    from m4sc.phy.modulation.arrangement import restore

    interleaved, precoded = bool(meta.get("interleaved", False)), bool(meta.get("precoded", False))
    if not (interleaved or precoded):
        return meta, symbols
    if "noise_var" not in meta:
        raise ValueError("the symbols PDU has no noise_var; connect the frame receiver")
    symbols, noise_var = restore(symbols, np.asarray(meta["noise_var"]), n_carriers, interleaved, precoded)
    return {**meta, "noise_var": noise_var, "interleaved": False, "precoded": False}, symbols


class symbol_demapper(pdu_worker):  # noqa: N801
    """Symbol demapper: received symbols PDU in, latents PDU out.

    Ports: ``symbols`` in, ``latents`` and ``status`` out. The payload in is complex64 (k,), equalised and
    unbiased, out float32 (2 k,). Interleaving and precoding are undone as the header's ``interleaved`` and
    ``precoded`` say, for ``noise_var`` (float32 (k,)) too; all other metadata pass on. No decision is
    taken on a QAM grid: the semantic decoder reads the symbols as received, with their noise variance, to
    which the grid's own is added.

    Of a ``digital`` payload (``mcs``, ``payload_bytes`` as in the header) the bits are decoded and give the
    quantised latents, with the quantiser's noise as ``noise_var``. A frame whose CRC fails is lost: counted
    (``counters['crc_errors']``) and reported on ``status``. One without ``model_fingerprint`` is of the
    classical system and refused.

    Args:
        queue_len: PDUs held at most, >= 1.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default; the mapper's.
    """

    def __init__(self, queue_len: int = 16, waveform: Any = None) -> None:
        super().__init__("m4sc_symbol_demapper", "symbols", "latents", queue_len)
        self._n_carriers = data_carriers(waveform)
        self.counters.update(crc_errors=0)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame's symbols to latents."""
        from m4sc.phy.modulation.payload import unmap_symbols

        kind = str(meta.get("payload_kind", "analog"))
        if kind == "digital" and not meta.get("model_fingerprint"):
            raise ValueError(
                "a digital payload without a model holds no latents; connect the classical decoder"
            )
        meta, symbols = restored(meta, np.asarray(payload, dtype=np.complex64), self._n_carriers)
        given = meta.get("noise_var")
        noise_var = np.full(symbols.size, _UNKNOWN_NOISE) if given is None else np.asarray(given)
        found = unmap_symbols(
            symbols, noise_var, kind, int(meta.get("mcs", 0)), int(meta.get("payload_bytes", 0))
        )
        if found is None:
            self.counters["crc_errors"] += 1
            self.report("crc_error", "CRC failed, the message is lost", meta)
            return
        latents, own = found
        if given is not None or kind == "digital":
            meta = {**meta, "noise_var": own}
        yield meta, latents.reshape(-1)
