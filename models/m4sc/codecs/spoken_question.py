"""A picture and a spoken question about it: the picture's latents, then the words that were heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.semantic import SemanticCodec
from m4sc.codecs.tokens import check_choice
from m4sc.codecs.verbatim import VerbatimCodec
from m4sc.message import Message
from m4sc.tasks import Task, get_task

_PICTURE_TASK, _VOICE_TASK = "vqa", "transcribe"


class SpokenQuestionCodec(Codec):
    """Reads the question behind each picture, then asks it.

    Args:
        pictures: carries the picture and answers.
        words: carries the question.
    """

    name = "spoken-question"

    def __init__(self, pictures: SemanticCodec, words: VerbatimCodec) -> None:
        self.pictures, self.words = pictures, words

    def prepare(self) -> None:
        """As :meth:`Codec.prepare`."""
        self.pictures.prepare()
        self.words.prepare()

    @property
    def _picture_symbols(self) -> int:
        """The receiver knows where the words begin: a picture goes at its highest rate."""
        return self.pictures.config.image_tokens * self.pictures.config.symbols_per_token("image")

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`."""
        most = self.pictures.config.symbols_per_token("image")
        check_choice(budget.rate or most, (most,), "symbols a token do not fit a message of two parts")
        picture, sound = message.data
        parts = [
            self.pictures.encode(Message("image", picture), get_task(_PICTURE_TASK), Budget()),
            self.words.encode(Message("speech", sound), get_task(_VOICE_TASK), Budget(snr_db=budget.snr_db)),
        ]
        latents = np.concatenate([part.latents for part in parts if part.latents is not None])
        return Payload(task.task_id, message.modality, self.pictures.fingerprint, latents)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; a receiver's own question goes before the spoken one."""
        size = self._picture_symbols
        pictures = [Received(one.symbols[:size], one.noise_var[:size]) for one in received]
        words = [Received(one.symbols[size:], one.noise_var[size:]) for one in received]
        heard = self.words.decode_many(words, get_task(_VOICE_TASK), [None] * len(words))
        wordings = {*task.instructions, *task.held_out, None}
        asked = [h.text if given in wordings else given for h, given in zip(heard, instructions, strict=True)]
        answers = self.pictures.decode_many(pictures, get_task(_PICTURE_TASK), asked)
        return [replace(a, seconds=a.seconds + h.seconds) for a, h in zip(answers, heard, strict=True)]
