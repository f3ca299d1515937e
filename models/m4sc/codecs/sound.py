"""Task `sound`: a sound as a point of the shared space, sent over the channel; the name nearest to it."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.combining import nested
from m4sc.codecs.symbol_pairs import symbol_pairs
from m4sc.encoders.sound import SoundEncoder
from m4sc.message import Message
from m4sc.space.channel_codec import receive_all
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.space.sound_names import name_points
from m4sc.space.sound_network import Named, SoundNetwork
from m4sc.tasks import Task


class SoundCodec(Codec):
    """Sound encoder, projector and channel codec at the transmitter; the nearest name at the receiver.

    A receiver's question with a colon chooses among the names behind it, known or not: "Which is it: a drill,
    rain or a bird?". Without one it is any name of the weights' configuration.
    """

    name = "sound"

    def __init__(self, network: SoundNetwork, fingerprint: int = 0) -> None:
        self.network = network.eval()
        self.config = network.config
        self.fingerprint = fingerprint

    @cached_property
    def _encoder(self) -> SoundEncoder:
        return SoundEncoder(self.config.sound, self.config.speech)

    @cached_property
    def _sentences(self) -> SentenceEncoder:
        return SentenceEncoder()

    @torch.inference_mode()
    def point(self, samples: np.ndarray) -> Tensor:
        """Sound, float (n,) at 16 kHz, to its unit vector in the shared space, float32 (384,)."""
        return self.network.point(torch.from_numpy(self._encoder(samples))[None])[0]

    @torch.inference_mode()
    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; a budget of fewer symbols than the most takes the first ones."""
        if message.modality != "speech":
            raise ValueError(f"task '{task.name}' takes speech, but the message is {message.modality}")
        least, most = self.config.least_symbols, self.config.symbols
        count = most if budget.symbols is None else min(budget.symbols, most)
        if count < least:
            raise ValueError(f"a sound takes at least {least} symbols; the budget has {count}")
        sent = self.network.codec.send(self.point(np.asarray(message.data))[None], count)[0]
        return Payload(task.task_id, message.modality, self.fingerprint, sent.numpy().astype(np.float32))

    @torch.inference_mode()
    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; the confidence is the probability that the name is right."""
        started = time.perf_counter()
        if not received:
            return []
        symbols, noise_var = zip(*map(self._checked, received), strict=True)
        points, quality = receive_all(self.network.codec, symbols, noise_var)
        found: list[Named] = []
        for point, whole, instruction in zip(points, quality, instructions, strict=True):
            found += self.network.name(point[None], whole[None], self._candidates(instruction))
        seconds = time.perf_counter() - started
        return [Answer(named.name, None, seconds, confidence=named.confidence) for named in found]

    @torch.inference_mode()
    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: the name nearest to the point itself."""
        started = time.perf_counter()
        point = self.point(np.asarray(message.data))[None]
        named = self.network.name(point, torch.ones(1), self._candidates(instruction))[0]
        return Answer(named.name, None, time.perf_counter() - started, confidence=named.confidence)

    def place(self, message: Message, task: Task) -> np.ndarray:
        """As :meth:`Codec.place`: a sound's point."""
        return np.asarray(self.point(np.asarray(message.data)).numpy())

    def more(self, task: Task, sent: int, budget: Budget) -> Budget:
        """As :meth:`Codec.more`: twice as many symbols, as far as there are."""
        return replace(budget, symbols=min(2 * sent, self.config.symbols))

    def combine(self, copies: Sequence[Received], task: Task) -> Received:
        """As :meth:`Codec.combine`: the first symbols of a longer copy are those of a shorter one."""
        return nested(copies, self.network.codec.scale)

    def _checked(self, received: Received) -> tuple[Tensor, Tensor]:
        """Symbols, float (k, 2), and noise variances, float (k,)."""
        symbols, noise_var = received.symbols, received.noise_var
        if not self.config.least_symbols <= len(symbols) <= self.config.symbols or len(symbols) != len(
            noise_var
        ):
            raise ValueError(
                f"{len(symbols)} symbols with {len(noise_var)} noise variances are no sound of "
                f"{self.config.least_symbols} to {self.config.symbols} symbols; transmitter and receiver use "
                "different models"
            )
        return symbol_pairs(received)

    def _candidates(self, instruction: str | None) -> tuple[list[str], Tensor] | None:
        """Names that a question chooses among, with their points; None where it names fewer than two."""
        names = named_in(instruction or "")
        if len(names) < 2:
            return None
        place = {name: n for n, name in enumerate(self.config.names)}
        unknown = [name for name in names if name not in place]
        points = torch.zeros(len(names), self.network.points.shape[1])
        made = iter(name_points(unknown, self._sentences)) if unknown else iter(())
        for n, name in enumerate(names):
            points[n] = self.network.points[place[name]] if name in place else next(made)
        return names, points


def named_in(question: str) -> list[str]:
    """Names behind the colon of a question, in lower case and without articles."""
    _, colon, listed = question.partition(":")
    if not colon:
        return []
    parts = listed.lower().strip(" ?.!").replace(" or ", ",").split(",")
    names = [part.strip() for part in parts]
    names = [name.removeprefix("a ").removeprefix("an ").removeprefix("the ").strip() for name in names]
    return list(dict.fromkeys(name for name in names if name))


def load_sound(folder: Path) -> SoundCodec:
    """Read the weights of `m4sc train sound`; the fingerprint covers configuration and weights.

    Raises:
        FileNotFoundError: no such files.
        ValueError: the weights do not fit their configuration.
    """
    network = SoundNetwork.load(folder)
    text = (folder / "config.json").read_bytes()
    fingerprint = zlib.crc32((folder / "model.safetensors").read_bytes(), zlib.crc32(text))
    return SoundCodec(network, fingerprint)
