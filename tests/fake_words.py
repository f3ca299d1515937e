"""A stand-in for the codec of words, where a word is a token."""

from __future__ import annotations

from m4sc.codecs.base import Budget, Payload
from m4sc.message import Message
from m4sc.tasks import Task


class Words:
    """A codec of words that shows what it was given."""

    class senses:  # noqa: N801
        @staticmethod
        def words(message: Message) -> str:
            return str(message.data)

    class code:  # noqa: N801
        @staticmethod
        def tokens(text: str) -> int:
            return len(text.split())

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        self.budget = budget
        return Payload(task.task_id, "text", data=str(message.data).encode())
