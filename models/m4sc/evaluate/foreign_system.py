"""A codec of somebody else's as a system of the harness: bytes with a scheme, or analogue symbols."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from m4sc.codecs.base import CLEAN_NOISE_VAR, Budget, Codec, Payload, Received
from m4sc.data.example import Example
from m4sc.evaluate.crossing import Crossing
from m4sc.evaluate.systems import Classical, Delivery, Said, Scheme, delivery_of, frames_for
from m4sc.evaluate.ways import Way
from m4sc.message import Message
from m4sc.tasks import get_task
from m4sc.transport.budget import AUTO


class Foreign(Classical):
    """A codec whose payloads may be symbols, which are sent as they are and read whatever becomes of them.

    Payloads of bytes are sent as :class:`Classical` sends them.

    codec, name, scheme, way: as of :class:`Classical`.
    header: of symbols, as of :class:`m4sc.evaluate.systems.Semantic`.
    """

    def __init__(
        self,
        codec: Codec,
        name: str,
        scheme: Scheme | None = None,
        way: Way | None = None,
        header: Callable[[str, float], int] | None = None,
    ) -> None:
        super().__init__(codec, name, scheme, way=way)
        self.header = header

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[Delivery]:
        """As `System.send_all`."""
        payloads = [self._encoded(example) for example in examples]
        if any(payload.latents is None for payload in payloads):
            return super().send_all(examples, channel, snr_db, rngs)
        protection = AUTO if self.header is None else self.header(channel, snr_db)
        configs = [frames_for(snr_db, None, self.way.framed, protection)] * len(payloads)
        crossings = self.way.cross_all(payloads, channel, snr_db, rngs, configs)
        return [
            delivery_of(self._read_symbols(crossing, example), crossing)
            for crossing, example in zip(crossings, examples, strict=True)
        ]

    def _read_symbols(self, crossing: Crossing, example: Example) -> Said:
        return None if crossing.received is None else self._said_of(crossing.received, example)

    def _answer(self, example: Example) -> Said:
        payload = self._encoded(example)
        if payload.latents is None:
            return super()._answer(example)
        if example.id not in self._answers:
            clean = Received(payload.symbols, np.full(len(payload.latents), CLEAN_NOISE_VAR, np.float32))
            self._answers[example.id] = self._said_of(clean, example)
        return self._answers[example.id]

    def _said_of(self, received: Received, example: Example) -> Said:
        task = get_task(example.task)
        try:
            answer = self.codec.decode(received, task, example.instruction)
        except ValueError:
            return None
        return answer.image if task.gives_picture else str(answer.text)

    def _encoded(self, example: Example) -> Payload:
        if example.media_id not in self._coded:
            message, task = Message(example.modality, example.load()), get_task(example.task)
            self._coded[example.media_id] = self.codec.encode(message, task, Budget())
        return self._coded[example.media_id]
