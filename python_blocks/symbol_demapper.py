"""Received data symbols back to latents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .symbol_mapper import KINDS
from .worker import pdu_worker


class symbol_demapper(pdu_worker):  # noqa: N801
    """Symbol demapper: received symbols PDU in, latents PDU out.

    Ports: ``symbols`` in, ``latents`` and ``status`` out. The payload in is complex64 (k,), equalised and
    unbiased, out float32 (2 k,). ``noise_var`` and all other metadata pass on. No decision is taken on a
    QAM grid: the semantic decoder reads the symbols as received, with their noise variance. Symbols of a
    digital payload are refused (they belong to the classical decoder).
    """

    def __init__(self, queue_len: int = 16) -> None:
        super().__init__("m4sc_symbol_demapper", "symbols", "latents", queue_len)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame's symbols to latents."""
        from m4sc.phy.mapping import symbols_to_latents

        kind = str(meta.get("payload_kind", "analog"))
        if kind not in KINDS:
            raise ValueError(f"payload kind '{kind}' holds no latents; connect the classical decoder")
        latents = symbols_to_latents(np.asarray(payload, dtype=np.complex64))
        yield meta, np.asarray(latents, dtype=np.float32).reshape(-1)
