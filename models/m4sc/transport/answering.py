"""A received message to its answer, whatever system sent it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from m4sc.codecs.base import Answer, Received
from m4sc.codecs.classical import ClassicalCodec, SourceCodec
from m4sc.message import Message
from m4sc.tasks import Task, task_by_id
from m4sc.transport.assembler import ReceivedMessage

NOT_SURE = "not sure"


class FingerprintError(ValueError):
    """Transmitter and receiver hold different models."""


@dataclass(frozen=True)
class Answering:
    """Answers messages with one set of weights.

    Attributes:
        find_model: gives the semantic system; called when the first message needs it. None: the classical
            system's decoded message is the answer itself, and semantic messages are refused.
        min_confidence: below it an answer's words are replaced by "not sure"; 0 for never.
        source: source codec of the classical system; None for the project's own.
    """

    find_model: Callable[[], Any] | None
    min_confidence: float = 0.0
    source: SourceCodec | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_confidence <= 1.0:
            raise ValueError(f"min_confidence is {self.min_confidence}; give 0 to 1")

    def answer(self, message: ReceivedMessage, question: str | None) -> Answer:
        """Answer a message: bytes by the classical system, whose message the same model reads.

        Args:
            message: that arrived, with its payload.
            question: the receiver's own; the task's wording if None.

        Raises:
            FingerprintError: the message was made by other weights.
            ValueError: a task that is not known, a message that was lost, or what the codec refuses.
        """
        header, received = message.header, message.received
        task = task_by_id(header.task_id)
        if received is None:
            raise ValueError(message.reason)
        if received.data:
            reader = None if self.find_model is None else self._read
            answer = ClassicalCodec(reader, self.source).decode(received, task, question)
        elif self.find_model is None:
            raise ValueError("the message is semantic, but this receiver has no model; give it one")
        else:
            model = self.find_model()
            ours = int(model.fingerprint) & 0xFFFFFFFF
            if not header.is_of_model(ours):
                raise FingerprintError(
                    f"sent with other weights ({header.model_name()}) than this receiver's ({ours:08x}); "
                    "give the sender's with --model"
                )
            noise_var = np.asarray(received.noise_var, np.float32)
            # a model of the user's own need not know of it
            least = {"min_confidence": self.min_confidence} if self.min_confidence else {}
            answer = model.decode(received.symbols, noise_var, task.name, question, **least)
        if answer.confidence is not None and answer.confidence < self.min_confidence:
            return replace(answer, text=NOT_SURE)
        return answer

    def _read(self, message: Message, task: Task, question: str | None) -> Answer:
        assert self.find_model is not None  # else nobody reads
        found: Answer = self.find_model().answer_without_channel(message, task.name, question)
        return found


def system_name(received: Received) -> str:
    """``semantic`` or ``classical``: which system sent it."""
    return "classical" if received.data else "semantic"
