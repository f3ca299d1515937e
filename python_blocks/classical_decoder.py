"""Digital frames back to messages, and to the answers of the same model."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .classical_encoder import find_codec
from .semantic_decoder import answer_pdu, semantic_decoder
from .symbol_demapper import restored
from .symbol_mapper import data_carriers
from .systems import find_system


@dataclass
class _Partial:
    """Segments of one message that came so far."""

    n_segments: int
    deadline: float
    meta: dict[str, Any]
    parts: dict[int, bytes] = field(default_factory=dict)


class classical_decoder(semantic_decoder):  # noqa: N801
    """Classical decoder: received symbols PDU in, answer PDU out.

    Ports: ``symbols`` and ``query`` in, ``answers`` and ``status`` out. Soft demapping, LDPC and CRC of
    each frame, then the segments of a message are put together and its source codec decoded. With a model,
    the same MLLM as the semantic system's reads the decoded message and answers; without, the decoded
    message is the answer. The answer PDU also has ``received`` (u8vector): the decoded message as PNG, WAV
    or UTF-8.

    A frame whose CRC fails, and a message that is incomplete after ``timeout_s`` or at the end, count as
    lost (``counters['crc_errors']``, ``counters['incomplete']``) and are reported on ``status``.

    Args:
        model: a semantic system or the name of one; None to hand on the decoded message itself.
        codec: object with ``source_decode(bytes, modality) -> Message``; None for
            ``m4sc.codecs.source_coding``'s.
        timeout_s: from a message's first segment to its last, s, > 0.
        queue_len, on_error, on_full: see :class:`pdu_worker`.
        waveform: ``m4sc.phy.waveform.WaveformConfig``, None for the default; the encoder's.
    """

    _NAME, _IN_PORT = "m4sc_classical_decoder", "symbols"

    def __init__(
        self,
        model: Any = None,
        codec: Any = None,
        timeout_s: float = 10.0,
        queue_len: int = 16,
        on_error: str = "skip",
        on_full: str = "wait",
        waveform: Any = None,
    ) -> None:
        super().__init__(model, False, queue_len, on_error, on_full)
        if not timeout_s > 0:
            raise ValueError(f"timeout_s is {timeout_s}; give seconds above 0")
        self._codec, self._timeout_s = codec, float(timeout_s)
        self._n_carriers = data_carriers(waveform)
        self._partials: dict[tuple[int, int], _Partial] = {}
        self.counters.update(crc_errors=0, incomplete=0)

    def process(self, meta: dict[str, Any], payload: np.ndarray) -> Iterable[tuple[dict[str, Any], Any]]:
        """One frame; yields an answer once its message is complete."""
        from m4sc.phy.modulation.digital import decode_transport

        yield from self.idle()
        if meta.get("payload_kind") != "digital":
            raise ValueError(
                f"payload kind '{meta.get('payload_kind')}' is not digital; connect the symbol demapper"
            )
        meta, symbols = restored(meta, np.asarray(payload, dtype=np.complex64), self._n_carriers)
        noise_var = np.asarray(meta.get("noise_var", np.full(symbols.size, 1e-3)), dtype=np.float32)
        part = decode_transport(symbols, noise_var, int(meta["mcs"]), int(meta["payload_bytes"]))
        key = (int(meta.get("source_id", 0)), int(meta.get("sequence", 0)))
        if part is None:
            self.counters["crc_errors"] += 1
            self.report("crc_error", f"CRC failed on segment {meta.get('segment', 0)}", meta)
            return
        partial = self._partials.setdefault(
            key, _Partial(int(meta.get("n_segments", 1)), time.monotonic() + self._timeout_s, meta)
        )
        partial.parts[int(meta.get("segment", 0))] = part
        if len(partial.parts) < partial.n_segments:
            return
        del self._partials[key]
        coded = b"".join(partial.parts[i] for i in sorted(partial.parts))
        yield self._answer(key, meta, coded)

    def idle(self) -> Iterable[tuple[dict[str, Any], Any]]:
        """Give up on messages whose time is over."""
        now = time.monotonic()
        for key in [key for key, partial in self._partials.items() if partial.deadline < now]:
            self._lose(key)
        return ()

    def finish(self) -> None:
        """Give up on what is incomplete at the end of the stream."""
        for key in list(self._partials):
            self._lose(key)

    def _lose(self, key: tuple[int, int]) -> None:
        partial = self._partials.pop(key)
        self.counters["incomplete"] += 1
        have = f"{len(partial.parts)} of {partial.n_segments} segments"
        self.report("lost", f"message incomplete: {have}", partial.meta)

    def _answer(
        self, key: tuple[int, int], meta: dict[str, Any], coded: bytes
    ) -> tuple[dict[str, Any], bytes]:
        from m4sc.tasks import task_by_id

        task = task_by_id(int(meta["task_id"]))
        message = find_codec(self._codec).source_decode(coded, task.modality)
        instruction = self._queries.pop(key, None)
        meta = {**meta, "task": task.name, "modality": task.modality, "instruction": instruction}
        started = time.monotonic()
        received = message_bytes(message)
        if self._model is None:
            mime = _MIMES[task.modality]
            whole = np.frombuffer(received, np.uint8)
            return {**meta, "mime": mime, "seconds": 0.0, "received": whole}, received
        if task.modality == "text" and task.name == "text":
            answer: Any = str(message.data)  # the decoded text is the answer
        else:
            answer = find_system(self._model).answer_without_channel(message, task.name, instruction)
        out, text = answer_pdu(meta, answer, time.monotonic() - started)
        return {**out, "received": np.frombuffer(received, np.uint8)}, text


_MIMES = {
    "image": "image/png",
    "speech": "audio/wav",
    "text": "text/plain",
    "image+speech": "application/octet-stream",
}


def message_bytes(message: Any) -> bytes:
    """A message as a file: PNG, WAV (16 bit, 16 kHz) or UTF-8; both first ones as `join_files` does."""
    import io
    import wave

    if message.modality == "text":
        return str(message.data).encode("utf-8")
    if message.modality == "image+speech":
        from m4sc.message import Message, join_files

        picture, sound = message.data
        return join_files(message_bytes(Message("image", picture)), message_bytes(Message("speech", sound)))
    buffer = io.BytesIO()
    if message.modality == "image":
        from PIL import Image

        Image.fromarray(np.asarray(message.data, dtype=np.uint8)).save(buffer, "PNG")
    else:
        with wave.open(buffer, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16_000)
            sound.writeframes((np.clip(message.data, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
