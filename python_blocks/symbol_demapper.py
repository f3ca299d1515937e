"""Received data symbols back to latents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .symbol_mapper import KINDS, data_carriers
from .worker import pdu_worker


def restored(meta: dict[str, Any], symbols: np.ndarray, n_carriers: int) -> tuple[dict[str, Any], np.ndarray]:
    """Metadata and symbols in the message's order, whatever the header says was done to them."""
    from m4sc.phy.arrangement import restore

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
    taken on a QAM grid: the semantic decoder reads the symbols as received, with their noise variance.
    Symbols of a digital payload are refused (they belong to the classical decoder).

    Args:
        queue_len: PDUs held at most, >= 1.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default; the mapper's.
    """

    def __init__(self, queue_len: int = 16, waveform: Any = None) -> None:
        super().__init__("m4sc_symbol_demapper", "symbols", "latents", queue_len)
        self._n_carriers = data_carriers(waveform)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame's symbols to latents."""
        from m4sc.phy.mapping import symbols_to_latents

        kind = str(meta.get("payload_kind", "analog"))
        if kind not in KINDS:
            raise ValueError(f"payload kind '{kind}' holds no latents; connect the classical decoder")
        meta, symbols = restored(meta, np.asarray(payload, dtype=np.complex64), self._n_carriers)
        latents = symbols_to_latents(symbols)
        yield meta, np.asarray(latents, dtype=np.float32).reshape(-1)
