"""Training of DeepSC, end to end through random noise."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.coding.deepsc.network import DeepScNetwork
from m4sc.coding.reconstruction.training import ReconstructionStage
from m4sc.coding.torch_link.link import transmit

_MOST_SNR_DB = 18.0


class StepLoss:
    """The loss of a step, which depends on the seed and the step's number alone.

    Args:
        network: is trained.
        texts: pieces of each; of one longer than a run its first ones.
        stage: how; its ``photographs`` say nothing here.
    """

    def __init__(
        self, network: DeepScNetwork, texts: Sequence[Sequence[int]], stage: ReconstructionStage
    ) -> None:
        self.network, self.stage = network, stage
        self.texts = [torch.tensor(text[: network.config.run]) for text in texts if text]

    def __call__(self, step: int) -> Tensor:
        """Cross-entropy of a piece, nats, scalar."""
        stage, rng = self.stage, np.random.default_rng([self.stage.seed, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        chosen = [self.texts[i] for i in rng.choice(len(self.texts), stage.batch)]
        pieces = nn.utils.rnn.pad_sequence(chosen, batch_first=True)
        there = nn.utils.rnn.pad_sequence(
            [torch.ones(len(text), dtype=torch.bool) for text in chosen], batch_first=True
        )
        channel = "rayleigh" if rng.random() < stage.rayleigh else "awgn"
        snr_db = torch.from_numpy(rng.uniform(stage.lowest_snr_db, _MOST_SNR_DB, len(chosen))).float()
        precision: Any = torch.autocast("cpu", torch.bfloat16) if stage.bf16 else contextlib.nullcontext()
        with precision:
            sent = self.network.send(pieces, there)
            received, noise_var = transmit(sent, snr_db, channel, generator)
            scores = self.network.receive(received, noise_var, there)
        return nn.functional.cross_entropy(scores[there].float(), pieces[there])
