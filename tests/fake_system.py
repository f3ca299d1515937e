"""A semantic system that needs no weights: a fixed code of a few words, decoded by the nearest."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from m4sc.codecs.base import Answer, Payload
from m4sc.tasks import get_task

K = 96  # complex symbols of a message
LEAST = 16
WORDS = ("cat", "dog", "ship", "seven", "storm", "harbour")


def signature(word: str) -> np.ndarray:
    """The word's symbols: complex64 (K,), unit mean power, the same in every run."""
    rng = np.random.default_rng([ord(letter) for letter in word])
    pairs = rng.standard_normal((K, 2))
    pairs *= np.sqrt(2.0 / np.mean(np.sum(pairs**2, axis=1)) / 2.0)
    return (pairs[:, 0] + 1j * pairs[:, 1]).astype(np.complex64)


@dataclass
class FakeSystem:
    """Says a word: of a text its first; of a picture one by its brightness; of a sound 'seven'."""

    fingerprint: int = 0x1234ABCD
    delay_s: float = 0.0
    words: tuple[str, ...] = WORDS

    def encode(
        self,
        message: Any,
        task: str,
        instruction: str | None = None,
        snr_db: Any = None,
        symbols: int | None = None,
        look: bool = False,
    ) -> Any:
        time.sleep(self.delay_s)
        if look:  # the left is all that it knows to find
            assert instruction is not None and "left" in instruction
            message = replace(message, data=message.data[:, : message.data.shape[1] // 2])
        if symbols is not None and symbols < LEAST:
            raise ValueError(f"a word takes at least {LEAST} symbols; {symbols} are allowed")
        sent = signature(self._word(message))[:symbols]
        entry = get_task(task)
        latents = np.stack([sent.real, sent.imag], 1).astype(np.float32)
        left = (0.0, 0.0, 0.5, 1.0) if look else None
        return Payload(entry.task_id, entry.modality, self.fingerprint, latents, looked_at=left)

    def decode(
        self, symbols: np.ndarray, noise_var: np.ndarray, task: str, instruction: str | None = None
    ) -> Any:
        time.sleep(self.delay_s)
        assert symbols.dtype == np.complex64 and noise_var.shape == symbols.shape
        weight = 1.0 / (noise_var + 1e-3)
        scores = [
            float(np.sum(weight * (symbols * np.conj(signature(w)[: len(symbols)])).real)) for w in self.words
        ]
        best = int(np.argmax(scores))
        text = self.words[best] if scores[best] > 0.0 else "nothing"
        return Answer(text if instruction is None else f"{instruction} {text}", None, 0.0)

    def decode_many(self, received: Any, task: str, instructions: Any) -> list[Any]:
        pairs = zip(received, instructions, strict=True)
        return [self.decode(y, np.asarray(n), task, asked) for (y, n), asked in pairs]

    def answer_without_channel(self, message: Any, task: str, instruction: str | None = None) -> Any:
        if task == "text":
            return Answer(str(message.data), None, 0.0)
        return Answer(self._word(message), None, 0.0)

    def _word(self, message: Any) -> str:
        if message.modality == "text":
            return str(message.data).split()[0]
        if message.modality == "image":
            return self.words[int(np.mean(message.data) / 256 * len(self.words))]
        return "seven"


def snr_told(monkeypatch: Any) -> list[float | None]:
    """What every system of this kind is told of the link from now on, a value an encoded message."""
    told: list[float | None] = []
    encode = FakeSystem.encode

    def noted(self: FakeSystem, *args: Any, **options: Any) -> Any:
        told.append(options["snr_db"])
        return encode(self, *args, **options)

    monkeypatch.setattr(FakeSystem, "encode", noted)
    return told
