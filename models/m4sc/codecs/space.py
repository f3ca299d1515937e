"""The shared semantic space as a codec: a picture crosses as one point, a sentence is said for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from m4sc.codecs.base import CLEAN_NOISE_VAR, Answer, Budget, Codec, Payload, Received
from m4sc.codecs.combining import nested
from m4sc.message import Message
from m4sc.space.system import SpaceSystem
from m4sc.tasks import Task

TASKS = ("caption",)


class SpaceCodec(Codec):
    """Answers `caption` from the space; the receiver's own wording changes nothing.

    Args:
        system: transmitter and receiver of the space.
        fingerprint: of the pair of systems.
        least_confidence: an answer less sure than this says that it is not sure.
    """

    name = "space"

    def __init__(self, system: SpaceSystem, fingerprint: int = 0, least_confidence: float = 0.0) -> None:
        self.system, self.fingerprint, self.least_confidence = system, fingerprint, least_confidence

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; a point has no tokens, so that ``rate`` and ``latents`` mean nothing here.

        ``budget.symbols`` above what a point takes are not used up; where a picture is to follow, a point
        takes its usual number, so that the receiver can tell the two apart.

        Raises:
            ValueError: another task or modality, or a budget below the fewest symbols.
        """
        _check(task)
        if message.modality != task.modality:
            raise ValueError(
                f"task '{task.name}' takes {task.modality}, but the message is {message.modality}"
            )
        symbols = None
        if budget.symbols is not None and not budget.picture:
            symbols = min(budget.symbols, self.system.config.codec.symbols)
        latents = self.system.encode(message, symbols)
        return Payload(task.task_id, message.modality, self.fingerprint, latents)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; ``seconds`` of an answer is the batch's."""
        _check(task)
        started = time.perf_counter()
        pairs = [(one.symbols, one.noise_var) for one in received]
        said = self.system.decode_many(pairs, self.least_confidence)
        seconds = time.perf_counter() - started
        return [Answer(answer.text, None, seconds, confidence=answer.confidence) for answer in said]

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: a sentence is said for all of the symbols without noise.

        The speakers and the confidence have learned from points as the channel codec gives them, and know
        others less well.
        """
        _check(task)
        started = time.perf_counter()
        symbols = self.system.encode(message, self.system.config.codec.symbols)
        heard = symbols.view(np.complex64)[:, 0]
        noise_var = np.full(len(heard), CLEAN_NOISE_VAR, np.float32)
        said = self.system.decode(heard, noise_var, self.least_confidence)
        return Answer(said.text, None, time.perf_counter() - started, confidence=said.confidence)

    def place(self, message: Message, task: Task) -> np.ndarray:
        """As :meth:`Codec.place`: the point."""
        return np.asarray(self.system.points_of([message])[0].numpy())

    def more(self, task: Task, sent: int, budget: Budget) -> Budget:
        """As :meth:`Codec.more`: twice as many symbols, as far as there are."""
        return replace(budget, symbols=min(2 * sent, self.system.config.codec.symbols))

    def combine(self, copies: Sequence[Received], task: Task) -> Received:
        """As :meth:`Codec.combine`: the first symbols of a longer copy are those of a shorter one."""
        return nested(copies, self.system.network.codec.scale)

    def possible_symbols(self, task: Task) -> list[int]:
        """How many complex symbols a point may have; first what it has before a picture."""
        codec = self.system.config.codec
        return [self.system.config.symbols, *range(codec.least_symbols, codec.symbols + 1)]


def _check(task: Task) -> None:
    if task.name not in TASKS:
        raise ValueError(f"the space answers {', '.join(TASKS)}, not '{task.name}'")
