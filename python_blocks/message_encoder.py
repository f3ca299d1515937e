"""Messages to payloads: semantic latents, or a source codec's bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .message_reader import MessageReader
from .systems import check_system, find_system
from .worker import pdu_worker


class message_encoder(pdu_worker):  # noqa: N801
    """Message encoder: message PDU in, payload PDU out, on a worker thread.

    Ports: ``messages`` in, ``payload`` and ``status`` out.

    Reads of a message PDU (payload uint8: the file's bytes, or UTF-8): ``task`` (name), ``modality``
    (default: the task's), ``instruction`` (what the transmitter is told, optional), ``sequence`` (0 to
    65535, default: a running number that a restart does not repeat), ``picture`` (send the picture itself
    too, default false), ``symbols`` (complex symbols that a semantic payload may take, default: the task's
    own number). All other keys pass on. Adds ``task_id``, ``modality``, ``model_fingerprint`` (0 of
    the classical system), ``essential`` (leading symbols that every frame needs), ``unit`` (symbols that
    belong together) and ``spread`` (to be DFT-spread). The payload out is
    float32 (2 k,), I and Q of k complex symbols of unit mean power, or uint8: a source codec's bytes.

    Args:
        model: a loaded semantic system, or the name or folder of one; not needed for ``classical``.
        system: ``semantic``: the codec that carries the task; ``classical``: a source codec.
        snr_db: SNR (Es/N0 per data subcarrier, dB) told to the codec, None where unknown.
        codec: of ``classical``: object with ``source_encode(Message) -> bytes``; None for the project's WebP,
            Opus and Brotli.
        queue_len, on_error: see :class:`pdu_worker`.
    """

    def __init__(
        self,
        model: Any = "default",
        system: str = "semantic",
        snr_db: float | None = None,
        codec: Any = None,
        queue_len: int = 16,
        on_error: str = "skip",
    ) -> None:
        super().__init__("m4sc_message_encoder", "messages", "payload", queue_len, on_error)
        check_system(system)
        self._model, self._system, self._snr_db, self._codec = model, system, snr_db, codec
        self._reader = MessageReader()

    def set_snr_db(self, snr_db: float | None) -> None:
        """Tell the encoder another SNR, dB; safe while running."""
        self._snr_db = snr_db

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message to its payload."""
        task, message = self._reader.read(meta, payload)
        # a free question belongs to the receiver; the transmitter encodes for any question
        instruction = None if task.needs_question else meta.get("instruction")
        if self._system == "classical":
            from m4sc.codecs.base import Budget
            from m4sc.codecs.classical import ClassicalCodec

            encoded = ClassicalCodec(None, self._codec).encode(message, task, Budget(snr_db=self._snr_db))
        else:
            more: dict[str, Any] = {"picture": True} if meta.get("picture") else {}
            if meta.get("symbols") is not None:
                more["symbols"] = int(meta["symbols"])
            system = find_system(self._model)
            encoded = system.encode(message, task.name, instruction, snr_db=self._snr_db, **more)
        told = {
            "task": task.name,
            "task_id": task.task_id,
            "modality": task.modality,
            "model_fingerprint": encoded.fingerprint,
            "essential": encoded.essential,
            "unit": encoded.unit,
            "spread": encoded.spread,
            "mcs": encoded.mcs,
        }
        if encoded.latents is None:
            yield {**meta, **told}, encoded.data
        else:
            yield {**meta, **told}, np.asarray(encoded.latents, dtype=np.float32).reshape(-1)
