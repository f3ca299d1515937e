"""Batches of one modality, drawn with a seeded generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from m4sc.network import Network
from m4sc.training.features import Sample, stack


def draw(samples: Sequence[Sample], size: int, rng: np.random.Generator) -> list[Sample]:
    """`size` samples with replacement."""
    return [samples[int(i)] for i in rng.integers(len(samples), size=size)]


def inputs(network: Network, batch: list[Sample]) -> tuple[Tensor, Tensor]:
    """Padded features of a batch of one modality, float (n, t, dim), and their mask, bool (n, t)."""
    if batch[0].modality == "text":
        return stack([network.llm.embed_text(sample.text) for sample in batch])
    return stack([sample.features for sample in batch if sample.features is not None])


def draw_channel(n: int, rng: np.random.Generator, low_db: float, high_db: float) -> tuple[Tensor, str]:
    """SNR of each message, float (n,), uniform in dB, and a channel: AWGN twice as often as Rayleigh."""
    snr_db = torch.from_numpy(rng.uniform(low_db, high_db, n).astype(np.float32))
    return snr_db, "rayleigh" if rng.random() < 1 / 3 else "awgn"
