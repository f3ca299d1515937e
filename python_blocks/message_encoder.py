"""Messages to payloads: semantic latents, or a source codec's bytes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pmt

from .inbox import Waiting
from .message_reader import MessageReader
from .pdu import make_pdu
from .systems import check_system, find_system
from .worker import pdu_worker

if TYPE_CHECKING:
    from m4sc.transport.asking import Sent


class message_encoder(pdu_worker):  # noqa: N801
    """Message encoder: message PDU in, payload PDU out, on a worker thread.

    Ports: ``messages`` and ``requests`` in, ``payload`` and ``status`` out.

    Reads of a message PDU (payload uint8: the file's bytes, or UTF-8): ``task`` (name), ``modality``
    (default: the task's), ``instruction`` (what the transmitter is told, optional), ``sequence`` (0 to
    65535, default: a running number that a restart does not repeat), ``picture`` (send the picture itself
    too, default false), ``look`` (of a picture send what the instruction points at alone, default
    false; ``status`` tells where: ``looked``, with ``looked_at`` and ``text``),
    ``symbols`` (complex symbols that a semantic payload may take, default: the task's
    own number). All other keys pass on. Adds ``task_id``, ``modality``, ``model_fingerprint`` (0 of
    the classical system), ``essential`` (leading symbols that every frame needs), ``unit`` (symbols that
    belong together) and ``spread`` (to be DFT-spread). The payload out is
    float32 (2 k,), I and Q of k complex symbols of unit mean power, or uint8: a source codec's bytes.

    A PDU on ``requests`` is a receiver's that is not sure of a message (:mod:`m4sc.transport.asking`; its
    payload is ``Request`` in bytes): the message is encoded once more, with more symbols where its codec has
    more, and sent under its number, with ``copy`` (1 for the second). Nothing waits for ``requests``: what
    there is no room for is dropped. Counters beside those of :class:`pdu_worker`: ``again`` (copies),
    ``refused`` (requests for what is not kept, or was sent often enough), ``requests_dropped``.

    Args:
        model: a loaded semantic system, or the name or folder of one; not needed for ``classical``.
        system: ``semantic``: the codec that carries the task; ``classical``: a source codec.
        snr_db: SNR (Es/N0 per data subcarrier, dB) told to the codec, None where unknown.
        codec: of ``classical``: object with ``source_encode(Message) -> bytes``; None for the project's WebP,
            Opus and Brotli.
        queue_len, on_error: see :class:`pdu_worker`.
        kept: messages that may be asked for, the last ones, of 64 MiB in all; 0 for none.
        copies: of a message at most, >= 1.
        linger_s: after ``done``, requests are waited for so long, s, from the last message or request on.
    """

    def __init__(
        self,
        model: Any = "default",
        system: str = "semantic",
        snr_db: float | None = None,
        codec: Any = None,
        queue_len: int = 16,
        on_error: str = "skip",
        kept: int = 64,
        copies: int = 8,
        linger_s: float = 0.0,
    ) -> None:
        super().__init__("m4sc_message_encoder", "messages", "payload", queue_len, on_error, "requests")
        from m4sc.transport.asking import Sent

        check_system(system)
        if not linger_s >= 0:
            raise ValueError(f"linger_s is {linger_s}; give seconds, 0 or more")
        self._model, self._system, self._snr_db, self._codec = model, system, snr_db, codec
        self._reader = MessageReader()
        self._sent: Sent[_Kept] = Sent(int(kept), int(copies))
        self._linger_s, self._last = float(linger_s), 0.0
        self._done: Waiting | None = None
        self.counters.update(again=0, refused=0)

    def start(self) -> bool:
        """Forget an end that did not come to pass; called by the scheduler."""
        self._done = None
        return super().start()

    def set_snr_db(self, snr_db: float | None) -> None:
        """Tell the encoder another SNR, dB; safe while running."""
        self._snr_db = snr_db

    def handle(self, waiting: Waiting) -> None:
        """One PDU; ``done`` waits until nobody has asked for a while."""
        if waiting.done and waiting.port == "messages" and self._linger_s > 0:
            self._done, self._last = waiting, time.monotonic()
            return
        super().handle(waiting)

    def handle_idle(self) -> None:
        """Pass ``done`` on once nobody has asked for a while."""
        super().handle_idle()
        if self._done is not None and time.monotonic() - self._last >= self._linger_s:
            done, self._done = self._done, None
            super().handle(done)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One message to its payload."""
        task, message = self._reader.read(meta, payload)
        if self._system == "classical":
            from m4sc.codecs.base import Budget
            from m4sc.codecs.classical import ClassicalCodec

            encoded = ClassicalCodec(None, self._codec).encode(message, task, Budget(snr_db=self._snr_db))
            yield from _payload(meta, task, encoded)
            return
        encoded = self._encode(meta, task, message, self._snr_db, meta.get("symbols"))
        if encoded.latents is not None:
            kept = _Kept(meta, payload, self._snr_db)
            self._sent.keep(_key(meta), kept, len(encoded.latents), payload.nbytes)
        self._last = time.monotonic()
        yield from _payload(meta, task, encoded)

    def process_back(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """A request: the message again, with more symbols where there are more."""
        from m4sc.transport.asking import Request

        if meta.get("back") == "report":  # for the ARQ mapper, by the same way
            return
        request = Request.from_bytes(payload.tobytes())
        try:
            kept, sent = self._sent.find(request)
        except ValueError as exc:
            self.counters["refused"] += 1
            self.report("refused", str(exc), meta)
            return
        task, message = self._reader.read(kept.meta, kept.payload)
        model, symbols = find_system(self._model), kept.meta.get("symbols")
        if request.copies and hasattr(model, "more"):  # a model of the user's own need not have more
            symbols = model.more(task.name, sent, symbols, bool(kept.meta.get("picture")))
        encoded = self._encode(kept.meta, task, message, kept.snr_db, symbols)
        self._sent.again(request, len(encoded.latents))
        self.counters["again"] += 1
        self._last = time.monotonic()
        yield from _payload({**kept.meta, "copy": request.copies}, task, encoded)

    def _encode(
        self, meta: dict[str, Any], task: Any, message: Any, snr_db: float | None, symbols: Any
    ) -> Any:
        """A message's payload by the semantic system, with so many symbols; None for its own number."""
        instruction = task.told(meta.get("instruction"), bool(meta.get("look")))
        more: dict[str, Any] = {name: True for name in ("picture", "look") if meta.get(name)}
        if symbols is not None:
            more["symbols"] = int(symbols)
        encoded = find_system(self._model).encode(message, task.name, instruction, snr_db=snr_db, **more)
        if getattr(encoded, "looked_at", None) is not None:
            told = {"block": self._title, "event": "looked", "sequence": meta["sequence"]}
            told |= {"looked_at": list(encoded.looked_at), "text": encoded.look}
            self.message_port_pub(pmt.intern("status"), make_pdu(told, b""))
        return encoded


@dataclass(frozen=True)
class _Kept:
    """What a message is encoded from, once more where somebody asks for it."""

    meta: dict[str, Any]
    payload: np.ndarray
    snr_db: float | None


def _key(meta: dict[str, Any]) -> tuple[int, int, int]:
    """Whose message it is, as a header tells a receiver."""
    return int(meta.get("source_id", 0)), int(meta.get("user_id", 0)), int(meta["sequence"])


def _payload(
    meta: dict[str, Any], task: Any, encoded: Any
) -> Iterable[tuple[dict[str, Any], np.ndarray | bytes]]:
    """An encoded message as a payload PDU."""
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
