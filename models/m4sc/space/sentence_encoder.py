"""Sentences as points of the shared space: the text side is the packaged sentence encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from m4sc.pretrained import resolve
from m4sc.quiet import quiet_loading

SPACE_DIM = 384
_MOST_TOKENS = 128
_BATCH = 64


@dataclass(frozen=True)
class TokenStates:
    """What the encoder makes of each token of a text.

    Attributes:
        states: float32 (t, 384).
        ids: int64 (t,): which token of the vocabulary it is.
        spans: int64 (t, 2): its first letter in the text and the one behind its last; equal of special ones.
    """

    states: Tensor
    ids: Tensor
    spans: Tensor


class SentenceEncoder:
    """all-MiniLM-L6-v2 (Reimers and Gurevych, 2019): mean of the last states over a sentence's tokens.

    The network is loaded when the first sentence comes.
    """

    dim = SPACE_DIM

    def __init__(self, name: str = "minilm") -> None:
        """name: built-in name or folder of a "similarity" backbone."""
        self.name = name

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        folder = resolve(self.name, "similarity")
        with quiet_loading():
            from transformers import AutoModel, AutoTokenizer

            return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def __call__(self, sentences: Sequence[str], cache: Path | None = None) -> Tensor:
        """Sentences to unit vectors, float32 (n, 384).

        cache: folder where the vectors are kept under a hash of the sentences, so that they are made once.
        """
        if cache is not None:
            return self._kept(list(sentences), cache)
        vectors = torch.zeros(len(sentences), self.dim)
        for part, inputs, states in self._encoded(sentences):
            mask = inputs["attention_mask"][..., None].to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp_min(1)
            vectors[part] = torch.nn.functional.normalize(mean, dim=-1).float()
        return vectors

    @torch.inference_mode()
    def tokens(self, texts: Sequence[str]) -> list[TokenStates]:
        """Texts to the states of their tokens, of each at most 128."""
        found: dict[int, TokenStates] = {}
        for part, inputs, states in self._encoded(texts):
            for row, n in enumerate(part):
                own = inputs["attention_mask"][row].bool()
                ids, spans = (inputs[name][row, own] for name in ("input_ids", "offset_mapping"))
                found[n] = TokenStates(states[row, own].float(), ids, spans)
        return [found[n] for n in range(len(texts))]

    def _encoded(self, texts: Sequence[str]) -> Iterator[tuple[list[int], dict[str, Tensor], Tensor]]:
        """Batches of texts: their numbers, what the tokenizer says of them, their states (b, t, 384)."""
        tokenizer, model = self._loaded
        # texts of like length share a batch, so that little is padded
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            inputs = dict(
                tokenizer(
                    [texts[n] for n in part],
                    padding=True,
                    truncation=True,
                    max_length=_MOST_TOKENS,
                    return_offsets_mapping=True,
                    return_tensors="pt",
                )
            )
            given = {name: values for name, values in inputs.items() if name != "offset_mapping"}
            yield part, inputs, model(**given).last_hidden_state

    def _kept(self, sentences: list[str], cache: Path) -> Tensor:
        digest = hashlib.sha256("\n".join([self.name, *sentences]).encode()).hexdigest()[:16]
        path = cache / f"sentences-{digest}.npy"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".tmp.npy")
            np.save(scratch, self(sentences).numpy().astype(np.float16))
            scratch.replace(path)
        return torch.nn.functional.normalize(torch.from_numpy(np.load(path)).float(), dim=-1)


class RememberedSentences:
    """An encoder that meets a sentence once: for measurements in which thousands of answers are alike.

    A receiver has none of it, for what it remembers only grows.
    """

    def __init__(self, encoder: Callable[[Sequence[str]], Tensor]) -> None:
        """encoder: of sentences to vectors, as :class:`SentenceEncoder`."""
        self._encoder = encoder
        self._known: dict[str, Tensor] = {}

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Sentences to unit vectors, float32 (n, dim)."""
        new = [text for text in dict.fromkeys(sentences) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder(new), strict=True))
        return torch.stack([self._known[text] for text in sentences])
