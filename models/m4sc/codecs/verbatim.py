"""Words as they are: code words of tokens, found by their likelihood and the language model's belief."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
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
_AT_ONCE = 8
"""Chunks searched together: the evidence of one, 25 places by 49,152 tokens, is 5 MB, and a long text has
hundreds."""


@dataclass(frozen=True)
class _Piece:
    """A chunk as received: prompt, float (t, hidden); symbols, float (t, s, 2); noise_var, float (t, s)."""

    prompt: Tensor
    symbols: Tensor
    noise_var: Tensor


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
        pieces, counts = list[_Piece](), list[int]()
        for one, instruction in zip(received, instructions, strict=True):
            y, n = as_tokens(one, self.config.symbols_per_token(_CODEC))
            latents = self.network.receive(_CODEC, y[None], n[None])[0].split(size)
            wording = instruction or task.instructions[0]
            parts = zip(latents, y.split(size), n.split(size), strict=True)
            pieces += [_Piece(llm.prompt(wording, part), *heard) for part, *heard in parts]
            counts.append(len(latents))
        texts = list[str]()
        for begin in range(0, len(pieces), _AT_ONCE):
            texts += self._said(pieces[begin : begin + _AT_ONCE], task.max_new_tokens)
        heard_texts = iter(texts)
        seconds = time.perf_counter() - started
        return [
            Answer(joined_text(next(heard_texts) for _ in range(count)), None, seconds) for count in counts
        ]

    def _said(self, pieces: Sequence[_Piece], most: int) -> list[str]:
        """Texts of some chunks, with the evidence of each token of the vocabulary at each place."""
        llm = self.network.llm
        rows = [with_end(log_likelihood(p.symbols, p.noise_var, self._code_book), llm.end_id) for p in pieces]
        return llm.generate([p.prompt for p in pieces], most, Evidence(None, rows))

    @cached_property
    def _code_book(self) -> Tensor:
        return self.network.code_book()
