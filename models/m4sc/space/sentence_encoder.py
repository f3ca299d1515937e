"""Sentences as points of the shared space: the text side is the packaged sentence encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
        from transformers import AutoModel, AutoTokenizer

        folder = resolve(self.name, "similarity")
        with quiet_loading():
            return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    @torch.inference_mode()
    def __call__(self, sentences: Sequence[str], cache: Path | None = None) -> Tensor:
        """Sentences to unit vectors, float32 (n, 384).

        cache: folder where the vectors are kept under a hash of the sentences, so that they are made once.
        """
        if cache is not None:
            return self._kept(list(sentences), cache)
        tokenizer, model = self._loaded
        vectors = torch.zeros(len(sentences), self.dim)
        # sentences of like length share a batch, so that little is padded
        order = sorted(range(len(sentences)), key=lambda n: len(sentences[n]))
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            inputs = tokenizer(
                [sentences[n] for n in part],
                padding=True,
                truncation=True,
                max_length=_MOST_TOKENS,
                return_tensors="pt",
            )
            states = model(**inputs).last_hidden_state  # (b, t, 384)
            mask = inputs["attention_mask"][..., None].to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp_min(1)
            vectors[part] = torch.nn.functional.normalize(mean, dim=-1).float()
        return vectors

    def _kept(self, sentences: list[str], cache: Path) -> Tensor:
        digest = hashlib.sha256("\n".join([self.name, *sentences]).encode()).hexdigest()[:16]
        path = cache / f"sentences-{digest}.npy"
        if not path.exists():
            cache.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".tmp.npy")
            np.save(scratch, self(sentences).numpy().astype(np.float16))
            scratch.replace(path)
        return torch.nn.functional.normalize(torch.from_numpy(np.load(path)).float(), dim=-1)
