"""A task that small pictures are sent for by one codec, and larger ones by another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.questions import QuestionCodec
from m4sc.codecs.semantic import SemanticCodec
from m4sc.encoders.image import SMALL_SIDE
from m4sc.message import Message
from m4sc.tasks import Task

TASKS = ("classify",)
POINT_SYMBOLS = 48
"""Of a larger picture; no number that a small one has."""


class BySizeCodec(Codec):
    """`classify`: pictures of CIFAR-10's kind by the language model, photographs by the judge of statements.

    The first knows ten words and small pictures, the other everyday words and photographs. The receiver tells
    the two apart by the number of symbols.

    Args:
        small: for pictures of up to 64 pixels.
        large: for larger ones.
    """

    name = "by-size"

    def __init__(self, small: SemanticCodec, large: QuestionCodec) -> None:
        self.small, self.large = small, large

    def prepare(self) -> None:
        """As :meth:`Codec.prepare`."""
        self.small.prepare()
        self.large.prepare()

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; a rate asked for is one of the small pictures' codec."""
        if self._is_small(message) or budget.rate:
            return self.small.encode(message, task, budget, instruction)
        return self.large.encode(message, task, Budget(symbols=POINT_SYMBOLS), instruction)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; of a photograph the task's own question is answered."""
        large = [len(one.symbols) == POINT_SYMBOLS for one in received]
        asked = list(zip(received, instructions, strict=True))
        points = [pair for pair, is_large in zip(asked, large, strict=True) if is_large]
        tokens = [pair for pair, is_large in zip(asked, large, strict=True) if not is_large]
        seen = self._ask(self.large, points, task, own=True)
        said = self._ask(self.small, tokens, task, own=False)
        return [next(seen) if is_large else next(said) for is_large in large]

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`; of a photograph the task's own question is answered."""
        if self._is_small(message):
            return self.small.read(message, task, instruction)
        return self.large.read(message, task, task.instructions[0])

    def place(self, message: Message, task: Task) -> np.ndarray:
        """As :meth:`Codec.place`, of the codec for the picture's size."""
        return (self.small if self._is_small(message) else self.large).place(message, task)

    @staticmethod
    def _is_small(message: Message) -> bool:
        """Whether the small pictures' codec takes a message; it tells what is no picture, too."""
        return message.modality != "image" or max(np.asarray(message.data).shape[:2]) <= SMALL_SIDE

    @staticmethod
    def _ask(
        codec: Codec, asked: list[tuple[Received, str | None]], task: Task, own: bool
    ) -> Iterator[Answer]:
        """Answers of one of the two; own: to the task's own question, whatever was asked."""
        if not asked:
            return iter(())
        wordings = [task.instructions[0] if own else given for _, given in asked]
        return iter(codec.decode_many([one for one, _ in asked], task, wordings))

    def possible_symbols(self, task: Task) -> list[int]:
        """How many complex symbols a message may have."""
        return [*self.small.possible_symbols(task), POINT_SYMBOLS]
