"""The picture itself, and a task's answer with the picture behind it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.by_size import BySizeCodec
from m4sc.codecs.fitted_picture import FittedPictureCodec
from m4sc.codecs.questions import QuestionCodec
from m4sc.codecs.semantic import SemanticCodec
from m4sc.codecs.space import SpaceCodec
from m4sc.coding.reconstruction.codec import PictureCodec
from m4sc.coding.reconstruction.size_field import SIZE_SYMBOLS
from m4sc.message import Message
from m4sc.tasks import Task

TaskCodec = SemanticCodec | SpaceCodec | QuestionCodec | BySizeCodec


class ReconstructionCodec(Codec):
    """Pictures over analogue symbols (:mod:`m4sc.coding.reconstruction`), or as a file that fits a budget.

    The field that names a picture's size is essential: without it no tile has a place. Where a number of
    symbols is given that is not what the tiles take, a file of the whole picture fills them.

    Args:
        pictures: encoder and decoder with weights.
        fingerprint: of the pair of systems.
    """

    name = "picture"

    def __init__(self, pictures: PictureCodec, fingerprint: int = 0) -> None:
        self.pictures, self.fingerprint = pictures, fingerprint
        self.files = FittedPictureCodec()

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; without a budget a picture takes what its size takes."""
        if budget.symbols is not None and budget.symbols != self.pictures.symbols_of(message.data):
            return self.files.encode(message, task, budget)  # of no weights
        latents = self.pictures.encode(message.data)
        unit = self.pictures.config.symbols
        essential = SIZE_SYMBOLS if len(latents) > unit else 0
        return Payload(
            task.task_id,
            message.modality,
            self.fingerprint,
            latents,
            essential=essential,
            unit=unit,
            spread=True,
        )

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; tiles whose symbols were lost are filled from their neighbours."""
        started = time.perf_counter()
        tiled = [one for one in received if not one.data]
        shown = iter(self.pictures.decode_many([(one.symbols, one.noise_var) for one in tiled]))
        seconds = time.perf_counter() - started
        return [
            self.files.decode(one, task) if one.data else Answer("", next(shown), seconds) for one in received
        ]

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: the picture is there already."""
        return Answer("", np.asarray(message.data), 0.0)


class WithPicture(Codec):
    """A task's own symbols, and the picture's behind them in the same message.

    Args:
        codec: of the task.
        pictures: of the picture.
    """

    name = "with-picture"

    def __init__(self, codec: TaskCodec, pictures: PictureCodec) -> None:
        self.codec, self.pictures = codec, pictures

    def prepare(self) -> None:
        """As :meth:`Codec.prepare`."""
        self.codec.prepare()

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; without ``budget.picture`` the task's symbols alone."""
        payload = self.codec.encode(message, task, budget, instruction)
        if not budget.picture or payload.latents is None:
            return payload
        picture = self.pictures.encode(message.data)
        sized = SIZE_SYMBOLS if len(picture) > self.pictures.config.symbols else 0
        essential = len(payload.latents) + sized  # the answer is worth more than any tile
        latents, unit = np.concatenate([payload.latents, picture]), self.pictures.config.symbols
        return replace(payload, latents=latents, essential=essential, unit=unit, spread=True)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; a picture whose size cannot be read leaves the answer alone."""
        own = [self._own_symbols(len(one.symbols), task) for one in received]
        parts = [
            replace(one, symbols=one.symbols[:n], noise_var=one.noise_var[:n])
            for one, n in zip(received, own, strict=True)
        ]
        answers = self.codec.decode_many(parts, task, instructions)
        return [
            replace(answer, image=self._picture(one, n))
            for answer, one, n in zip(answers, received, own, strict=True)
        ]

    def more(self, task: Task, sent: int, budget: Budget) -> Budget:
        """As :meth:`Codec.more`, of the task's codec; with a picture the same again."""
        return budget if budget.picture else self.codec.more(task, sent, budget)

    def combine(self, copies: Sequence[Received], task: Task) -> Received:
        """As :meth:`Codec.combine`, of the task's codec; of messages with a picture those of one length."""
        possible = self.codec.possible_symbols(task)
        if all(len(one.symbols) in possible for one in copies):
            return self.codec.combine(copies, task)
        return super().combine(copies, task)

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`, of the task's codec: without a picture."""
        return self.codec.read(message, task, instruction)

    def place(self, message: Message, task: Task) -> np.ndarray:
        """As :meth:`Codec.place`, of the task's codec."""
        return self.codec.place(message, task)

    def _own_symbols(self, count: int, task: Task) -> int:
        """Of `count` symbols those of the task itself."""
        possible = self.codec.possible_symbols(task)
        fitting = [own for own in possible if self.pictures.holds(count - own)]
        return fitting[0] if count not in possible and fitting else count

    def _picture(self, received: Received, own: int) -> np.ndarray | None:
        if own == len(received.symbols):
            return None
        with contextlib.suppress(ValueError):  # its size cannot be read: the answer is still worth having
            return self.pictures.decode(received.symbols[own:], received.noise_var[own:])
        return None
