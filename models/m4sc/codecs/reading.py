"""Task `text-question`: a text, or what of it answers, is sent as words, and read at the receiver."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.gist import GistCodec, is_general, sentences_of
from m4sc.codecs.text_code.plan import DEFAULT_RATE, enough_rate
from m4sc.message import Message
from m4sc.reading.network import PART, Reader, Reading, read
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.tasks import Task

TASKS = ("text-question",)
SYMBOLS = 128
"""Complex symbols at most of the part that answers a question, unless a budget says otherwise; more where
the SNR is known to be low."""
_UNTOLD_RATE = 12
"""Symbols a token at most of a part whose sender does not know the SNR: a short one is protected more."""


class ReadingCodec(Codec):
    """Answers questions on a text from the words of it that arrive.

    A transmitter that is told the question reads the text with the same small network as the receiver and
    sends the part in which it finds the answer; a short part is protected more. One that is not told sends
    the whole text, or what says most of it within a budget, and the receiver may ask what it likes. What the
    network does not know how to ask for ("When do we meet?") is answered with the nearest part.

    Args:
        reader: trained.
        gist: sends parts of texts, and chooses among them where the reader does not.
        sentences: the reader's encoder.
        fingerprint: of configuration and weights.
    """

    name = "reading"

    def __init__(
        self, reader: Reader, gist: GistCodec, sentences: SentenceEncoder, fingerprint: int = 0
    ) -> None:
        self.reader, self.gist, self.sentences = reader.eval().requires_grad_(False), gist, sentences
        self.fingerprint = fingerprint

    def prepare(self) -> None:
        """As :meth:`Codec.prepare`."""
        self.gist.prepare()

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; ValueError for a text without words, or a budget for no clause of it."""
        if instruction is None or is_general(instruction, task):
            whole = budget.symbols is None
            return (self.gist.words if whole else self.gist).encode(message, task, budget, instruction)
        text = self.gist.words.senses.words(message)
        more = max(enough_rate(budget.snr_db) / DEFAULT_RATE, 1.0)
        budget = replace(budget, symbols=budget.symbols or round(SYMBOLS * more))
        chosen = self._chosen(text, instruction, budget)
        if budget.snr_db is None:
            budget = replace(budget, rate=budget.rate or _UNTOLD_RATE)
        return self.gist.words.encode(Message(message.modality, chosen), task, budget)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; an answer is as verified as the words that it was read in."""
        started = time.perf_counter()
        said = self.gist.words.decode_many(received, task, instructions)
        found = [
            self._answer(instruction or task.instructions[0], words)
            for words, instruction in zip(said, instructions, strict=True)
        ]
        seconds = time.perf_counter() - started
        return [replace(answer, seconds=seconds) for answer in found]

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: the same reader on the message itself."""
        started = time.perf_counter()
        words = Answer(self.gist.words.senses.words(message), None, 0.0)
        answer = self._answer(instruction or task.instructions[0], words)
        return replace(answer, seconds=time.perf_counter() - started)

    def _chosen(self, text: str, question: str, budget: Budget) -> str:
        """The part of a text that answers, of those that the budget carries."""
        parts = self.gist.parts(text, budget)
        found = self._read(question, parts)
        return self.gist.choose(text, question, budget) if found.kind == PART else parts[found.part]

    def _answer(self, question: str, words: Answer) -> Answer:
        """The answer in received words; a part of them where the reader cannot tell."""
        if not any(letter.isalnum() for letter in words.text):
            return words
        found = self._read(question, sentences_of(words.text))
        if found.kind == PART:
            return replace(words, text=self.gist.choose(words.text, question))
        sure = self.reader.confidence(found)
        if words.confidence is not None and not words.verified:
            sure *= words.confidence
        return replace(words, text=found.text, confidence=sure)

    def _read(self, question: str, parts: Sequence[str]) -> Reading:
        states = self.sentences.tokens([question, *parts])
        return read(self.reader, states[0], states[1:], parts)


def load_reading(folder: Path) -> tuple[Reader, int]:
    """Weights of `m4sc train reading`, and a fingerprint that covers configuration and weights.

    Raises:
        FileNotFoundError: no such files.
        ValueError: the weights do not fit their configuration.
    """
    config = (folder / "config.json").read_bytes()
    return Reader.load(folder), zlib.crc32((folder / "model.safetensors").read_bytes(), zlib.crc32(config))
