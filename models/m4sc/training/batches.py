"""Batches of one modality, drawn with a seeded generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from m4sc.config import ModelConfig
from m4sc.mllm.network import Network
from m4sc.training.features import Sample, stack

Item = TypeVar("Item")

_MOST_SYMBOLS_SHARE = 0.6
_USUAL_SYMBOLS = 128
_EXCHANGED_TEXTS = 0.4
_EXCHANGED_TOKENS = 0.4
_CANDIDATES = 6000


def draw(samples: Sequence[Item], size: int, rng: np.random.Generator) -> list[Item]:
    """`size` items with replacement."""
    return [samples[int(i)] for i in rng.integers(len(samples), size=size)]


def inputs(network: Network, batch: list[Sample], ids: list[list[int]]) -> tuple[Tensor, list[int]]:
    """Padded features of a batch of one modality, float (n, t, dim), and the number of tokens of each.

    ids: of each text's tokens, as :func:`draw_ids` gives them; not used for pictures and sounds.
    """
    if batch[0].modality == "text":
        return stack([network.llm.embed_ids(i) for i in ids], network.device)
    return stack([sample.features for sample in batch if sample.features is not None], network.device)


def padding_mask(lengths: list[int], device: torch.device) -> Tensor:
    """bool (n, longest), False where padded."""
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    return mask.to(device, non_blocking=True)


def unpadded(padded: Tensor, lengths: list[int]) -> Tensor:
    """Rows of all messages, (n, t, ...) to (sum of lengths, ...): no mask, whose index stalls the host."""
    return torch.cat([row[:length] for row, length in zip(padded, lengths, strict=True)])


def draw_ids(
    network: Network, batch: list[Sample], rng: np.random.Generator, exchange: bool = True
) -> list[list[int]]:
    """Token numbers of each text; if `exchange`, some of some texts become random ones of the vocabulary.

    Captions use few words, but names and terms must come through as well.
    """
    llm = network.llm
    special = np.array(sorted(llm.tokenizer.all_special_ids))
    known = min(len(llm.embedding), len(llm.tokenizer))  # some tables are longer than their vocabulary
    common = np.setdiff1d(np.arange(known), special)
    found = []
    for sample in batch:
        ids = np.array(llm.token_ids(sample.text))
        if exchange and rng.random() < _EXCHANGED_TEXTS:
            exchanged = (rng.random(len(ids)) < _EXCHANGED_TOKENS) & ~np.isin(ids, special)
            ids[exchanged] = rng.choice(common, exchanged.sum())
        found.append([int(i) for i in ids])
    return found


def draw_rate(config: ModelConfig, modality: str, rng: np.random.Generator) -> int:
    """Complex symbols a token of a batch: most often the highest rate, else one of the others."""
    rates = sorted(config.rates(modality))
    if len(rates) == 1 or rng.random() < _MOST_SYMBOLS_SHARE:
        return rates[-1]
    return rates[int(rng.integers(len(rates) - 1))]


def draw_count(config: ModelConfig, rng: np.random.Generator) -> int:
    """Semantic latents a message of a batch: one of the counts that fit 128 symbols most often, or any."""
    counts = sorted(config.latent_counts)
    usual = [c for c in counts if c * config.latent_symbols <= _USUAL_SYMBOLS] or counts[:1]
    if rng.random() < _MOST_SYMBOLS_SHARE:
        return usual[-1]
    return counts[int(rng.integers(len(counts)))]


def by_message(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Samples of one task about one message together; those of no named message alone."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for n, sample in enumerate(samples):
        groups.setdefault((sample.task, sample.media or f"#{n}"), []).append(sample)
    return list(groups.values())


def draw_candidates(network: Network, ids: list[list[int]], rng: np.random.Generator) -> Tensor:
    """Tokens of the texts, the end mark and random others, int64 (v,), sorted: a vocabulary for a batch.

    It is made on the host, where finding the distinct ones makes nobody wait.
    """
    llm = network.llm
    sent = torch.tensor([llm.end_id, *(i for row in ids for i in row)])
    others = torch.from_numpy(rng.integers(len(llm.embedding), size=_CANDIDATES))
    return torch.unique(torch.cat([sent, others]))
