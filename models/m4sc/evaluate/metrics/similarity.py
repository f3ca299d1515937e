"""Similarity of sentences: cosine of all-MiniLM-L6-v2 embeddings (mean pooling over the tokens)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from m4sc.quiet import quiet_loading


class MiniLM:
    """Embeds sentences. folder: a transformers checkpoint; None takes the packaged one."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            from m4sc.pretrained import resolve

            folder = Path(resolve("minilm", "similarity"))
        with quiet_loading():
            from transformers import AutoModel, AutoTokenizer

            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self._model: Any = AutoModel.from_pretrained(folder).eval()

    def embed(self, sentences: Sequence[str], batch: int = 64) -> np.ndarray:
        """Return unit vectors, float32 (n, d)."""
        import torch

        parts = []
        for start in range(0, len(sentences), batch):
            texts = list(sentences[start : start + batch])
            inputs = self._tokenizer(
                texts, padding=True, truncation=True, max_length=128, return_tensors="pt"
            )
            with torch.inference_mode():
                states = self._model(**inputs).last_hidden_state  # (b, t, d)
            mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            parts.append(torch.nn.functional.normalize(mean, dim=-1).float().numpy())
        return np.concatenate(parts) if parts else np.zeros((0, 384), np.float32)

    def nearest(self, answer: str, references: Sequence[str]) -> float:
        """Cosine to the nearest reference, 0 to 1; 0 for an answer without any letter or digit."""
        if not any(character.isalnum() for character in answer):
            return 0.0
        vectors = self.embed([answer, *references])
        return float(np.clip(np.max(vectors[1:] @ vectors[0]), 0.0, 1.0))


@lru_cache(maxsize=1)
def default_minilm() -> MiniLM:
    """The packaged model, loaded once."""
    return MiniLM()
