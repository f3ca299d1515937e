"""The language model as a reader of short messages: what it expects next, hypothesis by hypothesis.

Only the receiver asks it. So it need not give the same numbers on two machines: a difference changes how far
a hypothesis is believed, never what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from m4sc.codecs.text_code.alphabet import Alphabet
from m4sc.codecs.text_code.search import Prior
from m4sc.mllm.decoding import Cache, Decoder, decoder_for
from m4sc.quiet import quiet_loading

OPENING = "<|im_start|>user\n"
"""What every text is thought to stand behind."""
_CONTEXT = 64
"""Tokens of the text before a chunk that are read again."""
_LONGEST = 64
"""Tokens of a chunk at most."""
_SURPRISE = 0.02
"""Share of belief that is spread over all tokens: nothing that a user may write is impossible."""


def load_prior(folder: Path, alphabet: Alphabet, adapter: Path | None = None) -> Prior:
    """The belief of a language model.

    Args:
        folder: of the model, as transformers reads it.
        alphabet: of its tokenizer.
        adapter: low-rank changes of its matrices, trained on short messages; None for the model as it is.
    """
    with quiet_loading():
        from transformers import AutoModelForCausalLM

        model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    if adapter is not None:
        add_adapter(model, load_file(str(adapter)))
    opening = alphabet.with_marks(OPENING)
    decoder = decoder_for(model, shrink=True)
    if decoder is None:
        return _ByTransformers(model, opening, alphabet.size)
    return LlmPrior(decoder, opening, alphabet.size)


@torch.no_grad()
def add_adapter(model: Any, changes: dict[str, torch.Tensor]) -> None:
    """Add the products of an adapter to the matrices that they change.

    Args:
        model: that holds them.
        changes: ``NAME.down``, (rank, in), and ``NAME.up``, (out, rank), for each matrix ``NAME``.

    Raises:
        ValueError: the adapter was made for another model.
    """
    matrices = dict(model.named_parameters())
    for name in {key.rpartition(".")[0] for key in changes}:
        change = changes[f"{name}.up"].float() @ changes[f"{name}.down"].float()
        matrix = matrices.get(f"{name}.weight")
        if matrix is None or matrix.shape != change.shape:
            raise ValueError(f"the adapter for texts does not fit the language model: it changes {name}")
        matrix += change.to(matrix)


class LlmPrior:
    """Beliefs of a lean decoder."""

    def __init__(self, decoder: Decoder, opening: Sequence[int], vocab: int) -> None:
        """opening: token numbers that every text stands behind, at least one; vocab: how many there are."""
        self._decoder, self._vocab = decoder, vocab
        embeds = decoder.embedding[torch.tensor(list(opening))].float()[None]
        logits, cache = decoder.prefill(embeds, torch.zeros(1, dtype=torch.long), 0)
        self._opened = self._belief(logits), cache.behind(0, _LONGEST)
        self._cache = self._opened[1]
        self._spare: Cache | None = None

    @torch.inference_mode()
    def begin(self, read: Sequence[int]) -> np.ndarray:
        """As :meth:`m4sc.codecs.text_code.search.Prior.begin`; the last tokens of `read` count."""
        belief, empty = self._opened
        self._cache = empty.picked(torch.zeros(1, dtype=torch.long))
        for token in read[-_CONTEXT:]:
            belief = self._belief(self._decoder.step(torch.tensor([token]), self._cache))
        if read:
            self._cache = self._cache.behind(0, _LONGEST)
        return belief

    @torch.inference_mode()
    def read(self, sources: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """As :meth:`m4sc.codecs.text_code.search.Prior.read`."""
        picked = self._cache.picked(torch.from_numpy(sources), self._spare)
        self._cache, self._spare = picked, self._cache
        return self._belief(self._decoder.step(torch.from_numpy(tokens), self._cache))

    def _belief(self, logits: torch.Tensor) -> np.ndarray:
        return _belief(logits[:, : self._vocab])  # a model's table may be longer than its vocabulary


class _ByTransformers:
    """The same of any causal model, which reads every hypothesis anew at each token."""

    def __init__(self, model: Any, opening: Sequence[int], vocab: int) -> None:
        self._model, self._opening, self._vocab = model, list(opening), vocab
        self._texts = torch.tensor([self._opening])

    def begin(self, read: Sequence[int]) -> np.ndarray:
        self._texts = torch.tensor([[*self._opening, *read[-_CONTEXT:]]])
        return self._look()

    def read(self, sources: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        texts = self._texts[torch.from_numpy(sources)]
        self._texts = torch.cat([texts, torch.from_numpy(tokens)[:, None]], 1)
        return self._look()

    @torch.inference_mode()
    def _look(self) -> np.ndarray:
        logits = self._model(input_ids=self._texts.to(self._model.device), use_cache=False).logits
        return _belief(logits[:, -1, : self._vocab].float().cpu())


def _belief(logits: torch.Tensor) -> np.ndarray:
    """ln probabilities, a little of them spread over all tokens: float32 (n, vocab)."""
    least = float(np.log(_SURPRISE / logits.shape[1]))
    own = logits.log_softmax(-1) + float(np.log1p(-_SURPRISE))
    return own.clamp_min_(least).numpy()
