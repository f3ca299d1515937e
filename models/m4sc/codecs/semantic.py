"""Semantic latents: encoder, KAN projector and channel codec; the language model at the receiver answers."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.tokens import as_latents, as_tokens, check_choice
from m4sc.codecs.trust import Trust, evidence, probability_right
from m4sc.config import LATENTS
from m4sc.encoders.senses import Senses
from m4sc.message import Message
from m4sc.mllm.late import LateNetwork
from m4sc.mllm.network import Network
from m4sc.mllm.text_chunks import text_chunks
from m4sc.tasks import Task


class SemanticCodec(Codec):
    """Tokens of a message (light path), or latents that the transmitter's language model makes of them.

    Which of both a task takes is told by ``encode_tasks`` of the model's configuration.

    Args:
        network: trained, with the language model that answers; read when the first message comes.
        senses: frozen encoders of the transmitter.
        fingerprint: of configuration and weights.
        trust: of each task with a confidence the weights of :func:`m4sc.codecs.trust.evidence`; a receiver's
            alone.
    """

    name = "semantic"

    def __init__(
        self, network: LateNetwork, senses: Senses, fingerprint: int = 0, trust: Trust | None = None
    ) -> None:
        self._network, self.senses, self.fingerprint = network, senses, fingerprint
        self.trust: Trust = trust or {}
        self.config = network.config

    @property
    def network(self) -> Network:
        """Trained, with the language model."""
        return self._network()

    def prepare(self) -> None:
        """As :meth:`Codec.prepare`."""
        self._network()

    @torch.inference_mode()
    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; the light path needs no instruction."""
        codec = self.config.codec_of(task)
        rate = budget.rate or (codec != LATENTS and task.rate) or self.config.symbols_per_token(codec)
        check_choice(
            rate, self.config.rates(codec), f"symbols a token are no rate of these weights for {codec}"
        )
        features = self._features(message, task)
        if codec == LATENTS:
            count = budget.latents or task.latents
            check_choice(count, self.config.latent_counts, "latents are no rate of these weights")
            wording = instruction or task.instructions[0]
            symbols = self.network.send_latents(task.channel_codec, [features], [wording], count)
        else:
            mask = torch.ones(1, len(features), dtype=torch.bool)
            symbols = self.network.send(codec, features[None], mask, rate)
        return Payload(task.task_id, message.modality, self.fingerprint, as_latents(symbols), unit=rate)

    @torch.inference_mode()
    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`."""
        llm = self.network.llm
        started = time.perf_counter()
        prompts = [
            llm.prompt(instruction or task.instructions[0], self.latents(one, task))
            for one, instruction in zip(received, instructions, strict=True)
        ]
        said = llm.answer(prompts, task.max_new_tokens)
        seconds = time.perf_counter() - started
        return [
            Answer(text, None, seconds, confidence=self._confidence(task, odds, one.noise_var))
            for (text, odds), one in zip(said, received, strict=True)
        ]

    def _confidence(self, task: Task, log_probability: float, noise_var: np.ndarray) -> float | None:
        weights = self.trust.get(task.name)
        return None if weights is None else probability_right(weights, evidence(log_probability, noise_var))

    def most(self, task: Task) -> Budget:
        """As :meth:`Codec.most`: the language model has learned to read what its channel decoder gives it."""
        codec = self.config.codec_of(task)
        if codec == LATENTS:
            return Budget(latents=max(self.config.latent_counts))
        return Budget(rate=max(self.config.rates(codec)))

    @torch.inference_mode()
    def place(self, message: Message, task: Task) -> np.ndarray:
        """As :meth:`Codec.place`: the mean of the encoder's features."""
        middle = nn.functional.normalize(self._features(message, task).float().mean(0), dim=-1)
        return np.asarray(middle.numpy())

    def latents(self, received: Received, task: Task) -> Tensor:
        """What the language model is given of a message: float (t, hidden)."""
        codec = self.config.codec_of(task)
        counts = {"image": (self.config.image_tokens,), LATENTS: self.config.latent_counts}.get(codec)
        y, n = as_tokens(received, self._rate(len(received.symbols), codec), counts)
        return self.network.receive(codec, y[None], n[None])[0]

    def possible_symbols(self, task: Task) -> tuple[int, ...]:
        """How many complex symbols a picture's message can have."""
        codec = self.config.codec_of(task)
        tokens = self.config.latent_counts if codec == LATENTS else (self.config.image_tokens,)
        return tuple(rate * n for rate in self.config.rates(codec) for n in tokens)

    def _rate(self, count: int, codec: str) -> int:
        """Symbols a token of a message of `count` symbols: the number of a picture's tokens is known."""
        if codec != "image":
            return self.config.symbols_per_token(codec)
        fitting = [rate for rate in self.config.image_rates if rate * self.config.image_tokens == count]
        return fitting[0] if fitting else self.config.image_symbols

    def _features(self, message: Message, task: Task) -> Tensor:
        if message.modality == "image":
            return self.senses.image_encoder([message.data])[0]
        if task.channel_codec == "speech":
            return self.senses.speech_encoder(message.data)
        llm = self.network.llm
        chunks = text_chunks(llm, self.senses.words(message), self.config.text_chunk)
        return llm.embed_ids([i for chunk in chunks for i in chunk])
