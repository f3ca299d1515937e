"""Stage 1, alignment: received tokens meet the word embeddings of what they mean; no answer is generated."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from m4sc.config import LATENTS
from m4sc.mllm.evidence import log_likelihood
from m4sc.mllm.network import Network
from m4sc.tasks import get_task
from m4sc.training.batches import (
    draw,
    draw_candidates,
    draw_count,
    draw_ids,
    draw_rate,
    inputs,
    padding_mask,
    unpadded,
)
from m4sc.training.channels import LIGHT_CHANNELS, ChannelMix
from m4sc.training.features import Sample, place_features
from m4sc.training.grids import fit_grids
from m4sc.training.objective import Objective

_SCALE = 20.0


class Alignment(Objective[Network]):
    """Losses of stage 1, one method a kind of sample."""

    def __init__(
        self, network: Network, samples: list[Sample], seed: int, channels: ChannelMix = LIGHT_CHANNELS
    ) -> None:
        """channels: those to train through."""
        super().__init__(network, seed)
        self.channels = channels
        self.pools: dict[str, list[Sample]] = {}
        for sample in place_features(samples, network.device):
            if _says_all(sample):
                self.pools.setdefault(sample.task, []).append(sample)
        fit_grids(network, samples, self.rng)

    def received(self, batch: list[Sample], ids: list[list[int]]) -> tuple[Tensor, Tensor, list[int]]:
        """Symbols behind a random channel, their noise variances, and the tokens of each. ids: of texts."""
        features, lengths = inputs(self.network, batch, ids)
        modality = batch[0].modality
        rate = draw_rate(self.network.config, modality, self.rng)
        symbols = self.network.send(modality, features, padding_mask(lengths, features.device), rate)
        return *self.channels.through(symbols, self.rng, self.generator), lengths

    def loss(self, task: str) -> Tensor:
        """Loss of one random batch of a task."""
        if task == "text":
            return self._text(draw(self.pools[task], 48, self.rng))
        if task in self.network.config.encode_tasks:
            return self._semantic_latents(draw(self.pools[task], 32, self.rng))
        batch = draw(self.pools[task], 64, self.rng)
        symbols, noise_var, lengths = self.received(batch, [])
        latents = self.network.receive(batch[0].modality, symbols, noise_var)
        if task == "mosaic":
            return self._tiles(latents, [sample.answers[0] for sample in batch])
        answers = [sample.answers[int(self.rng.integers(len(sample.answers)))] for sample in batch]
        if task == "digits":
            answers = [sample.answers[0] for sample in batch]
        mask = padding_mask(lengths, latents.device)
        mean = (latents * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        loss = self._contrast(mean, answers)
        if task == "classify":  # each quarter of one object shows that object: the grid stays interpretable
            loss = loss + 0.3 * self._contrast(
                _quarters(latents).flatten(0, 1), [a for a in answers for _ in range(4)]
            )
        return loss

    def _semantic_latents(self, batch: list[Sample]) -> Tensor:
        """Of messages that the transmitter's LLM will read, whose latents begin as means of their parts.

        Each received latent is nearest to what was sent as it among the batch's; their mean says the answer.
        """
        network, modality = self.network, batch[0].modality
        ids = draw_ids(network, batch, self.rng, exchange=False) if modality == "text" else []
        features, lengths = inputs(network, batch, ids)
        each = [row[:length] for row, length in zip(features, lengths, strict=True)]
        sent = network.part_means(modality, each, draw_count(network.config, self.rng))
        y, noise_var = self.channels.through(network.modulate(sent), self.rng, self.generator)
        latents = network.receive(LATENTS, y, noise_var)
        said = self._contrast(latents.mean(1), [sample.answers[0] for sample in batch])
        return said + self._same(latents.flatten(0, 1), sent.detach().flatten(0, 1))

    def _same(self, received: Tensor, sent: Tensor) -> Tensor:
        """InfoNCE of each received latent against all that were sent, both float (n, d)."""
        scores = _SCALE * normalize(received, dim=-1) @ normalize(sent, dim=-1).T
        return cross_entropy(scores, torch.arange(len(sent), device=sent.device))

    def _tiles(self, latents: Tensor, answers: list[str]) -> Tensor:
        labels = [label.strip() for answer in answers for label in answer.replace(";", ",").split(",")]
        return self._contrast(_quarters(latents).flatten(0, 1), labels)

    def _contrast(self, latents: Tensor, answers: list[str]) -> Tensor:
        """InfoNCE against the mean word embeddings of the batch's distinct answers."""
        distinct = list(dict.fromkeys(answers))
        words = torch.stack([self.network.llm.embed_text(" " + answer).mean(0) for answer in distinct])
        target = torch.tensor([distinct.index(answer) for answer in answers])
        scores = _SCALE * normalize(latents, dim=-1) @ normalize(words, dim=-1).T
        return cross_entropy(scores, target.to(scores.device, non_blocking=True))

    def _text(self, batch: list[Sample]) -> Tensor:
        """Each received token among the batch's and random others: by its code word, and as a latent."""
        ids = draw_ids(self.network, batch, self.rng)
        symbols, noise_var, lengths = self.received(batch, ids)
        latents = self.network.receive("text", symbols, noise_var)
        candidates = draw_candidates(self.network, ids, self.rng)
        target = torch.searchsorted(candidates, torch.tensor([i for row in ids for i in row]))
        device = latents.device
        target = target.to(device, non_blocking=True)
        words = self.network.llm.embedding[candidates.to(device, non_blocking=True)]
        codes = self.network.code_words(words)
        cosines = normalize(unpadded(latents, lengths), dim=-1) @ normalize(words, dim=-1).T
        heard = log_likelihood(unpadded(symbols, lengths), unpadded(noise_var, lengths), codes)
        found = cross_entropy(heard, target)
        return found + cross_entropy(_SCALE * cosines, target)


def _says_all(sample: Sample) -> bool:
    """Whether the answer can be met by mean latents: every tile of a mosaic named, a single digit."""
    if get_task(sample.task).needs_question and sample.task != "mosaic":
        return False
    if sample.task == "mosaic":
        return ";" in sample.answers[0]
    return sample.task != "digits" or " " not in sample.answers[0]


def _quarters(latents: Tensor) -> Tensor:
    """Mean token of each quarter of the grid: float (n, g * g, d) to (n, 4, d), row by row."""
    side = int(latents.shape[1] ** 0.5)
    grid = latents.unflatten(1, (side, side)).permute(0, 3, 1, 2)
    return torch.nn.functional.adaptive_avg_pool2d(grid, 2).flatten(2).transpose(1, 2)
