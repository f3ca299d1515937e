"""What received symbols say about the tokens of a text, for the language model's prior to meet.

The receiver knows the code word of every token of the vocabulary, since the encoder is part of the pair of
models: the likelihood of each is exact, and with the LLM's belief it makes the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_IMPOSSIBLE = -1e4


@dataclass(frozen=True)
class Evidence:
    """Of a batch of texts.

    Attributes:
        candidates: int64 (v,), token numbers that are thought of; None for the whole vocabulary.
        rows: of each text, float (t + 1, v): log-likelihoods, up to a constant a row, at each place; in the
            last row the end mark is certain.
    """

    candidates: Tensor | None
    rows: list[Tensor]


def log_likelihood(symbols: Tensor, noise_var: Tensor, code_words: Tensor) -> Tensor:
    """-|y - c|^2 / N0 summed over a token's symbols, less what no code word changes.

    Args:
        symbols: float (t, s, 2), received, unbiased.
        noise_var: float (t, s), complex noise variance of each.
        code_words: float (v, s, 2).

    Returns:
        float (t, v).
    """
    weight = 1.0 / noise_var.clamp_min(1e-6)
    seen = torch.cat([(2.0 * symbols * weight[..., None]).flatten(1), -weight], dim=1)  # (t, 3 s)
    known = torch.cat([code_words.flatten(1), code_words.square().sum(-1)], dim=1)  # (v, 3 s)
    return seen @ known.T


def with_end(rows: Tensor, end: int) -> Tensor:
    """Append the row of a text's end. rows: float (t, v); end: the end mark's column."""
    last = rows.new_full((1, rows.shape[1]), _IMPOSSIBLE)
    last[0, end] = 0.0
    return torch.cat([rows, last])
