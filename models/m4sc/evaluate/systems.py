"""The two systems under test behind one interface: `send` a message, get an answer or None for a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from m4sc.data.example import Example
from m4sc.evaluate.channels import transmit
from m4sc.message import Message
from m4sc.phy.modulation.payload import PayloadFormat, map_latents, unmap_symbols
from m4sc.tasks import get_task

BATCH = 16
Said = str | np.ndarray | None  # an answer: words, a picture (uint8 (H, W, 3)), or None for a loss


class System(Protocol):
    """What the harness needs."""

    name: str

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[tuple[Said, int]]:
        """Return each receiver's answer (None: lost) and the complex data symbols sent."""

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """Return the answers of the same model to the messages themselves."""


class Semantic:
    """The semantic system. The transmitter is told a question only where the task has none of its own.

    model: as `m4sc.load` returns it. Latents are kept by message, so that every SNR sends the same ones.
    payload: how they are sent; the scheme of a digital payload is chosen for each SNR. A code that the
    channel breaks is a lost message.
    """

    name = "semantic"

    def __init__(self, model: Any, payload: PayloadFormat | None = None) -> None:
        self.model, self.payload = model, payload or PayloadFormat()
        self._sent: dict[tuple[str, str], np.ndarray] = {}

    def symbols(self, example: Example) -> np.ndarray:
        """Return the symbols of a message, complex64 (k,), unit mean power."""
        key = (example.task, example.media_id)
        if key not in self._sent:
            message = Message(example.modality, example.load())
            told = None if get_task(example.task).needs_question else example.instruction
            latents = np.asarray(self.model.encode(message, example.task, told).latents, dtype=np.float32)
            self._sent[key] = (latents[:, 0] + 1j * latents[:, 1]).astype(np.complex64)
        return self._sent[key]

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
        return [answer.image if shown else str(answer.text) for answer in answers]

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[tuple[Said, int]]:
        """As `System.send_all`."""
        form = replace(self.payload, snr_db=snr_db)
        counts: list[int] = []
        heard: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for n, (example, rng) in enumerate(zip(examples, rngs, strict=True)):
            latents = self.symbols(example)
            mapped = map_latents(np.stack([latents.real, latents.imag], axis=1), form)
            counts.append(len(mapped.symbols))
            received = transmit(mapped.symbols, channel, snr_db, rng)
            found = unmap_symbols(*received, form.kind, mapped.mcs, mapped.payload_bytes)
            if found is not None:
                heard[n] = (found[0][:, 0] + 1j * found[0][:, 1], found[1])
        told = self.read_all(list(heard.values()), [examples[n] for n in heard])
        answers = dict(zip(heard, told, strict=True))
        return [(answers.get(n), count) for n, count in enumerate(counts)]

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """As `System.all_without_channel`: the latents as they were sent, with a noise variance of -60 dB."""
        sent = [self.symbols(example) for example in examples]
        return self.read_all([(x, np.full(len(x), 1e-6, np.float32)) for x in sent], examples)


@dataclass(frozen=True)
class ClassicalParts:
    """What the classical system is made of.

    source_encode: Message -> bytes; source_decode: (bytes, modality) -> Message.
    select_mcs: (SNR in dB, bytes) -> scheme.
    encode_transport, decode_transport: as in `m4sc.phy.modulation.digital`.
    """

    source_encode: Callable[[Message], bytes]
    source_decode: Callable[[bytes, str], Message]
    select_mcs: Callable[[float, int], Any]
    encode_transport: Callable[[bytes, int], np.ndarray]
    decode_transport: Callable[[np.ndarray, np.ndarray, int, int], bytes | None]


def classical_parts(margin_db: float = 1.0) -> ClassicalParts:
    """The project's own codecs, LDPC and QAM; the scheme is chosen for the SNR less `margin_db`."""
    from m4sc.codecs import source_coding as classical
    from m4sc.phy.modulation import digital, mcs

    return ClassicalParts(
        classical.source_encode,
        classical.source_decode,
        lambda snr_db, n_bytes: mcs.select_mcs(snr_db, margin_db, n_bytes),
        digital.encode_transport,
        digital.decode_transport,
    )


class Classical:
    """Source codec, then error correction and QAM at the best MCS of each SNR.

    The same model reads what arrives. Every block is really decoded over its noisy symbols; a failed CRC is a
    lost message.
    """

    name = "classical"

    def __init__(self, model: Any, parts: ClassicalParts) -> None:
        self.model, self.parts = model, parts
        self._coded: dict[str, bytes] = {}
        self._answers: dict[str, Said] = {}

    def send_all(
        self, examples: Sequence[Example], channel: str, snr_db: float, rngs: Sequence[np.random.Generator]
    ) -> list[tuple[Said, int]]:
        """As `System.send_all`."""
        return [self._send(e, channel, snr_db, rng) for e, rng in zip(examples, rngs, strict=True)]

    def all_without_channel(self, examples: Sequence[Example]) -> list[Said]:
        """As `System.all_without_channel`: of the messages after their source codec."""
        return [self._answer(example) for example in examples]

    def _send(
        self, example: Example, channel: str, snr_db: float, rng: np.random.Generator
    ) -> tuple[Said, int]:
        if example.media_id not in self._coded:
            message = Message(example.modality, example.load())
            self._coded[example.media_id] = self.parts.source_encode(message)
        payload = self._coded[example.media_id]
        chosen = self.parts.select_mcs(snr_db, len(payload))
        mcs = int(getattr(chosen, "index", chosen))
        sent = np.asarray(self.parts.encode_transport(payload, mcs), dtype=np.complex64)
        received, noise_var = transmit(sent, channel, snr_db, rng)
        decoded = self.parts.decode_transport(received, noise_var, mcs, len(payload))
        if decoded is None:
            return None, len(sent)
        if decoded != payload:  # a CRC that passed by chance: never reuse the answer to the right bytes
            return self._read(decoded, example), len(sent)
        return self._answer(example), len(sent)

    def _answer(self, example: Example) -> Said:
        """The model's answer to a message after its source codec; asked once."""
        if example.id not in self._answers:
            message = Message(example.modality, example.load())
            payload = self._coded.setdefault(example.media_id, self.parts.source_encode(message))
            self._answers[example.id] = self._read(payload, example)
        return self._answers[example.id]

    def _read(self, payload: bytes, example: Example) -> Said:
        try:
            message = self.parts.source_decode(payload, example.modality)
            if example.modality == "text" and example.task == "text":
                return str(message.data)
            if get_task(example.task).gives_picture:
                return np.asarray(message.data)
            answer = self.model.answer_without_channel(message, example.task, example.instruction)
        except ValueError:
            return None
        return str(getattr(answer, "text", answer))
