"""The two systems under test behind one interface: `send` a message, get an answer or None for a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from m4sc.codecs.base import CLEAN_NOISE_VAR, Budget, Codec, Payload, Received
from m4sc.data.example import Example
from m4sc.evaluate.crossing import Crossing
from m4sc.evaluate.ways import SymbolWay, Way
from m4sc.message import Message
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.tasks import get_task
from m4sc.transport.budget import AUTO
from m4sc.transport.config import TransportConfig

BATCH = 16
Scheme = Callable[[str, float, int], int]
Said = str | np.ndarray | None  # an answer: words, a picture (uint8 (H, W, 3)), or None for a loss


@dataclass(frozen=True)
class Delivery:
    """said: the receiver's answer; symbols: complex data symbols sent; air_time_s: of all frames.

    frames, frames_lost: sent, and not received; snr_db: after the equaliser, dB, NaN where nothing arrived.
    """

    said: Said
    symbols: int
    air_time_s: float
    frames: int = 0
    frames_lost: int = 0
    snr_db: float = float("nan")


def delivery_of(said: Said, crossing: Crossing) -> Delivery:
    """What came of an example, of its answer and its crossing."""
    return Delivery(
        said, crossing.symbols, crossing.air_time_s, crossing.frames, crossing.lost_segments, crossing.snr_db
    )


class Words(str):
    """An answer in words that may say how sure it is.

    Attributes:
        verified, confidence: as of :class:`m4sc.codecs.base.Answer`.
    """

    verified: bool | None
    confidence: float | None

    def __new__(cls, text: str, verified: bool | None = None, confidence: float | None = None) -> Words:
        """text, verified, confidence: of the answer."""
        words = super().__new__(cls, text)
        words.verified, words.confidence = verified, confidence
        return words


class System(Protocol):
    """What the harness needs."""

    name: str

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[Delivery]:
        """Return what came of each example."""

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """Return the answers of the same model to the messages themselves."""


def frames_for(
    snr_db: float, form: PayloadFormat | None = None, interleave: bool = False, protection: int = AUTO
) -> TransportConfig:
    """How messages are sent at an SNR; the symbol channels interleave by themselves, frames do not."""
    form = replace(form or PayloadFormat(), snr_db=snr_db)
    return TransportConfig(form, interleave=interleave, protection=protection)


class Semantic:
    """The semantic system. The transmitter is told a question only where the task has none of its own.

    model: as `m4sc.load` returns it. Latents are kept by message and by the SNR that its sender knows.
    payload: how they are sent; the scheme of a digital payload is chosen for each SNR. A code that the
    channel breaks is a lost message.
    symbols: complex symbols of a message at most; None: what the task takes.
    name: of the system in tables.
    way: across the channel.
    header: number of the headers' protection by channel and SNR; None: what a sender takes that knows the SNR
        alone.
    told: Es/N0 in dB that the sender reckons with, by channel and SNR (words get more symbols where it is
        low); None: it is told nothing.
    look: the transmitter is told every question, and looks where it points (:mod:`m4sc.gaze`).
    """

    def __init__(
        self,
        model: Any,
        payload: PayloadFormat | None = None,
        symbols: int | None = None,
        name: str = "semantic",
        way: Way | None = None,
        header: Callable[[str, float], int] | None = None,
        told: Callable[[str, float], float] | None = None,
        look: bool = False,
    ) -> None:
        self.model, self.payload, self.name = model, payload or PayloadFormat(), name
        self.way, self.header, self.told = way or SymbolWay(), header, told
        self._more: dict[str, int] = {} if symbols is None else {"symbols": symbols}
        self._look = look
        self._sent: dict[tuple[str, str, str, float | None], Payload] = {}

    def encoded(self, example: Example, snr_db: float | None = None) -> Payload:
        """Return the payload of a message; snr_db: Es/N0 that its sender reckons with, dB, if it knows."""
        look = {"look": True} if self._look and example.modality == "image" else {}
        key = (example.task, example.media_id, example.instruction if look else "", snr_db)
        if key not in self._sent:
            message = Message(example.modality, example.load())
            asked = get_task(example.task).told(example.instruction, bool(look))
            more: dict[str, Any] = {**self._more, **look}
            if snr_db is not None:
                more["snr_db"] = snr_db
            self._sent[key] = self.model.encode(message, example.task, asked, **more)
        return self._sent[key]

    def symbols(self, example: Example) -> np.ndarray:
        """Return the symbols of a message, complex64 (k,), unit mean power."""
        return self.encoded(example).symbols

    def read_all(
        self, received: Sequence[tuple[np.ndarray, np.ndarray]], examples: Sequence[Example]
    ) -> list[Said]:
        """Decode pairs of symbols and noise variances with the examples' instructions, in batches.

        None where the decoder refuses them.
        """
        found: list[Said] = []
        for start in range(0, len(examples), BATCH):
            part = slice(start, start + BATCH)
            found += self._read_batch(received[part], examples[part])
        return found

    def read_zeros(self, examples: Sequence[Example], noise_var: float) -> list[Said]:
        """What the receiver says of zeros in the place of each message, with a complex noise variance.

        As many zeros with the same instruction are read once: the search for a text in nothing is a long one.
        """
        wanted = [self._zeros_key(example) for example in examples]
        first = {key: example for key, example in zip(reversed(wanted), reversed(examples), strict=True)}
        counts = [count for count, _ in first]
        received = [(np.zeros(n, np.complex64), np.full(n, noise_var, np.float32)) for n in counts]
        said = dict(zip(first, self.read_all(received, list(first.values())), strict=True))
        return [said[key] for key in wanted]

    def _zeros_key(self, example: Example) -> tuple[int, str]:
        """All that zeros differ by: their number, and what is asked where it matters."""
        asked = "" if get_task(example.task).verbatim else example.instruction
        return len(self.symbols(example)), asked

    def _read_batch(
        self, received: Sequence[tuple[np.ndarray, np.ndarray]], examples: Sequence[Example]
    ) -> list[Said]:
        instructions = [example.instruction for example in examples]
        try:
            answers = self.model.decode_many(received, examples[0].task, instructions)
        except ValueError:
            if len(examples) == 1:
                return [None]
            halves = (slice(0, len(examples) // 2), slice(len(examples) // 2, None))
            return [a for half in halves for a in self._read_batch(received[half], examples[half])]
        shown = get_task(examples[0].task).gives_picture
        return [
            answer.image
            if shown
            else Words(answer.text, answer.verified, getattr(answer, "confidence", None))
            for answer in answers
        ]

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[Delivery]:
        """As `System.send_all`."""
        protection = AUTO if self.header is None else self.header(channel, snr_db)
        configs = [frames_for(snr_db, self.payload, self.way.framed, protection)] * len(examples)
        known = None if self.told is None else self.told(channel, snr_db)
        payloads = [self.encoded(example, known) for example in examples]
        crossings = self.way.cross_all(payloads, channel, snr_db, rngs, configs)
        heard = {n: (c.received.symbols, c.received.noise_var) for n, c in enumerate(crossings) if c.received}
        told = self.read_all(list(heard.values()), [examples[n] for n in heard])
        answers = dict(zip(heard, told, strict=True))
        return [delivery_of(answers.get(n), crossing) for n, crossing in enumerate(crossings)]

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """As `System.all_without_channel`: the latents as they were sent, with a noise variance of -60 dB."""
        sent = [self.symbols(example) for example in examples]
        return self.read_all([(x, np.full(len(x), CLEAN_NOISE_VAR, np.float32)) for x in sent], examples)


class Classical:
    """Source codec, then error correction and QAM at the best MCS of each SNR.

    The same model reads what arrives. Every block is really decoded over its noisy symbols; a failed CRC is a
    lost message.

    codec: of the messages, with a reader (:class:`m4sc.codecs.classical.ClassicalCodec`).
    name: of the system in tables.
    scheme: channel, SNR in dB and a message's bytes to the number of its scheme; None: the fastest that AWGN
        of that SNR carries.
    asked_first: what is sent depends on the question, as of an answer made at the transmitter.
    way: across the channel.

    Attributes:
        used: of each channel and SNR the schemes with the sizes of the messages, in bytes, that they sent.
    """

    def __init__(
        self,
        codec: Codec,
        name: str = "classical",
        scheme: Scheme | None = None,
        asked_first: bool = False,
        way: Way | None = None,
    ) -> None:
        self.codec, self.name, self.scheme, self.asked_first = codec, name, scheme, asked_first
        self.way = way or SymbolWay()
        self._coded: dict[str, Payload] = {}
        self._answers: dict[str, Said] = {}
        self.used: dict[tuple[str, float], set[tuple[int, int]]] = {}

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[Delivery]:
        """As `System.send_all`."""
        payloads = [self._encoded(example) for example in examples]
        configs = [self._frames(payload, channel, snr_db) for payload in payloads]
        crossings = self.way.cross_all(payloads, channel, snr_db, rngs, configs)
        return [
            delivery_of(self._said(example, payload, crossing), crossing)
            for example, payload, crossing in zip(examples, payloads, crossings, strict=True)
        ]

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """As `System.all_without_channel`: of the messages after their source codec."""
        return [self._answer(example) for example in examples]

    def _frames(self, payload: Payload, channel: str, snr_db: float) -> TransportConfig:
        """How a payload is sent; its scheme is noted."""
        mcs = -1 if self.scheme is None else self.scheme(channel, snr_db, len(payload.data))
        self.used.setdefault((channel, snr_db), set()).add((mcs, len(payload.data)))
        return frames_for(snr_db, PayloadFormat(mcs=mcs), self.way.framed)

    def _said(self, example: Example, payload: Payload, crossing: Crossing) -> Said:
        if crossing.received is None:
            return None
        # a CRC that passed by chance: never reuse the answer to the right bytes
        right = crossing.received.data == payload.data
        return self._answer(example) if right else self._read(crossing.received.data, example)

    def _encoded(self, example: Example) -> Payload:
        key = example.id if self.asked_first else example.media_id
        if key not in self._coded:
            message, task = Message(example.modality, example.load()), get_task(example.task)
            told = example.instruction if self.asked_first else None
            self._coded[key] = self.codec.encode(message, task, Budget(), told)
        return self._coded[key]

    def _answer(self, example: Example) -> Said:
        """The model's answer to a message after its source codec; asked once."""
        if example.id not in self._answers:
            self._answers[example.id] = self._read(self._encoded(example).data, example)
        return self._answers[example.id]

    def _read(self, data: bytes, example: Example) -> Said:
        task = get_task(example.task)
        try:
            answer = self.codec.decode(Received(data=data), task, example.instruction)
        except ValueError:
            return None
        return answer.image if task.gives_picture else str(answer.text)


class Constant:
    """Sends nothing: the receiver says what was right most often of each kind of question in training.

    answers: by kind; that of "" answers every other kind.
    """

    name = "constant"

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[Delivery]:
        """As `System.send_all`."""
        return [Delivery(said, 0, 0.0) for said in self.all_without_channel(examples)]

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """As `System.all_without_channel`."""
        return [self.answers.get(example.kind, self.answers[""]) for example in examples]


class Blind:
    """Sends nothing: the receiver's model answers its question on zeros in the place of the message.

    semantic: the system whose receiver it is.
    snr_db: what the receiver believes of the zeros, Es/N0 in dB.
    """

    name = "blind"

    def __init__(self, semantic: Semantic, snr_db: float) -> None:
        self.semantic, self.noise_var = semantic, 10.0 ** (-snr_db / 10)
        self._said: dict[str, Said] = {}

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[Delivery]:
        """As `System.send_all`."""
        return [Delivery(said, 0, 0.0) for said in self.all_without_channel(examples)]

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """As `System.all_without_channel`; each example is asked once."""
        new = [example for example in examples if example.id not in self._said]
        answers = self.semantic.read_zeros(new, self.noise_var)
        self._said.update(zip((example.id for example in new), answers, strict=True))
        return [self._said[example.id] for example in examples]
