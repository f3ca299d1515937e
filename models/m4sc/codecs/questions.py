"""Task `vqa`: a picture as a point, sent over the channel; the receiver's question judged beside it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m4sc.codecs.base import CLEAN_NOISE_VAR, Answer, Budget, Codec, Payload, Received
from m4sc.codecs.combining import nested
from m4sc.codecs.symbol_pairs import symbol_pairs
from m4sc.message import Message
from m4sc.questions.network import INDOORS, QuestionNetwork
from m4sc.questions.statements import Asked, ask
from m4sc.space.channel_codec import receive_all
from m4sc.space.picture_features import PictureFeatures
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.tasks import Task

TASKS = ("vqa",)
_KEPT_QUESTIONS = 256


class QuestionCodec(Codec):
    """Any question about a picture, by one network that judges statements; no language model.

    The receiver may ask what it likes of what it has heard: the light path, one point for all questions.

    Args:
        network: projector, channel codec and judge.
        fingerprint: of configuration and weights.

    Attributes:
        look_with: what gives the picture's features, so that another codec's backbone serves this one too.
    """

    name = "questions"

    def __init__(self, network: QuestionNetwork, fingerprint: int = 0) -> None:
        self.network = network.eval().requires_grad_(False)
        self.config = network.config
        self.fingerprint = fingerprint
        self.look_with: Callable[[], PictureFeatures] = lambda: PictureFeatures(
            self.config.vision, things=self.config.things
        )
        self._statements = lru_cache(_KEPT_QUESTIONS)(self._embedded)

    @cached_property
    def pictures(self) -> PictureFeatures:
        """Loaded when the first picture comes."""
        return self.look_with()

    @cached_property
    def sentences(self) -> SentenceEncoder:
        """Loaded when the first question comes."""
        return SentenceEncoder(self.config.sentences)

    @cached_property
    def _indoors(self) -> Tensor:
        """Vector of the statement that the picture is indoors, float (1, 384)."""
        return self.sentences([INDOORS]).clone()

    @torch.inference_mode()
    def point(self, picture: np.ndarray) -> Tensor:
        """Picture, uint8 (H, W, 3), to its unit vector, float32 (768,)."""
        features = self.pictures([picture])
        names = self.network.names(self.pictures.class_scores(features), features)
        return self.network.points(features, names)[0]

    @torch.inference_mode()
    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; a point has no tokens, so that ``rate`` and ``latents`` mean nothing here.

        A budget of fewer symbols than the most takes the first ones; where a picture is to follow, a point
        takes them all, so that the receiver can tell the two apart.
        """
        if message.modality != "image":
            raise ValueError(f"task '{task.name}' takes image, but the message is {message.modality}")
        least, most = self.config.least_symbols, self.config.symbols
        count = most if budget.symbols is None or budget.picture else min(budget.symbols, most)
        if count < least:
            raise ValueError(f"a picture's point takes at least {least} symbols; the budget has {count}")
        sent = self.network.codec.send(self.point(np.asarray(message.data))[None], count)[0]
        return Payload(task.task_id, message.modality, self.fingerprint, sent.numpy().astype(np.float32))

    @torch.inference_mode()
    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; the confidence is the probability that the answer is right."""
        started = time.perf_counter()
        if not received:
            return []
        symbols, noise_var = zip(*map(self._checked, received), strict=True)
        points, quality = receive_all(self.network.codec, symbols, noise_var)
        asked = [instruction or task.instructions[0] for instruction in instructions]
        found = self._answers(points, quality, asked)
        seconds = time.perf_counter() - started
        return [Answer(text, None, seconds, confidence=sure) for text, sure in found]

    @torch.inference_mode()
    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: all of the symbols without noise.

        The judge has learned from points as the channel codec gives them, and knows others less well.
        """
        started = time.perf_counter()
        sent = self.network.codec.send(self.point(np.asarray(message.data))[None], self.config.symbols)
        point = self.network.codec.receive(sent, torch.full(sent.shape[:2], CLEAN_NOISE_VAR))
        (text, sure), *_ = self._answers(point, torch.ones(1), [instruction or task.instructions[0]])
        return Answer(text, None, time.perf_counter() - started, confidence=sure)

    def place(self, message: Message, task: Task) -> np.ndarray:
        """As :meth:`Codec.place`: a picture's point."""
        return np.asarray(self.point(np.asarray(message.data)).numpy())

    def more(self, task: Task, sent: int, budget: Budget) -> Budget:
        """As :meth:`Codec.more`: twice as many symbols, as far as there are."""
        return replace(budget, symbols=min(2 * sent, self.config.symbols))

    def combine(self, copies: Sequence[Received], task: Task) -> Received:
        """As :meth:`Codec.combine`: the first symbols of a longer copy are those of a shorter one."""
        return nested(copies, self.network.codec.scale)

    def possible_symbols(self, task: Task) -> list[int]:
        """How many complex symbols a point may have; first what it has before a picture."""
        return [self.config.symbols, *range(self.config.least_symbols, self.config.symbols)]

    def _answers(self, points: Tensor, quality: Tensor, questions: Sequence[str]) -> list[tuple[str, float]]:
        """Answers and their confidences; equal questions are judged together.

        points: float (n, 768); quality: float (n,); questions: one each.
        """
        found: list[tuple[str, float]] = [("", 0.0)] * len(questions)
        for question in dict.fromkeys(questions):
            rows = [row for row, own in enumerate(questions) if own == question]
            for row, answer in zip(rows, self._judged(points[rows], quality[rows], question), strict=True):
                found[row] = answer
        return found

    def _judged(self, points: Tensor, quality: Tensor, question: str) -> list[tuple[str, float]]:
        """One question's answers, with confidences: points, float (n, 768), and qualities, float (n,)."""
        asked, statements, said = self._statements(question)
        odds = self.network.judge(points, statements)
        if asked.kind == "placed" and self.network.placed is not None:
            odds = self.network.placed(said, points, statements, odds)
        words = ("no", "yes") if asked.yes_no else asked.answers
        indoors = self.network.indoors(points, self._indoors)
        chosen = self.network.answers(asked.kind, odds, statements, quality, indoors)
        return [(words[best], sure) for best, sure in chosen]

    def _embedded(self, question: str) -> tuple[Asked, Tensor, Tensor]:
        """What is asked, and the vectors of its statements, float (m, 384), and of itself, float (1, 384)."""
        asked = ask(question, self.config.placed)
        vectors = self.sentences([*asked.statements, question])
        return asked, vectors[:-1], vectors[-1:]

    def _checked(self, received: Received) -> tuple[Tensor, Tensor]:
        """Symbols, float (k, 2), and noise variances, float (k,)."""
        symbols, noise_var = received.symbols, received.noise_var
        if not 1 <= len(symbols) <= self.config.symbols or len(symbols) != len(noise_var):
            raise ValueError(
                f"{len(symbols)} symbols with {len(noise_var)} noise variances are no point of at most "
                f"{self.config.symbols} symbols; transmitter and receiver use different models"
            )
        if np.isnan(noise_var).any():
            raise ValueError("received noise variances are not numbers")
        return symbol_pairs(received)


def load_questions(folder: Path) -> QuestionCodec:
    """Read the weights of `m4sc train questions`; the fingerprint covers configuration and weights.

    Raises:
        FileNotFoundError: no such files.
        ValueError: the weights do not fit their configuration.
    """
    network = QuestionNetwork.load(folder)
    text = (folder / "config.json").read_bytes()
    return QuestionCodec(network, zlib.crc32((folder / "model.safetensors").read_bytes(), zlib.crc32(text)))
