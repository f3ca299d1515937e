"""Messages to semantic latents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .message_reader import MessageReader
from .systems import find_system, fingerprint_of
from .worker import pdu_worker


class semantic_encoder(pdu_worker):  # noqa: N801
    """Semantic encoder: message PDU in, latents PDU out, on a worker thread.

    Ports: ``messages`` in, ``latents`` and ``status`` out.

    Reads of a message PDU (payload uint8: the file's bytes, or UTF-8): ``task`` (name), ``modality``
    (default: the task's), ``instruction`` (what the transmitter is told, optional), ``sequence`` (0 to
    65535, default: a running number), ``picture`` (send the picture itself too, default
    false). All other keys pass on. Adds ``task_id``, ``modality``, ``model_fingerprint``. The payload out is
    float32 (2 k,): I and Q of k complex symbols, unit mean power.

    Args:
        model: a loaded semantic system, or the name or folder of one.
        snr_db: SNR (Es/N0 per data subcarrier, dB) told to the encoder, None where unknown.
        queue_len, on_error, on_full: see :class:`pdu_worker`.
    """

    def __init__(
        self,
        model: Any = "default",
        snr_db: float | None = None,
        queue_len: int = 16,
        on_error: str = "skip",
        on_full: str = "wait",
    ) -> None:
        super().__init__("m4sc_semantic_encoder", "messages", "latents", queue_len, on_error, on_full)
        self._model, self._snr_db, self._reader = model, snr_db, MessageReader()

    def set_snr_db(self, snr_db: float | None) -> None:
        """Tell the encoder another SNR, dB; safe while running."""
        self._snr_db = snr_db

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message to its latents."""
        task, message = self._reader.read(meta, payload)
        system = find_system(self._model)
        # a free question belongs to the receiver; the transmitter encodes for any question
        instruction = None if task.needs_question else meta.get("instruction")
        more = {"picture": True} if meta.get("picture") else {}
        encoded = system.encode(message, task.name, instruction, snr_db=self._snr_db, **more)
        latents = np.asarray(encoded.latents, dtype=np.float32).reshape(-1)
        yield (
            {
                **meta,
                "task": task.name,
                "task_id": task.task_id,
                "modality": task.modality,
                "model_fingerprint": fingerprint_of(system),
            },
            latents,
        )
