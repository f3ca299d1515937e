"""Messages through a channel whose receiver asks for more, beside messages that are sent once or twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from m4sc.codecs.base import Answer, Payload, Received
from m4sc.data.example import Example
from m4sc.evaluate.as_samples import hear_samples
from m4sc.evaluate.systems import Delivery, Words
from m4sc.message import Message
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.phy.waveform import WaveformConfig
from m4sc.system import SemanticSystem
from m4sc.tasks import get_task
from m4sc.transport.asking import REQUEST_BYTES, Asking, AskingConfig, Outcome
from m4sc.transport.assembler import Assembler, ReceivedMessage
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, to_frames

_REPORT_MARGIN_DB = 3.0


@dataclass(frozen=True)
class Fading:
    """A channel of which each frame meets a draw of its own.

    Attributes:
        channel: of :data:`m4sc.evaluate.channels.CHANNELS`.
        snr_db: mean Es/N0 per data subcarrier, dB.
        waveform: of the frames.
        protection: number of their headers' protection.
    """

    channel: str
    snr_db: float
    waveform: WaveformConfig = field(default_factory=WaveformConfig)
    protection: int = 1

    def send(self, payload: Payload, rng: np.random.Generator) -> tuple[ReceivedMessage | None, float]:
        """A message of one frame as it arrives, None where the receiver does not find or read it; and its air
        time, s.

        Raises:
            ValueError: a message of several frames.
        """
        config = TransportConfig(waveform=self.waveform, protection=self.protection)
        frames = to_frames(payload, Address(sequence=1), config)
        if len(frames) != 1:
            raise ValueError(f"the message takes {len(frames)} frames; only those of one are asked for")
        heard = hear_samples(frames[0], self.channel, self.snr_db, rng, self.waveform)
        took = frames[0].air_time_s(self.waveform)
        if heard is None:
            return None, took
        (message,) = Assembler(self.waveform.n_data_carriers).push(heard, 0.0)
        return message, took

    def request_air_s(self) -> float:
        """Air time of a request that is sent back as a frame, by a channel of the same mean, s."""
        form = PayloadFormat(kind="digital", snr_db=self.snr_db, margin_db=_REPORT_MARGIN_DB)
        config = TransportConfig(form, self.waveform, protection=self.protection)
        (frame,) = to_frames(Payload(1, "image", 0, None, bytes(REQUEST_BYTES)), Address(), config)
        return frame.air_time_s(self.waveform)


@dataclass(frozen=True)
class Plan:
    """How often a message is sent.

    Attributes:
        name: in tables.
        below: confidence below which the receiver asks; None: every message is sent `copies` times.
        copies: of a message, at most or in all.
        enough_snr_db: from which nothing is asked (:class:`m4sc.transport.asking.AskingConfig`).
    """

    name: str
    below: float | None
    copies: int
    enough_snr_db: float = AskingConfig.enough_snr_db


@dataclass(frozen=True)
class AskedDelivery:
    """delivery: what came of it, of all copies; copies: sent; requests_s: air time of requests for them."""

    delivery: Delivery
    copies: int
    requests_s: float


class AskedLink:
    """One system's messages over a fading channel.

    Args:
        system: encodes and decodes.
        fading: the channel.
        symbols: of a first copy; None for the task's own number.
    """

    def __init__(self, system: SemanticSystem, fading: Fading, symbols: int | None = None) -> None:
        self.system, self.fading, self.symbols = system, fading, symbols
        self._sent: dict[tuple[str, str, int | None], Payload] = {}
        self.request_s = fading.request_air_s()

    def send(self, example: Example, plan: Plan, rng: np.random.Generator) -> AskedDelivery:
        """One message; its copies meet channels that depend on `rng` and their number alone."""
        state = _Crossing(self, example, rng)
        if plan.below is None:
            return state.always(plan.copies)
        return state.asked(AskingConfig(plan.below, plan.copies, plan.enough_snr_db))

    def payload(self, example: Example, symbols: int | None) -> Payload:
        """A message encoded, once for as many symbols."""
        key = (example.task, example.media_id, symbols)
        if key not in self._sent:
            message = Message(example.modality, example.load())
            asked = get_task(example.task).told(example.instruction)
            self._sent[key] = self.system.encode(message, example.task, asked, symbols=symbols)
        return self._sent[key]

    def answer(self, message: ReceivedMessage, example: Example) -> Answer:
        """The receiver's."""
        received = message.received
        assert received is not None  # a lost message is not asked about
        return self.system.decode(received.symbols, received.noise_var, example.task, example.instruction)

    def combine(self, copies: Sequence[Received], task: str) -> Received:
        """Copies as one."""
        return Received(*self.system.combine([(one.symbols, one.noise_var) for one in copies], task))


@dataclass
class _Crossing:
    """One message on its way: what was sent so far."""

    link: AskedLink
    example: Example
    rng: np.random.Generator
    air_s: float = 0.0
    requests_s: float = 0.0
    symbols: int = 0
    copies: int = 0
    last: int = 0  # symbols of the last copy

    def __post_init__(self) -> None:
        self._seeds = self.rng.integers(1 << 62, size=256)

    def copy(self) -> ReceivedMessage | None:
        """Another copy."""
        wanted = self.link.symbols
        if self.copies:
            wanted = self.link.system.more(self.example.task, self.last, wanted)
        payload = self.link.payload(self.example, wanted)
        rng = np.random.default_rng(self._seeds[self.copies])
        message, took = self.link.fading.send(payload, rng)
        self.last = len(payload.symbols)
        self.air_s, self.symbols, self.copies = self.air_s + took, self.symbols + self.last, self.copies + 1
        return message

    def always(self, copies: int) -> AskedDelivery:
        """As many copies, whatever comes of them."""
        heard = [message for message in (self.copy() for _ in range(copies)) if message is not None]
        if not heard:
            return self._delivery(None)
        received = [message.received for message in heard if message.received is not None]
        together = self.link.combine(received, self.example.task)
        return self._delivery(self.link.answer(replace(heard[0], received=together), self.example))

    def asked(self, config: AskingConfig) -> AskedDelivery:
        """Copies as the receiver asks for them; of what was not heard the next message's number tells."""
        task = self.example.task
        receiver = Asking(
            config,
            lambda copies, _: self.link.combine(copies, task),
            lambda message: self.link.answer(message, self.example),
        )
        first, now = self.copy(), 0.0
        while first is None and self.copies < config.copies:
            self.requests_s += self.link.request_s
            first = self.copy()
        if first is None:
            return self._delivery(None)
        outcome: Outcome = receiver.push(first, now)
        while outcome.requests:
            self.requests_s += self.link.request_s
            message = self.copy()
            if message is None:
                now += config.timeout_s
                outcome = receiver.expire(now)
            else:
                outcome = receiver.push(message, now)
        return self._delivery(outcome.told[0].answer)

    def _delivery(self, answer: Answer | None) -> AskedDelivery:
        said = None if answer is None else Words(answer.text, answer.verified, answer.confidence)
        return AskedDelivery(
            Delivery(said, self.symbols, self.air_s, self.copies), self.copies, self.requests_s
        )
