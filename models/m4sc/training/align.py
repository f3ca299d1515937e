"""Stage 1, alignment: received tokens meet the word embeddings of what they mean; the LLM does not run."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from m4sc.channel.link import transmit
from m4sc.network import Network
from m4sc.training.batches import draw, draw_channel, inputs
from m4sc.training.features import Sample

_SCALE = 20.0
_NEGATIVES = 3000


class Alignment:
    """Losses of stage 1, one method a kind of sample."""

    def __init__(self, network: Network, samples: list[Sample], seed: int) -> None:
        self.network = network
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.pools: dict[str, list[Sample]] = {}
        for sample in samples:
            if sample.task != "mosaic":
                self.pools.setdefault(sample.task, []).append(sample)
            elif ";" in sample.answers[0]:  # "describe" names every tile: the densest supervision
                self.pools.setdefault("mosaic", []).append(sample)

    def received(self, batch: list[Sample]) -> tuple[Tensor, Tensor]:
        """Latents after a random channel, float (n, t, hidden), and their mask."""
        modality = batch[0].modality
        features, mask = inputs(self.network, batch)
        snr_db, channel = draw_channel(len(batch), self.rng, -5.0, 25.0)
        symbols = self.network.send(modality, features, mask)
        return self.network.receive(modality, *transmit(symbols, snr_db, channel, self.generator)), mask

    def loss(self, task: str) -> Tensor:
        """Loss of one random batch of a task."""
        if task == "text":
            return self._text(draw(self.pools[task], 24, self.rng))
        batch = draw(self.pools[task], 64, self.rng)
        latents, mask = self.received(batch)
        if task == "mosaic":
            return self._tiles(latents, [sample.answers[0] for sample in batch])
        answers = [sample.answers[int(self.rng.integers(len(sample.answers)))] for sample in batch]
        if task == "digits":
            answers = [sample.answers[0] for sample in batch]
        mean = (latents * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        loss = self._contrast(mean, answers)
        if task == "classify":  # each quarter of one object shows that object: the grid stays interpretable
            loss = loss + 0.3 * self._contrast(
                _quarters(latents).flatten(0, 1), [a for a in answers for _ in range(4)]
            )
        return loss

    def _tiles(self, latents: Tensor, answers: list[str]) -> Tensor:
        labels = [label.strip() for answer in answers for label in answer.replace(";", ",").split(",")]
        return self._contrast(_quarters(latents).flatten(0, 1), labels)

    def _contrast(self, latents: Tensor, answers: list[str]) -> Tensor:
        """InfoNCE against the mean word embeddings of the batch's distinct answers."""
        distinct = list(dict.fromkeys(answers))
        words = torch.stack([self.network.llm.embed_text(" " + answer).mean(0) for answer in distinct])
        target = torch.tensor([distinct.index(answer) for answer in answers])
        return cross_entropy(_SCALE * normalize(latents, dim=-1) @ normalize(words, dim=-1).T, target)

    def _text(self, batch: list[Sample]) -> Tensor:
        """Each received token against its own word embedding, among the batch's and random others."""
        latents, mask = self.received(batch)
        ids = torch.cat([torch.tensor(self.network.llm.token_ids(sample.text)) for sample in batch])
        table = self.network.llm.embedding
        others = torch.from_numpy(self.rng.integers(len(table), size=_NEGATIVES))
        distinct, target = torch.unique(torch.cat([ids, others]), return_inverse=True)
        scores = _SCALE * normalize(latents[mask], dim=-1) @ normalize(table[distinct], dim=-1).T
        return cross_entropy(scores, target[: len(ids)])


def _quarters(latents: Tensor) -> Tensor:
    """Mean token of each quarter of the grid: float (n, g * g, d) to (n, 4, d), row by row."""
    side = int(latents.shape[1] ** 0.5)
    grid = latents.unflatten(1, (side, side)).permute(0, 3, 1, 2)
    return torch.nn.functional.adaptive_avg_pool2d(grid, 2).flatten(2).transpose(1, 2)
