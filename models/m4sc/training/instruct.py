"""Stages 2 and 3: the LLM's adapter learns to answer from received latents, through random channels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from m4sc.channel.link import transmit
from m4sc.network import Network
from m4sc.tasks import get_task
from m4sc.training.batches import draw, draw_channel, inputs
from m4sc.training.features import Sample


class Instruction:
    """Answer cross entropy of random batches, one task a batch."""

    def __init__(
        self, network: Network, samples: list[Sample], seed: int, batch_size: int, bf16: bool = False
    ) -> None:
        self.network, self.batch_size, self.bf16 = network, batch_size, bf16
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.pools: dict[str, list[Sample]] = {}
        for sample in samples:
            self.pools.setdefault(sample.task, []).append(sample)

    def loss(self, task: str) -> Tensor:
        """Loss of one random batch of a task."""
        batch = draw(self.pools[task], self.batch_size, self.rng)
        modality = batch[0].modality
        features, mask = inputs(self.network, batch)
        snr_db, channel = draw_channel(len(batch), self.rng, -5.0, 25.0)
        symbols = self.network.send(modality, features, mask)
        latents = self.network.receive(modality, *transmit(symbols, snr_db, channel, self.generator))
        prompts = [
            self.network.llm.prompt(self._wording(sample), latents[n][mask[n]])
            for n, sample in enumerate(batch)
        ]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            return self.network.llm.loss(prompts, [self._answer(sample) for sample in batch])

    def _wording(self, sample: Sample) -> str:
        task = get_task(sample.task)
        if task.needs_question:
            return sample.instruction
        wordings = task.instructions
        if sample.task == "text":  # a transcription is text that was heard: same latents, other wording
            wordings = wordings + get_task("transcribe").instructions
        return wordings[int(self.rng.integers(len(wordings)))]

    def _answer(self, sample: Sample) -> str:
        if sample.task != "caption":
            return sample.answers[0]
        return sample.answers[int(self.rng.integers(len(sample.answers)))]
