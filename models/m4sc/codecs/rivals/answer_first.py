"""The answer at the transmitter: the model runs there, and its words cross."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.classical import SourceCodec
from m4sc.message import Message
from m4sc.tasks import Task

Answerer = Callable[[Message, Task, str | None], str]


class AnswerFirstCodec(Codec):
    """Answers before sending. It needs the receiver's question, which a transmitter seldom has.

    Args:
        answerer: message, task and question to words: the model itself, the nearest training example, or a
            text's first sentence.
        words: source codec of the words.
        name: of the system.
    """

    def __init__(self, answerer: Answerer, words: SourceCodec, name: str = "answer") -> None:
        self.answerer, self.words, self.name = answerer, words, name

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; the instruction is the receiver's question.

        An empty answer, of which there is nothing to send, is sent as a dash.
        """
        said = self.answerer(message, task, instruction).strip() or "-"
        return Payload(task.task_id, message.modality, data=self.words.source_encode(Message("text", said)))

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; no model is needed."""
        found = []
        for one in received:
            started = time.perf_counter()
            text = str(self.words.source_decode(one.data, "text").data)
            found.append(Answer(text, None, time.perf_counter() - started))
        return found


class IndexCodec(AnswerFirstCodec):
    """An answer of a list that both ends hold crosses as its place in it.

    Args:
        answerer: as of :class:`AnswerFirstCodec`; what it says must be in `answers`.
        answers: of the training split; two bytes tell of 65,536.
        name: of the system.
    """

    def __init__(self, answerer: Answerer, answers: Sequence[str], name: str = "retrieval") -> None:
        super().__init__(answerer, _Places(answers), name)


class _Places:
    """Words as their place in a list."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = list(dict.fromkeys(answers))
        if not 1 <= len(self._answers) <= 1 << 16:
            raise ValueError(f"{len(self._answers)} answers cannot be numbered; give 1 to 65536")
        self._place = {answer: place for place, answer in enumerate(self._answers)}
        self._bytes = 1 if len(self._answers) <= 256 else 2

    def source_encode(self, message: Message) -> bytes:
        """The place's bytes; raises ValueError for words that are not in the list."""
        if message.data not in self._place:
            raise ValueError(f"'{message.data}' is none of the answers that both ends hold")
        return self._place[str(message.data)].to_bytes(self._bytes, "big")

    def source_decode(self, payload: bytes, modality: str) -> Message:
        """The words of a place; raises ValueError for one beyond the list."""
        place = int.from_bytes(payload, "big")
        if len(payload) != self._bytes or place >= len(self._answers):
            raise ValueError(f"place {place} is none of {len(self._answers)} answers")
        return Message("text", self._answers[place])


def first_sentence(message: Message, task: Task, question: str | None) -> str:
    """A text's first sentence, the simplest summary."""
    text = str(message.data).strip()
    ends = [place for place in (text.find(". "), text.find("! "), text.find("? ")) if place >= 0]
    return text[: min(ends) + 1] if ends else text
