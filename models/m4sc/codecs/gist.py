"""Task `summarize`: the sentence of a text that says most of it, or what is asked, sent as words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.text_code.plan import DEFAULT_RATE, RATES, enough_rate
from m4sc.codecs.verbatim import VerbatimCodec
from m4sc.message import Message
from m4sc.tasks import Task

TASKS = ("summarize",)
_MOST_SENTENCES = 256
_SENTENCE_ENDS = re.compile(r"(?<=[.!?;])[\"')\]]*\s+|\s*\n\s*\n\s*")
_MOST_RUNS = 48


class GistCodec(Codec):
    """Says a text in one of its own sentences.

    The transmitter reads the text as points of the shared space, one a sentence. Of a general instruction
    ("What is the text about?") the sentence nearest to their mean is sent; of any other the one nearest
    to the instruction, so that "When do we meet?" is answered with the sentence that has the time. Where a
    budget is too short for a sentence, runs of its words stand in its place. What arrives is verified as
    texts are.

    Args:
        words: carries the sentence.
        sentences: texts to unit vectors, float (n, d).
    """

    name = "gist"

    def __init__(self, words: VerbatimCodec, sentences: Callable[[Sequence[str]], Tensor]) -> None:
        self.words, self.sentences = words, sentences

    def prepare(self) -> None:
        """As :meth:`Codec.prepare`."""
        self.words.prepare()

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; ValueError for a text without words, or a budget for no clause of it."""
        text = self.words.senses.words(message)
        chosen = self.choose(text, None if is_general(instruction, task) else instruction, budget)
        return self.words.encode(Message(message.modality, chosen), task, budget)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`."""
        return self.words.decode_many(received, task, instructions)

    def choose(self, text: str, question: str | None, budget: Budget | None = None) -> str:
        """The part of a text to send; `question` None for what is nearest to the whole of it.

        Raises:
            ValueError: no word of it fits the budget.
        """
        sentences = sentences_of(text)
        parts = self.parts(text, budget or Budget())
        if len(parts) == 1:
            return parts[0]
        if question is not None:
            points = np.asarray(self.sentences([*parts, question]), np.float64)
            return parts[int(np.argmax(points[:-1] @ points[-1]))]
        texts = list(dict.fromkeys([*sentences, *parts]))  # without a budget the two are the same
        points = np.asarray(self.sentences(texts), np.float64)
        rows = {text: row for row, text in enumerate(texts)}
        words = np.array([len(sentence.split()) for sentence in sentences])
        whole = words @ points[[rows[sentence] for sentence in sentences]]  # by words: a greeting is one too
        return parts[int(np.argmax(points[[rows[part] for part in parts]] @ whole))]

    def first(self, text: str, budget: Budget) -> str:
        """The first part of a text that the budget carries, which needs no reading: a rival of `choose`."""
        return self.parts(text, budget)[0]

    def parts(self, text: str, budget: Budget) -> list[str]:
        """Sentences that the budget carries at a rate that decodes, and parts of those that are too long.

        Raises:
            ValueError: no word of the text fits the budget.
        """
        sentences = sentences_of(text)
        if budget.symbols is None:
            return sentences
        enough = max(enough_rate(budget.snr_db), DEFAULT_RATE)
        most = min(budget.rate or enough, enough)
        for rate in sorted((r for r in RATES if r <= most), reverse=True):
            room = budget.symbols // rate
            found = [part for sentence in sentences for part in self._parts(sentence, room)]
            if found:
                return found
        raise ValueError(f"{budget.symbols} symbols carry no word of the text; allow more")

    def _parts(self, sentence: str, room: int) -> list[str]:
        """A sentence of at most `room` tokens, else the longest runs of its words that are no longer."""
        if self.words.code.tokens(sentence) <= room:
            return [sentence]
        words, found = sentence.split(), []
        starts = range(0, len(words), max(1, len(words) // _MOST_RUNS))
        end = 0
        for start in starts:
            longer = end
            while longer < len(words) and self.words.code.tokens(" ".join(words[start : longer + 1])) <= room:
                longer += 1
            if longer > max(end, start):  # else the run lies in the one before
                found.append(" ".join(words[start:longer]))
            end = max(longer, start)
        return [run for run in found if _says(run)]


def sentences_of(text: str) -> list[str]:
    """A text's sentences without the space between them; paragraphs end one too.

    A text without an end of a sentence is one. Of more than 256 the first ones, so that a book ends too.
    """
    found = [part for part in (piece.strip() for piece in _SENTENCE_ENDS.split(text)) if _says(part)]
    return found[:_MOST_SENTENCES] or [text.strip() or text]


def _says(part: str) -> bool:
    return any(letter.isalnum() for letter in part)


def is_general(instruction: str | None, task: Task) -> bool:
    """Whether an instruction asks for nothing but the task."""
    return instruction is None or instruction in task.instructions or instruction in task.held_out
