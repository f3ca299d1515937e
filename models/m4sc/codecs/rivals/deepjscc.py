"""DeepJSCC as a rival: a picture's latents over the same frames."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.coding.deepjscc.codec import DeepJsccPictures, is_bare
from m4sc.coding.reconstruction.size_field import SIZE_SYMBOLS
from m4sc.message import Message
from m4sc.tasks import Task


class DeepJsccCodec(Codec):
    """Pictures over analogue symbols of convolutional networks alone (:mod:`m4sc.coding.deepjscc`).

    The field that names a picture's size is essential: without it nothing has a place.

    Args:
        pictures: encoder and decoder with weights.
    """

    name = "deepjscc"

    def __init__(self, pictures: DeepJsccPictures) -> None:
        self.pictures = pictures

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`: the highest rate that the budget allows, else of all."""
        if message.modality != "image":
            raise ValueError(f"DeepJSCC takes pictures, but the message is {message.modality}")
        picture = np.asarray(message.data)
        latents = self.pictures.encode(picture, budget.symbols, budget.snr_db)
        essential = 0 if is_bare(*picture.shape[:2]) else SIZE_SYMBOLS
        return Payload(
            task.task_id, "image", self.pictures.fingerprint, latents, essential=essential, spread=True
        )

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; latents that did not arrive count as zeros with much noise."""
        return [self._decode(one) for one in received]

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: the picture is there already."""
        return Answer("", np.asarray(message.data), 0.0)

    def _decode(self, received: Received) -> Answer:
        started = time.perf_counter()
        shown = self.pictures.decode(received.symbols, received.noise_var)
        return Answer("", shown, time.perf_counter() - started)
