"""DeepSC as a rival: a text's latents over the same frames."""

from __future__ import annotations

import time
from collections.abc import Sequence

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.coding.deepsc.codec import DeepScTexts
from m4sc.message import Message
from m4sc.tasks import Task


class DeepScCodec(Codec):
    """Texts over analogue symbols of transformers alone (:mod:`m4sc.coding.deepsc`).

    Args:
        texts: encoder and decoder with weights.
    """

    name = "deepsc"

    def __init__(self, texts: DeepScTexts) -> None:
        self.texts = texts

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; a text takes what its pieces of words take.

        Raises:
            ValueError: the message is no text, or a budget is less than it takes.
        """
        if message.modality != "text":
            raise ValueError(f"DeepSC takes texts, but the message is {message.modality}")
        latents = self.texts.encode(str(message.data))
        if budget.symbols is not None and len(latents) > budget.symbols:
            raise ValueError(f"the text takes {len(latents)} symbols; {budget.symbols} are allowed")
        return Payload(task.task_id, "text", self.texts.fingerprint, latents, unit=self.texts.config.symbols)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; latents that did not arrive count as zeros with much noise."""
        return [self._decode(one) for one in received]

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: the text is there already."""
        return Answer(str(message.data), None, 0.0)

    def _decode(self, received: Received) -> Answer:
        started = time.perf_counter()
        said = self.texts.decode(received.symbols, received.noise_var)
        return Answer(said, None, time.perf_counter() - started)
