"""Words as they are: code words of tokens, found by their likelihood and the language model's belief."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.tokens import as_latents, as_tokens
from m4sc.encoders.senses import Senses
from m4sc.message import Message
from m4sc.mllm.evidence import Evidence, log_likelihood, with_end
from m4sc.mllm.network import Network
from m4sc.mllm.text_chunks import joined_text, text_chunks
from m4sc.tasks import Task

_CODEC = "text"


class VerbatimCodec(Codec):
    """Texts, and the words of spoken messages.

    Args:
        network: with the channel codec of texts and the language model.
        senses: for words that are spoken.
        fingerprint: of configuration and weights.
    """

    name = "verbatim"

    def __init__(self, network: Network, senses: Senses, fingerprint: int = 0) -> None:
        self.network, self.senses, self.fingerprint = network, senses, fingerprint
        self.config = network.config

    @torch.inference_mode()
    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; the instruction says nothing new."""
        llm = self.network.llm
        chunks = text_chunks(llm, self.senses.words(message), self.config.text_chunk)
        features = llm.embed_ids([i for chunk in chunks for i in chunk])
        mask = torch.ones(1, len(features), dtype=torch.bool)
        symbols = self.network.send(_CODEC, features[None], mask)
        return Payload(task.task_id, message.modality, self.fingerprint, as_latents(symbols))

    @torch.inference_mode()
    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; a text of several chunks is searched chunk by chunk."""
        started = time.perf_counter()
        llm, size = self.network.llm, self.config.text_chunk
        prompts, rows, pieces = list[Tensor](), list[Tensor](), list[int]()
        for one, instruction in zip(received, instructions, strict=True):
            y, n = as_tokens(one, self.config.symbols_per_token(_CODEC))
            latents = self.network.receive(_CODEC, y[None], n[None])[0].split(size)
            prompts += [llm.prompt(instruction or task.instructions[0], piece) for piece in latents]
            likely = log_likelihood(y, n, self._code_book)
            rows += [with_end(part, llm.end_id) for part in likely.split(size)]
            pieces.append(len(latents))
        texts = iter(llm.generate(prompts, task.max_new_tokens, Evidence(None, rows)))
        seconds = time.perf_counter() - started
        return [Answer(joined_text(next(texts) for _ in range(count)), None, seconds) for count in pieces]

    @cached_property
    def _code_book(self) -> Tensor:
        return self.network.code_book()
