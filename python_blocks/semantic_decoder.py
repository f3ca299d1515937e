"""Received latents to answers."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pmt

from .pdu import is_done, read_pdu
from .systems import find_system, fingerprint_of
from .worker import pdu_worker

_KEPT_QUERIES = 4096


class FingerprintError(ValueError):
    """Transmitter and receiver hold different models."""


class semantic_decoder(pdu_worker):  # noqa: N801
    """Semantic decoder: latents PDU in, answer PDU out, on a worker thread.

    Ports: ``latents`` and ``query`` in, ``answers`` and ``status`` out.

    Reads of a latents PDU (payload float32 (2 k,), I and Q as received and equalised): ``task_id`` or
    ``task``, ``noise_var`` (float32 (k,): complex noise variance of each symbol; default 0),
    ``model_fingerprint``, ``source_id``, ``sequence``. A query PDU carries ``source_id`` (default 0),
    ``sequence`` and ``instruction``: the question for that message; it must come before the message. An
    answer PDU is UTF-8 text, or PNG bytes with ``mime`` = ``image/png`` and the words, if any came with the
    picture, in ``text``; metadata as received, with ``task``, ``instruction`` and ``seconds``.

    Latents of another model pair are refused: counted as an error, ``status`` names both fingerprints.

    Args:
        model: a loaded semantic system, or the name or folder of one.
        zero_latents: replace what arrived by zeros, for the control experiment of the language prior.
        queue_len, on_error, on_full: see :class:`pdu_worker`.
    """

    _NAME, _IN_PORT = "m4sc_semantic_decoder", "latents"

    def __init__(
        self,
        model: Any = "default",
        zero_latents: bool = False,
        queue_len: int = 16,
        on_error: str = "skip",
        on_full: str = "wait",
    ) -> None:
        super().__init__(self._NAME, self._IN_PORT, "answers", queue_len, on_error, on_full)
        self._model, self._zero_latents = model, zero_latents
        self._queries: dict[tuple[int, int], str] = {}
        self.message_port_register_in(pmt.intern("query"))
        self.set_msg_handler(pmt.intern("query"), self._accept_query)

    def set_query(self, source_id: int, sequence: int, instruction: str) -> None:
        """Ask this of message ``sequence`` of ``source_id``; safe while running."""
        while len(self._queries) >= _KEPT_QUERIES:
            self._queries.pop(next(iter(self._queries)), None)
        self._queries[(int(source_id), int(sequence) & 0xFFFF)] = str(instruction)

    def _accept_query(self, message: Any) -> None:
        try:
            meta, _ = read_pdu(message)
            if is_done(meta):
                return
            self.set_query(meta.get("source_id", 0), meta["sequence"], meta["instruction"])
        except (KeyError, ValueError, TypeError, RuntimeError) as exc:
            self.counters["errors"] += 1
            self.report("error", f"a query needs sequence and instruction ({exc})")

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message's latents to its answer."""
        from m4sc.tasks import get_task, task_by_id

        task = task_by_id(int(meta["task_id"])) if "task_id" in meta else get_task(str(meta.get("task", "")))
        system = find_system(self._model)
        ours, theirs = fingerprint_of(system), int(meta.get("model_fingerprint", -1))
        if theirs != ours:
            raise FingerprintError(
                f"the transmitter's model is {theirs & 0xFFFFFFFF:08x}, the receiver's {ours:08x}; "
                "load the same weights"
            )
        if payload.dtype != np.float32 or payload.size == 0 or payload.size % 2:
            raise ValueError(f"{payload.size} latents of {payload.dtype}; give float32 pairs of I and Q")
        symbols = np.ascontiguousarray(payload).view(np.complex64)
        noise_var = np.asarray(meta.get("noise_var", np.zeros(symbols.size)), dtype=np.float32)
        if noise_var.size != symbols.size:
            raise ValueError(
                f"noise_var has {noise_var.size} entries for {symbols.size} symbols; give one each"
            )
        if self._zero_latents:
            symbols = np.zeros_like(symbols)
        key = (int(meta.get("source_id", 0)), int(meta.get("sequence", 0)))
        instruction = self._queries.pop(key, None)
        started = time.monotonic()
        answer = system.decode(symbols, noise_var, task.name, instruction)
        meta = {**meta, "task": task.name, "modality": task.modality, "instruction": instruction}
        yield answer_pdu(meta, answer, time.monotonic() - started)


def answer_pdu(meta: dict[str, Any], answer: Any, seconds: float) -> tuple[dict[str, Any], bytes]:
    """Metadata and payload of an answer: text as UTF-8, a picture as PNG with its words in ``text``."""
    picture = getattr(answer, "image", None)
    meta = {**meta, "seconds": float(seconds)}
    if picture is None:
        return {**meta, "mime": "text/plain"}, str(getattr(answer, "text", answer)).encode("utf-8")
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.asarray(picture, dtype=np.uint8)).save(buffer, "PNG")
    return {**meta, "mime": "image/png", "text": str(getattr(answer, "text", ""))}, buffer.getvalue()
