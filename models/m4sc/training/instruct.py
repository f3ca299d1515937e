"""Stages 2 and 3: the LLM's adapters learn to answer from received latents, with the channel codec."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from m4sc.config import LATENTS
from m4sc.mllm.evidence import Evidence, log_likelihood, with_end
from m4sc.mllm.network import Network
from m4sc.mllm.packing import Exchange
from m4sc.tasks import get_task
from m4sc.training.batches import (
    by_message,
    draw,
    draw_candidates,
    draw_count,
    draw_ids,
    draw_rate,
    inputs,
    padding_mask,
)
from m4sc.training.channels import LIGHT_CHANNELS, ChannelMix
from m4sc.training.features import Sample, place_features
from m4sc.training.objective import Objective

_MOST_QUESTIONS = 7
_SHARING = 0.6  # a sequence of seven questions takes as long as about three of one


class Instruction(Objective[Network]):
    """Answer cross entropy of random batches, one task a batch."""

    def __init__(
        self,
        network: Network,
        samples: list[Sample],
        seed: int,
        batch_size: int,
        channels: ChannelMix = LIGHT_CHANNELS,
    ) -> None:
        """batch_size: questions a batch, about; channels: those to train through."""
        super().__init__(network, seed)
        self.batch_size, self.channels = batch_size, channels
        self.pools: dict[str, list[list[Sample]]] = {}
        for group in by_message(place_features(samples, network.device)):
            self.pools.setdefault(group[0].task, []).append(group)

    def loss(self, task: str) -> Tensor:
        """Loss of one random batch of a task; under autocast, only the LLM leaves float32."""
        network, pool = self.network, self.pools[task]
        asks = min(_MOST_QUESTIONS, max(len(pool[0]), len(self._answers(pool[0][0]))))
        groups = draw(pool, max(1, round(self.batch_size / asks**_SHARING)), self.rng)
        batch = [group[0] for group in groups]
        modality, verbatim = batch[0].modality, get_task(task).verbatim
        codec = network.config.codec_of(get_task(task))
        ids = draw_ids(network, batch, self.rng, exchange=verbatim) if modality == "text" else []
        symbols, lengths = self._send(codec, batch, ids)
        with _no_autocast(network.device):
            y, noise_var = self.channels.through(symbols.float(), self.rng, self.generator)
            latents = network.receive(codec, y, noise_var)
            evidence = self._evidence(ids, y, noise_var) if verbatim else None
        own = [row[:length] for row, length in zip(latents, lengths, strict=True)]
        asked = (
            [[Exchange(self._wording(s), self._until_end(row))] for s, row in zip(batch, ids, strict=True)]
            if verbatim
            else [self._exchanges(group) for group in groups]
        )
        return network.llm.loss(own, asked, evidence)

    def _send(self, codec: str, batch: list[Sample], ids: list[list[int]]) -> tuple[Tensor, list[int]]:
        """Symbols at a random rate, float (n, t, s, 2), and the number of tokens of each message."""
        network = self.network
        features, lengths = inputs(network, batch, ids)
        if codec != LATENTS:
            mask, rate = padding_mask(lengths, features.device), draw_rate(network.config, codec, self.rng)
            with _no_autocast(network.device):
                return network.send(codec, features, mask, rate), lengths
        told = [self._told(sample) for sample in batch]
        count = draw_count(network.config, self.rng)
        each = [row[:length] for row, length in zip(features, lengths, strict=True)]
        return network.send_latents(batch[0].modality, each, told, count), [count] * len(batch)

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
        end = int(torch.searchsorted(candidates, network.llm.end_id))
        candidates = candidates.to(network.device, non_blocking=True)
        codes = network.code_words(network.llm.embedding[candidates])
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


def _no_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Full precision inside; some devices know no autocast."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
