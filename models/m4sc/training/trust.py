"""Confidences of the language model's answers are fitted to pictures that it never learned from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from m4sc.codecs.base import Budget, Received
from m4sc.codecs.semantic import SemanticCodec
from m4sc.codecs.trust import FILE, evidence
from m4sc.coding.torch_link.link import transmit
from m4sc.data.example import Example
from m4sc.evaluate.metrics.scoring import score_all
from m4sc.message import Message
from m4sc.space.confidence import fit
from m4sc.tasks import get_task

LEAST_SNR_DB, MOST_SNR_DB = -12.0, 20.0
_BATCH = 16
_RAYLEIGH_SHARE = 0.3


def fit_trust(
    codec: SemanticCodec,
    examples: Sequence[Example],
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> tuple[float, ...]:
    """Weights of :func:`m4sc.codecs.trust.evidence` for one task's examples.

    Each is sent once, at an SNR between -12 and 20 dB over AWGN or Rayleigh fading. An answer that is right
    in part is not right.
    """
    generator = torch.Generator().manual_seed(seed)
    task = get_task(examples[0].task)
    seen, right = [], []
    for start in range(0, len(examples), _BATCH):
        part = examples[start : start + _BATCH]
        received = [_received(codec, example, generator) for example in part]
        prompts = [
            codec.network.llm.prompt(example.instruction, codec.latents(one, task))
            for example, one in zip(part, received, strict=True)
        ]
        with torch.inference_mode():
            said = codec.network.llm.answer(prompts, task.max_new_tokens)
        texts: list[str | None] = [text for text, _ in said]
        right += score_all(task.name, texts, [e.answers for e in part], [e.kind for e in part])
        seen += [evidence(odds, one.noise_var) for (_, odds), one in zip(said, received, strict=True)]
        progress(f"{task.name}: {len(seen)} of {len(examples)}")
    return fit(np.stack(seen), np.array(right) >= 1.0)


def _received(codec: SemanticCodec, example: Example, generator: torch.Generator) -> Received:
    payload = codec.encode(Message(example.modality, example.load()), get_task(example.task), Budget())
    assert payload.latents is not None
    symbols = torch.from_numpy(payload.latents)[None, :, None]  # (1, k, 1, 2)
    draw = torch.rand(2, generator=generator)
    snr_db = LEAST_SNR_DB + (MOST_SNR_DB - LEAST_SNR_DB) * draw[:1]
    channel = "rayleigh" if float(draw[1]) < _RAYLEIGH_SHARE else "awgn"
    heard, noise_var = transmit(symbols, snr_db, channel, generator)
    pairs = heard[0, :, 0].numpy()
    return Received((pairs[:, 0] + 1j * pairs[:, 1]).astype(np.complex64), noise_var[0, :, 0].numpy().copy())


def add_trust(folder: Path, task: str, weights: tuple[float, ...], how: str) -> None:
    """Write a receiver's weights of confidences of one task beside the model's; other tasks' stay."""
    path = folder / FILE
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"how": {}, "weights": {}}
    known["how"] = {**known["how"], task: how}
    known["weights"] = {**known["weights"], task: weights}
    scratch = folder / f"{FILE}.tmp"
    scratch.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    scratch.replace(path)
