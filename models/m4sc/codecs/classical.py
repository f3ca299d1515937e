"""The classical system: a source codec's bytes; the same model reads the message that arrives."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from m4sc.codecs import source_coding
from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.message import Message
from m4sc.tasks import Task


class SourceCodec(Protocol):
    """Message to bytes and back (:mod:`m4sc.codecs.source_coding`)."""

    def source_encode(self, message: Message) -> bytes:
        """Bytes of a message."""

    def source_decode(self, payload: bytes, modality: str) -> Message:
        """Inverse of :meth:`source_encode`."""


Reader = Callable[[Message, Task, str | None], Answer]


class ClassicalCodec(Codec):
    """Source codec; error correction and modulation are the transport's.

    Args:
        reader: answers a task on a message that was delivered; None: the message itself is the answer.
        source: source codec; None for the project's WebP, Opus and Brotli.
    """

    name = "classical"

    def __init__(self, reader: Reader | None = None, source: SourceCodec | None = None) -> None:
        self.reader = reader
        self.source: SourceCodec = source_coding if source is None else source  # type: ignore[assignment]

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; a source codec knows neither task nor budget."""
        coded = self.source.source_encode(message)
        if not coded:
            raise ValueError("the source codec gave no bytes; the message is empty")
        return Payload(task.task_id, message.modality, data=coded)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; an answer also has the decoded ``message``."""
        return [self._read(one.data, task, given) for one, given in zip(received, instructions, strict=True)]

    def _read(self, data: bytes, task: Task, instruction: str | None) -> Answer:
        started = time.perf_counter()
        return read_decoded(
            self.source.source_decode(data, task.modality), self.reader, task, instruction, started
        )


def read_decoded(
    message: Message, reader: Reader | None, task: Task, instruction: str | None, started: float
) -> Answer:
    """What a receiver makes of a message that its decoder gave back, and the message itself.

    reader: answers a task on it; None: the message itself is the answer. started: when decoding began, by
    `time.perf_counter`.
    """
    if reader is not None:
        answer = reader(message, task, instruction)
    elif message.modality == "image":
        answer = Answer("", np.asarray(message.data), 0.0)
    else:
        answer = Answer(str(message.data) if message.modality == "text" else "", None, 0.0)
    return replace(answer, seconds=time.perf_counter() - started, message=message)
