"""One thing that happens on a link, as plain values; needs no GNU Radio."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FRAME_KEYS = (
    "sequence",
    "source_id",
    "user_id",
    "segment",
    "n_segments",
    "payload_kind",
    "modality",
    "snr_db",
    "cfo_hz",
    "sfo_ppm",
    "start_sample",
)
ANSWER_KEYS = (
    "sequence",
    "source_id",
    "task",
    "modality",
    "system",
    "instruction",
    "snr_db",
    "copies",
    "cfo_hz",
    "seconds",
    "confidence",
    "verified",
    "n_segments",
    "lost_segments",
    "complex_symbols",
)
"""Of an answer, beside ``answer``."""


@dataclass(frozen=True)
class LinkEvent:
    """One event.

    Attributes:
        kind: ``queued``, ``sent``, ``frame``, ``answer``, ``fault``, ``peer``, ``lost`` or another word.
        time_s: Unix time, s.
        values: plain values, fit for JSON.
        data: arrays and bytes: ``symbols``, ``h_hat``, ``picture``, ``received``, ``payload``.
    """

    kind: str
    time_s: float
    values: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The event without its arrays."""
        return {"event": self.kind, "time_s": round(self.time_s, 6), **self.values}


def private_lost(sequence: object, reason: object) -> dict[str, Any]:
    """Values of the event that of a frame of several users the public part alone is left for this one."""
    return {"reason": str(reason), "text": f"#{sequence} public part alone: {reason}"}
