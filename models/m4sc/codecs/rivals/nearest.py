"""Retrieval: what training says of the messages most like this one, found by our own features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from m4sc.message import Message
from m4sc.tasks import Task

Look = Callable[[Message, Task], np.ndarray]
Key = Callable[[str], object]
Vote = Callable[[Sequence[str], np.ndarray], str]


@dataclass(frozen=True)
class Known:
    """What is remembered of the training split.

    Attributes:
        places: float32 (m, dim) unit vectors, one a message.
        owner: int64 (n,): which message each answer belongs to.
        answers: the n answers.
        questions: what each answers, as `Nearest.key` gives it.
    """

    places: np.ndarray
    owner: np.ndarray
    answers: tuple[str, ...]
    questions: tuple[object, ...]


def most_votes(answers: Sequence[str], near: np.ndarray) -> str:
    """The answer whose voters' cosines, float (n,), have the greatest sum; the nearest's of equal ones."""
    sums: dict[str, float] = {}
    for answer, cosine in zip(answers, near, strict=True):
        sums[answer] = sums.get(answer, 0.0) + max(float(cosine), 1e-6)
    return max(sums, key=sums.__getitem__)


class Nearest:
    """Answers as the nearest messages of the training split were answered.

    Args:
        look: message and task to a unit vector, float32 (dim,).
        known: of the training split.
        neighbours: answers that vote.
        key: question to what makes two questions the same, such as its words.
        vote: answers, nearest first, and their cosines to the answer that is said.
    """

    def __init__(self, look: Look, known: Known, neighbours: int, key: Key, vote: Vote = most_votes) -> None:
        if neighbours < 1 or not known.answers:
            raise ValueError("retrieval needs training answers and at least one neighbour")
        self.look, self.known, self.neighbours, self.key, self.vote = look, known, neighbours, key, vote
        rows: dict[object, list[int]] = {}
        for row, question in enumerate(known.questions):
            rows.setdefault(question, []).append(row)
        self._asked = {question: np.array(own) for question, own in rows.items()}
        self._every = np.arange(len(known.answers))

    def __call__(self, message: Message, task: Task, question: str | None) -> str:
        """The answer; to a question that training never asked that of any question."""
        return self.at(self.look(message, task), question)

    def at(self, place: np.ndarray, question: str | None) -> str:
        """As the call, of a message whose place is known, float32 (dim,)."""
        rows = self._asked.get(self.key(question or ""), self._every)
        near = (self.known.places @ place)[self.known.owner[rows]]
        order = np.argsort(-near, kind="stable")[: self.neighbours]
        return self.vote([self.known.answers[row] for row in rows[order]], near[order])
