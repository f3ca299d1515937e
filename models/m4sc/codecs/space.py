"""The shared semantic space as a codec: a picture crosses as one point, a sentence is said for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.message import Message
from m4sc.space.system import SpaceSystem
from m4sc.tasks import Task

TASKS = ("caption",)


class SpaceCodec(Codec):
    """Answers `caption` from the space; the receiver's own wording changes nothing."""

    name = "space"

    def __init__(self, system: SpaceSystem, least_confidence: float = 0.0) -> None:
        """least_confidence: an answer less sure than this says that it is not sure."""
        self.system = system
        self.least_confidence = least_confidence

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; a budget above what a point takes is not used up.

        Raises:
            ValueError: another task, a picture asked for beside it, or a budget below the fewest symbols.
        """
        _check(task)
        if budget.picture:
            raise ValueError("the space sends a point, not the picture; ask another codec for the picture")
        if message.modality != task.modality:
            raise ValueError(
                f"task '{task.name}' takes {task.modality}, but the message is {message.modality}"
            )
        most = self.system.config.codec.symbols
        symbols = None if budget.symbols is None else min(budget.symbols, most)
        latents = self.system.encode(message, symbols)
        return Payload(task.task_id, message.modality, self.system.fingerprint, latents)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; ``seconds`` of an answer is the batch's."""
        _check(task)
        started = time.perf_counter()
        pairs = [(r.symbols, np.asarray(r.noise_var)) for r in received]
        said = self.system.decode_many(pairs, self.least_confidence)
        seconds = time.perf_counter() - started
        return [Answer(answer.text, None, seconds, confidence=answer.confidence) for answer in said]


def _check(task: Task) -> None:
    if task.name not in TASKS:
        raise ValueError(f"the space answers {', '.join(TASKS)}, not '{task.name}'")
