"""Latents to data symbols."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .worker import pdu_worker

KINDS = ("analog", "qam")


def check_kind(kind: str, qam_order: int) -> None:
    """Raise ValueError unless ``kind`` and ``qam_order`` can be sent."""
    if kind not in KINDS:
        raise ValueError(f"payload kind is '{kind}'; use 'analog' or 'qam'")
    if kind == "qam" and qam_order not in (4, 16, 64, 256, 1024, 4096):
        raise ValueError(f"qam_order is {qam_order}; use 4, 16, 64, 256, 1024 or 4096")


class symbol_mapper(pdu_worker):  # noqa: N801
    """Symbol mapper: latents PDU in, symbols PDU out.

    Ports: ``latents`` in, ``symbols`` and ``status`` out. The payload in is float32 (2 k,), out complex64
    (k,). All metadata pass on; adds ``payload_kind`` and, for ``qam``, ``mcs`` = log2 of the order.

    Args:
        kind: ``analog`` (the pair is I and Q) or ``qam`` (held to a square grid, so that any radio can send
            it).
        qam_order: points of the grid, 4 to 4096.
    """

    def __init__(self, kind: str = "analog", qam_order: int = 256, queue_len: int = 16) -> None:
        super().__init__("m4sc_symbol_mapper", "latents", "symbols", queue_len)
        check_kind(kind, qam_order)
        self._kind, self._qam_order = kind, qam_order

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message's latents to its symbols."""
        from m4sc.phy.mapping import latents_to_symbols

        if payload.size == 0 or payload.size % 2:
            raise ValueError(f"{payload.size} latents; give pairs of I and Q, at least one")
        latents = np.asarray(payload, dtype=np.float32).reshape(-1, 2)  # (k, 2)
        symbols = latents_to_symbols(latents, self._kind, self._qam_order)
        mcs = int(np.log2(self._qam_order)) if self._kind == "qam" else 0
        yield {**meta, "payload_kind": self._kind, "mcs": mcs}, np.asarray(symbols, dtype=np.complex64)
