"""Stages 2 and 3: the LLM's adapter learns to answer from received latents, through random channels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from m4sc.channel.link import transmit
from m4sc.config import LATENTS
from m4sc.evidence import Evidence, log_likelihood, with_end
from m4sc.network import Network
from m4sc.packing import Exchange
from m4sc.tasks import get_task
from m4sc.training.batches import (
    by_message,
    draw,
    draw_candidates,
    draw_channel,
    draw_count,
    draw_ids,
    draw_rate,
    inputs,
)
from m4sc.training.features import Sample

_MOST_QUESTIONS = 7
_SHARING = 0.6  # a sequence of seven questions takes as long as about three of one


class Instruction:
    """Answer cross entropy of random batches, one task a batch."""

    def __init__(
        self, network: Network, samples: list[Sample], seed: int, batch_size: int, bf16: bool = False
    ) -> None:
        """batch_size: questions a batch, about."""
        self.network, self.batch_size, self.bf16 = network, batch_size, bf16
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.pools: dict[str, list[list[Sample]]] = {}
        for group in by_message(samples):
            self.pools.setdefault(group[0].task, []).append(group)

    def loss(self, task: str) -> Tensor:
        """Loss of one random batch of a task."""
        network, pool = self.network, self.pools[task]
        asks = min(_MOST_QUESTIONS, max(len(pool[0]), len(self._answers(pool[0][0]))))
        groups = draw(pool, max(1, round(self.batch_size / asks**_SHARING)), self.rng)
        batch = [group[0] for group in groups]
        modality, verbatim = batch[0].modality, get_task(task).verbatim
        codec = network.config.codec_of(get_task(task))
        ids = draw_ids(network, batch, self.rng, exchange=verbatim) if modality == "text" else []
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16 and codec == LATENTS):
            symbols, mask = self._send(codec, batch, ids)
        snr_db, channel = draw_channel(len(batch), self.rng, -5.0, 25.0)
        y, noise_var = transmit(symbols.float(), snr_db, channel, self.generator)
        latents = network.receive(codec, y, noise_var)
        own = [latents[n][mask[n]] for n in range(len(batch))]
        asked = (
            [[Exchange(self._wording(s), self._until_end(row))] for s, row in zip(batch, ids, strict=True)]
            if verbatim
            else [self._exchanges(group) for group in groups]
        )
        evidence = self._evidence(ids, y, noise_var) if verbatim else None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            return network.llm.loss(own, asked, evidence)

    def _send(self, codec: str, batch: list[Sample], ids: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Symbols at a random rate, float (n, t, s, 2), and the mask of tokens, bool (n, t)."""
        network = self.network
        features, mask = inputs(network, batch, ids)
        if codec != LATENTS:
            return network.send(codec, features, mask, draw_rate(network.config, codec, self.rng)), mask
        told = [self._told(sample) for sample in batch]
        count = draw_count(network.config, self.rng)
        each = [features[n][mask[n]] for n in range(len(batch))]
        symbols = network.send_latents(batch[0].modality, each, told, count)
        return symbols, torch.ones(symbols.shape[:2], dtype=torch.bool)

    def _told(self, sample: Sample) -> str:
        """What the transmitter's LLM is asked for: no question, which only the receiver knows."""
        task = get_task(sample.task)
        return task.instructions[0] if task.needs_question else self._wording(sample)

    def _exchanges(self, group: list[Sample]) -> list[Exchange]:
        """Questions about one message: those it was asked, or one for each of its captions."""
        found = [(sample, answer) for sample in group for answer in self._answers(sample)]
        order = self.rng.permutation(len(found))[:_MOST_QUESTIONS]
        answer_ids = self.network.llm.answer_ids
        return [Exchange(self._wording(found[i][0]), answer_ids(found[i][1])) for i in order]

    def _evidence(self, ids: list[list[int]], y: Tensor, noise_var: Tensor) -> Evidence:
        """What the symbols of a batch of texts say, among its own tokens and random others."""
        network = self.network
        candidates = draw_candidates(network, ids, self.rng)
        codes = network.code_words(network.llm.embedding[candidates])
        end = int(torch.searchsorted(candidates, network.llm.end_id))
        rows = [
            with_end(log_likelihood(y[n, : len(row)], noise_var[n, : len(row)], codes), end)
            for n, row in enumerate(ids)
        ]
        return Evidence(candidates, rows)

    def _until_end(self, ids: list[int]) -> list[int]:
        """The sent tokens up to the first end mark, with one: a text's answer."""
        end = self.network.llm.end_id
        return ids[: ids.index(end) + 1] if end in ids else [*ids, end]

    def _wording(self, sample: Sample) -> str:
        task = get_task(sample.task)
        if task.needs_question:
            return sample.instruction
        wordings = task.instructions
        if sample.task == "text":  # a transcription is text that was heard: same latents, other wording
            wordings = wordings + get_task("transcribe").instructions
        return wordings[int(self.rng.integers(len(wordings)))]

    def _answers(self, sample: Sample) -> tuple[str, ...]:
        """Every caption is an answer to learn; of other tasks the first spelling is."""
        return sample.answers if sample.task == "caption" else sample.answers[:1]
