"""Several users served at once, beside each served alone: samples, air time and answers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from m4sc.codecs import source_coding
from m4sc.codecs.base import Payload, Received
from m4sc.codecs.shared import Request, encode_users
from m4sc.data.example import Example
from m4sc.evaluate.metrics.scoring import score_all
from m4sc.evaluate.systems import Said, Semantic
from m4sc.message import Message
from m4sc.phy.channel.config import ChannelConfig
from m4sc.phy.channel.simulator import apply_channel
from m4sc.phy.header.fields import HeaderError
from m4sc.phy.modulation.payload import PayloadFormat
from m4sc.phy.receiver import BurstReceiver
from m4sc.phy.waveform import WaveformConfig
from m4sc.sharing.group import Group, Sealer, Served, SharingConfig, to_group
from m4sc.sharing.receiving import Beside, Delivered, DirectoryError, Opener, read_parts
from m4sc.tasks import get_task
from m4sc.transport.config import TransportConfig
from m4sc.transport.frames import Address, frames_air_time_s, to_frames
from m4sc.transport.message_header import TransportHeader
from m4sc.transport.offline import SampleReceiver

_QUIET = 400  # samples of silence around a burst


@dataclass(frozen=True)
class Session:
    """Users of one frame: what each asks about which message, and its SNR in dB."""

    examples: tuple[Example, ...]
    snr_db: tuple[float, ...]

    def requests(self) -> list[Request]:
        """As the codec takes them; examples about one message give the same object."""
        loaded: dict[str, Message] = {}
        for example in self.examples:
            if example.media_id not in loaded:
                loaded[example.media_id] = Message(example.modality, example.load())
        return [
            Request(n + 1, loaded[example.media_id], example.task, told(example), snr)
            for n, (example, snr) in enumerate(zip(self.examples, self.snr_db, strict=True))
        ]


def told(example: Example) -> str | None:
    """What the transmitter is told of an example: no question."""
    return get_task(example.task).told(example.instruction)


class KeptPayloads:
    """A system whose payloads are kept: a message is encoded once for each task, budget and instruction.

    Sets and seeds of a benchmark send the same messages again.

    Args:
        system: ``m4sc.system.SemanticSystem``.
    """

    def __init__(self, system: Any) -> None:
        self._system = system
        self._kept: dict[tuple[object, ...], Payload] = {}

    def encode(
        self,
        message: Message,
        task: str,
        instruction: str | None = None,
        snr_db: float | None = None,
        rate: int | None = None,
    ) -> Payload:
        """As the system's."""
        key = _digest(message), task, instruction, snr_db, rate
        if key not in self._kept:
            more = {} if rate is None else {"rate": rate}
            self._kept[key] = self._system.encode(message, task, instruction, snr_db=snr_db, **more)
        return self._kept[key]


def _digest(message: Message) -> bytes:
    parts = message.data if isinstance(message.data, tuple) else (message.data,)
    found = hashlib.blake2b(message.modality.encode())
    for part in parts:
        data = part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes()
        shape = "" if isinstance(part, str) else str(part.shape)
        found.update(f"{shape} {len(data)} ".encode() + data)
    return found.digest()


@dataclass(frozen=True)
class Prepared:
    """A session encoded: as a group, and each user alone.

    Attributes:
        session: of the users.
        shared: each user's payload as it enters the group.
        alone: each user's own payload, as without the others.
        group: all in one frame.
        seconds: that dividing and composing the group took, without the encoders.
    """

    session: Session
    shared: tuple[Payload, ...]
    alone: tuple[Payload, ...]
    group: Group
    seconds: float


def prepare(model: Any, session: Session, waveform: WaveformConfig, config: SharingConfig) -> Prepared:
    """Encode a session both ways."""
    requests = session.requests()
    shared = tuple(served.payload for served in encode_users(model, requests))
    made: dict[tuple[int, str, str | None], Payload] = {}
    for one in requests:
        key = id(one.message), one.task, one.instruction
        if key not in made:
            made[key] = model.encode(one.message, one.task, one.instruction)
    alone = tuple(made[id(one.message), one.task, one.instruction] for one in requests)
    return divide(session, shared, alone, waveform, config)


def divide(
    session: Session,
    shared: Sequence[Payload],
    alone: Sequence[Payload],
    waveform: WaveformConfig,
    config: SharingConfig,
    sealers: Mapping[int, Sealer] | None = None,
    nonce: int | None = None,
) -> Prepared:
    """Payloads to a group; see :func:`m4sc.sharing.group.to_group`."""
    users = [
        Served(n + 1, payload, snr)
        for n, (payload, snr) in enumerate(zip(shared, session.snr_db, strict=True))
    ]
    started = time.perf_counter()
    group = to_group(users, waveform, config, sealers=sealers, nonce=nonce)
    return Prepared(session, tuple(shared), tuple(alone), group, time.perf_counter() - started)


@dataclass(frozen=True)
class AirTimes:
    """Seconds on the air of one session, preambles, headers, pilots and cyclic prefixes counted.

    Attributes:
        group: one frame for all.
        unicast: of each user alone, in a frame that names it.
        compact: of each user alone, in the shortest frame there is, which names no user.
        symbols, unicast_symbols: complex data symbols of the parts, directory not counted, and of each
            user's frame: what the sharing itself saves.
    """

    group: float
    unicast: tuple[float, ...]
    compact: tuple[float, ...]
    symbols: int
    unicast_symbols: int


def air_times(prepared: Prepared, waveform: WaveformConfig) -> AirTimes:
    """Of a session's three ways."""
    named, compact = [], []
    for n, (payload, snr) in enumerate(zip(prepared.alone, prepared.session.snr_db, strict=True)):
        config = _transport(waveform, snr)
        named.append(frames_air_time_s(to_frames(payload, _address(n), config), waveform))
        compact.append(frames_air_time_s(to_frames(payload, Address(), config), waveform))
    group = prepared.group
    parts = group.public_symbols + sum(group.private_symbols)
    alone = sum(len(payload.latents) for payload in prepared.alone if payload.latents is not None)
    return AirTimes(group.frame.air_time_s(waveform), tuple(named), tuple(compact), parts, alone)


def classical_air_time(session: Session, waveform: WaveformConfig) -> float:
    """Seconds of every distinct message's file, once for all, at the scheme of the weakest who needs it."""
    weakest: dict[str, float] = {}
    for example, snr in zip(session.examples, session.snr_db, strict=True):
        weakest[example.media_id] = min(snr, weakest.get(example.media_id, np.inf))
    total, seen = 0.0, set()
    for example in session.examples:
        if example.media_id not in seen:
            seen.add(example.media_id)
            data = source_coding.source_encode(Message(example.modality, example.load()))
            payload = Payload(get_task(example.task).task_id, example.modality, data=data)
            config = _transport(waveform, weakest[example.media_id])
            total += frames_air_time_s(to_frames(payload, Address(), config), waveform)
    return total


def answers_air_time(session: Session, answers: Sequence[str], waveform: WaveformConfig) -> float:
    """Seconds of each user's answer as text, found at the transmitter, in a frame that names the user."""
    total = 0.0
    for n, (answer, example, snr) in enumerate(zip(answers, session.examples, session.snr_db, strict=True)):
        data = source_coding.source_encode(Message("text", answer or "-"))
        payload = Payload(get_task(example.task).task_id, "text", data=data)
        total += frames_air_time_s(to_frames(payload, _address(n), _transport(waveform, snr)), waveform)
    return total


def _transport(waveform: WaveformConfig, snr_db: float) -> TransportConfig:
    return TransportConfig(PayloadFormat(snr_db=snr_db), waveform)


def _address(number: int) -> Address:
    return Address(user_id=number + 1, public=False)


class Ends:
    """Sends a session's bursts through each user's own channel to its own receiver.

    Args:
        waveform: of the link.
        channel: of every user; its SNR is set for each.
        beside: what receivers learn from other tasks' public symbols by; None for nothing.
    """

    def __init__(
        self,
        waveform: WaveformConfig,
        channel: ChannelConfig | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.waveform, self.channel, self.beside = waveform, channel or ChannelConfig(), beside

    def together(
        self, prepared: Prepared, rng: np.random.Generator, keys: Mapping[int, Opener] | None = None
    ) -> list[Delivered | None]:
        """What each user takes of the group's frame; None where it cannot read whom the frame serves.

        keys: of the users that have one.
        """
        burst, held = prepared.group.frame.modulate(self.waveform), keys or {}
        return [
            self.take(self.through(burst, snr, rng), n + 1, held.get(n + 1))
            for n, snr in enumerate(prepared.session.snr_db)
        ]

    def apart(self, prepared: Prepared, rng: np.random.Generator) -> list[Received | None]:
        """What each user receives of a message of its own; None where it is lost."""
        found = []
        for n, (payload, snr) in enumerate(zip(prepared.alone, prepared.session.snr_db, strict=True)):
            frames = to_frames(payload, _address(n), _transport(self.waveform, snr))
            receiver = SampleReceiver(self.waveform, user_id=n + 1)
            arrivals = []
            for frame in frames:
                arrivals += receiver.push(self.through(frame.modulate(self.waveform), snr, rng))
            messages = [message for arrival in [*arrivals, *receiver.flush()] for message in arrival.messages]
            found.append(messages[0].received if messages else None)
        return found

    def through(self, burst: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
        """A burst between silences as a user of that SNR receives it, complex64."""
        quiet = np.zeros(_QUIET, np.complex64)
        samples = np.concatenate([quiet, burst, quiet, quiet])
        return apply_channel(samples, replace(self.channel, snr_db=snr_db), self.waveform, rng)

    def take(self, samples: np.ndarray, user_id: int, key: Opener | None = None) -> Delivered | None:
        """What a user takes of received samples; None where it cannot read whom a frame serves."""
        receiver = BurstReceiver(self.waveform)
        frames = receiver.push(samples) + receiver.flush()
        for frame in frames:
            try:
                header = TransportHeader.join(frame.header, frame.message)
                parts = read_parts(
                    frame.symbols,
                    frame.noise_var,
                    header.mcs,
                    header.payload_bytes,
                    self.waveform.n_data_carriers,
                )
                return parts.take(user_id, key, self.beside)
            except (HeaderError, DirectoryError):
                continue
        return None


def answer_all(model: Any, received: Sequence[Received | None], examples: Sequence[Example]) -> list[Said]:
    """Answers of many users' messages, task by task in batches; None for a loss."""
    answers: list[Said] = [None] * len(examples)
    system = Semantic(model)
    for task in sorted({example.task for example in examples}):
        chosen = [n for n, one in enumerate(received) if one is not None and examples[n].task == task]
        pairs = [(one.symbols, one.noise_var) for n in chosen if (one := received[n]) is not None]
        for n, said in zip(chosen, system.read_all(pairs, [examples[n] for n in chosen]), strict=True):
            answers[n] = said
    return answers


def scores_of(answers: Sequence[Said], examples: Sequence[Example]) -> np.ndarray:
    """Score of each answer by its task's scorer, float (n,); captions get CIDEr-D over their like."""
    scores = np.zeros(len(examples))
    for task in {example.task for example in examples}:
        chosen = [n for n, example in enumerate(examples) if example.task == task]
        texts = [None if answers[n] is None else str(answers[n]) for n in chosen]
        kinds = [examples[n].kind for n in chosen]
        scores[chosen] = score_all(task, texts, [examples[n].answers for n in chosen], kinds)
    return scores
