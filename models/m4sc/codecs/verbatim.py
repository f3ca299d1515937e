"""Words as they are: texts, and the words of spoken messages, by a code that knows when it is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np

from m4sc.codecs.base import Answer, Budget, Codec, Payload, Received
from m4sc.codecs.text_code import TextCode, VerbatimText
from m4sc.codecs.text_code.plan import rate_for, usual_rate
from m4sc.encoders.senses import Senses
from m4sc.message import Message
from m4sc.tasks import Task

_KEPT = 64  # texts that were searched for last


class VerbatimCodec(Codec):
    """The text code of :mod:`m4sc.codecs.text_code` as a codec.

    Args:
        make_code: the code of texts; made when the first of them comes.
        senses: for words that are spoken.
        fingerprint: of configuration and weights.
    """

    name = "verbatim"

    def __init__(self, make_code: Callable[[], TextCode], senses: Senses, fingerprint: int = 0) -> None:
        self._make_code, self.senses, self.fingerprint = make_code, senses, fingerprint
        # several questions on a text, and a search in nothing, are of the same symbols
        self._decoded = lru_cache(maxsize=_KEPT)(self._decode)

    @cached_property
    def code(self) -> TextCode:
        """Of texts."""
        return self._make_code()

    def prepare(self) -> None:
        """As :meth:`Codec.prepare`."""
        self.code  # noqa: B018

    def encode(self, message: Message, task: Task, budget: Budget, instruction: str | None = None) -> Payload:
        """As :meth:`Codec.encode`; the instruction says nothing new."""
        text = self.senses.words(message)
        tokens = self.code.tokens(text)
        # without an SNR every channel is thought of: the receiver tells what did not come through
        rate = usual_rate(tokens, budget.snr_db) if budget.rate is None else rate_for(budget.rate)
        if budget.symbols is not None and tokens:
            rate = rate_for(min(rate, budget.symbols / tokens))
        latents = self.code.encode(text, rate)
        return Payload(task.task_id, message.modality, self.fingerprint, latents)

    def decode_many(
        self, received: Sequence[Received], task: Task, instructions: Sequence[str | None]
    ) -> list[Answer]:
        """As :meth:`Codec.decode_many`; a text is verified, or it says that it is not."""
        started = time.perf_counter()
        found = []
        for one in received:
            if not np.isfinite(one.symbols).all() or np.isnan(one.noise_var).any():
                raise ValueError("received symbols or noise variances are not finite")
            symbols, noise_var = one.symbols.astype(np.complex64), one.noise_var.astype(np.float32)
            found.append(self._decoded(symbols.tobytes(), noise_var.tobytes(), one.min_confidence))
        seconds = time.perf_counter() - started
        return [
            Answer(said.text, None, seconds, confidence=said.confidence, verified=said.verified)
            for said in found
        ]

    def _decode(self, symbols: bytes, noise_var: bytes, min_confidence: float) -> VerbatimText:
        """The search for a text in complex64 symbols and their noise variances, float32."""
        heard, noise = np.frombuffer(symbols, np.complex64), np.frombuffer(noise_var, np.float32)
        return self.code.decode(heard, noise, None, min_confidence)

    def read(self, message: Message, task: Task, instruction: str | None = None) -> Answer:
        """As :meth:`Codec.read`: the words themselves, or those heard in a sound."""
        return Answer(self.senses.words(message), None, 0.0)
