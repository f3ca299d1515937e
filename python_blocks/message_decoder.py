"""Received frames to answers, whatever system sent them."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pmt

from .frame_assembly import FrameAssembly, meta_of_message
from .message_file import MIMES, message_bytes
from .pdu import is_done, make_pdu, read_pdu
from .systems import find_system
from .worker import pdu_worker

_KEPT_QUERIES = 4096
_SHOWN_SYMBOLS = 4096  # of a message, handed on for a constellation


class message_decoder(pdu_worker):  # noqa: N801
    """Message decoder: received symbols PDU in, answer PDU out, on a worker thread.

    Ports: ``symbols`` and ``query`` in, ``answers``, ``requests`` and ``status`` out. Frames are put together
    to messages (:mod:`m4sc.transport.assembler`); the codec that the message names answers: the model's, or
    for bytes without a model the classical one, whose decoded message the same model reads.

    Reads of a symbols PDU what :class:`frame_receiver` writes. A query PDU carries ``source_id`` (default 0),
    ``sequence`` and ``instruction``: the question for that message; it must come before the message. An
    answer PDU is UTF-8 text, or PNG bytes with ``mime`` = ``image/png`` and the words, if any came with the
    picture, in ``text``. Its metadata: ``sequence``, ``source_id``, ``user_id``, ``task``, ``task_id``,
    ``modality``, ``system`` (``semantic`` or ``classical``), ``instruction``, ``seconds``, ``snr_db``,
    ``cfo_hz``, ``n_segments``, ``lost_segments``, ``complex_symbols``, ``symbols`` (complex64, at most 4096
    of those received), ``h_hat`` of the last frame; ``confidence`` (0 to 1) and ``verified`` where the codec
    tells them; ``received`` (u8vector) of the classical system: the decoded message as PNG, WAV or UTF-8.

    An answer less sure than ``ask_below`` is held back, and ``requests`` asks for more of its message
    (:mod:`m4sc.transport.asking`): a PDU of ``back`` ("request"), ``source_id``, ``user_id``, ``sequence``,
    ``copies`` and, as payload, the same in bytes for the :class:`message_encoder` at the other end.
    ``copies`` of an answer tells from how many it was made.

    A message of another model pair is refused: counted as an error, ``status`` names both fingerprints. Lost
    messages are counted (``counters['lost']``) and reported on ``status`` as ``lost``.

    Args:
        model: a loaded semantic system, or the name or folder of one; None: the classical system's decoded
            message is the answer itself, and semantic messages are refused.
        zero_latents: replace what arrived by zeros, for the control experiment of the language prior.
        codec: of the classical system: object with ``source_decode(bytes, modality) -> Message``; None for
            the project's WebP, Opus and Brotli.
        timeout_s: from a message's last frame until it is closed incomplete, s, > 0.
        user_id, source_id: this receiver and the wanted transmitter, -1 for any.
        min_confidence: below it an answer is replaced by "not sure"; 0 for never.
        ask_below: an answer less sure than this, or a text whose check failed, is asked about; 0 for never.
        ask_copies: of a message at most, 2 to 255.
        ask_timeout_s: until a copy that did not come is asked for again, s, > 0.
        queue_len, on_error: see :class:`pdu_worker`.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default.
    """

    def __init__(
        self,
        model: Any = "default",
        zero_latents: bool = False,
        codec: Any = None,
        timeout_s: float = 10.0,
        user_id: int = -1,
        source_id: int = -1,
        min_confidence: float = 0.0,
        queue_len: int = 16,
        on_error: str = "skip",
        waveform: Any = None,
        ask_below: float = 0.0,
        ask_copies: int = 4,
        ask_timeout_s: float = 1.0,
    ) -> None:
        super().__init__("m4sc_message_decoder", "symbols", "answers", queue_len, on_error)
        from m4sc.transport.answering import Answering
        from m4sc.transport.asking import Asking, AskingConfig

        self._model, self._zero_latents = model, zero_latents
        find = None if model is None else lambda: find_system(self._model)
        self._answering = Answering(find, float(min_confidence), codec)
        self._frames = FrameAssembly(waveform, timeout_s, user_id, source_id, self.counters)
        config = AskingConfig(float(ask_below), int(ask_copies), timeout_s=float(ask_timeout_s))
        self._asking = Asking(config, self._combine, self._answer)
        self.counters.update(self._asking.counters)
        self._h_hat: Any = None
        self._queries: dict[tuple[int, int], str] = {}
        self.message_port_register_out(pmt.intern("requests"))
        self.message_port_register_in(pmt.intern("query"))
        self.set_msg_handler(pmt.intern("query"), self._accept_query)

    # --- questions --------------------------------------------------------------------------------------

    def set_query(self, source_id: int, sequence: int, instruction: str) -> None:
        """Ask this of message ``sequence`` of ``source_id``; safe while running."""
        while len(self._queries) >= _KEPT_QUERIES:
            self._queries.pop(next(iter(self._queries)), None)
        self._queries[(int(source_id), int(sequence) & 0xFFFF)] = str(instruction)

    def set_default_query(self, instruction: str | None) -> None:
        """Ask this of every message that has no question of its own; None for the task's own wording."""
        self._default_query = instruction

    _default_query: str | None = None

    def _accept_query(self, message: Any) -> None:
        try:
            meta, _ = read_pdu(message)
            if is_done(meta):
                return
            self.set_query(meta.get("source_id", 0), meta["sequence"], meta["instruction"])
        except (KeyError, ValueError, TypeError, RuntimeError) as exc:
            self.counters["errors"] += 1
            self.report("error", f"a query needs sequence and instruction ({exc})")

    # --- frames -----------------------------------------------------------------------------------------

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame; yields the answers of the messages that it completes or closes."""
        if "h_hat" in meta:
            self._h_hat = meta["h_hat"]
        yield from self._answers(self._frames.push(meta, payload))
        # under traffic without a pause too; where frames wait, what was asked for may be among them
        grace_s = 0.0 if self._inbox.is_empty() else self._asking.late_s
        yield from self._tell(self._asking.expire(time.monotonic(), grace_s), 0.0)

    def idle(self) -> Iterable[tuple[dict[str, Any], Any]]:
        """Close messages whose time is over, and ask again for what did not come."""
        yield from self._answers(self._frames.expire())
        yield from self._tell(self._asking.expire(time.monotonic()), 0.0)

    def finish(self) -> None:
        """Close what is incomplete at the end of the stream, and tell what waits for more."""
        self._guarded({}, lambda: self._answers(self._frames.flush()))
        self._guarded({}, lambda: self._tell(self._asking.flush(), 0.0))

    # --- messages ---------------------------------------------------------------------------------------

    def _answers(self, messages: Iterable[Any]) -> Iterable[tuple[dict[str, Any], Any]]:
        for message in messages:
            if message.received is None:
                meta = meta_of_message(message)
                self._queries.pop((meta["source_id"], meta["sequence"]), None)
                self.report("lost", message.reason, meta)
                continue
            started = time.monotonic()
            try:
                outcome = self._asking.push(message, started)
            except ValueError as exc:  # the messages after this one must still be answered
                self.counters["errors"] += 1
                self.report("error", str(exc), meta_of_message(message))
                continue
            yield from self._tell(outcome, time.monotonic() - started)

    def _answer(self, message: Any) -> Any:
        """The answer to a message with the question that it was asked."""
        if self._zero_latents and not message.received.data:
            heard = message.received
            silence = replace(heard, symbols=np.zeros_like(heard.symbols))
            message = replace(message, received=silence)
        return self._answering.answer(message, self._question(message.header))

    def _question(self, header: Any) -> str | None:
        return self._queries.get((header.source_id, header.sequence), self._default_query)

    def _combine(self, copies: Any, message: Any) -> Any:
        """Copies of a message as one, by the codec of its task."""
        from m4sc.codecs.base import Received
        from m4sc.codecs.combining import of_one_length
        from m4sc.tasks import task_by_id

        model = find_system(self._model)
        if not hasattr(model, "combine"):  # a model of the user's own need not know how
            return of_one_length(copies)
        pairs = [(one.symbols, one.noise_var) for one in copies]
        return Received(*model.combine(pairs, task_by_id(message.header.task_id).name))

    def _tell(self, outcome: Any, seconds: float) -> Iterable[tuple[dict[str, Any], Any]]:
        """Answers to tell; requests are sent first, since an answer may wait for room."""
        for request in outcome.requests:
            known = {"source_id": request.source_id, "user_id": request.user_id}
            asked = {"back": "request", **known, "sequence": request.sequence, "copies": request.copies}
            self.publish("requests", make_pdu(asked, request.to_bytes()))
        self.counters.update({k: v - self.counters[k] for k, v in self._asking.counters.items()})
        for told in outcome.told:
            yield self._told(told, seconds)

    def _told(self, told: Any, seconds: float) -> tuple[dict[str, Any], bytes]:
        from m4sc.tasks import task_by_id
        from m4sc.transport.answering import system_name

        message, meta = told.message, meta_of_message(told.message)
        received, task = message.received, task_by_id(int(meta["task_id"]))
        asked = self._question(message.header)
        self._queries.pop((meta["source_id"], meta["sequence"]), None)
        meta = {**meta, "task": task.name, "modality": task.modality, "instruction": asked}
        meta["system"], meta["copies"] = system_name(received), told.copies
        if not received.data:
            meta["complex_symbols"] = int(received.symbols.size)
            meta["symbols"] = np.ascontiguousarray(received.symbols[:_SHOWN_SYMBOLS], np.complex64)
        if self._h_hat is not None:
            meta["h_hat"] = np.asarray(self._h_hat, np.complex64)
        return self._answer_pdu(meta, told.answer, task, seconds)

    def _answer_pdu(
        self, meta: dict[str, Any], answer: Any, task: Any, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """Metadata and payload of an answer: text as UTF-8, a picture as PNG with its words in ``text``."""
        confidence, verified = getattr(answer, "confidence", None), getattr(answer, "verified", None)
        meta = {**meta, "seconds": float(seconds), "confidence": confidence, "verified": verified}
        message, picture, text = getattr(answer, "message", None), answer.image, str(answer.text)
        if message is not None:
            whole = message_bytes(message)
            meta["received"] = np.frombuffer(whole, np.uint8)
            if self._model is None:
                return {**meta, "mime": MIMES[task.modality]}, whole
        if picture is None:
            return {**meta, "mime": "text/plain"}, text.encode("utf-8")
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(np.asarray(picture, dtype=np.uint8)).save(buffer, "PNG")
        return {**meta, "mime": "image/png", "text": text}, buffer.getvalue()
