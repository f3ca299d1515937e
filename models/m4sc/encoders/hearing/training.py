"""Training of the adapter on sentences in espeak-ng's voices and on spoken digits of people."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from m4sc.data import cifar10, coco_text, esc50, espeak, fsdd, mosaic
from m4sc.data.example import SPEECH_RATE_HZ, Example
from m4sc.encoders.hearing.mel import log_mel, padded_seconds
from m4sc.encoders.hearing.network import HearingNetwork
from m4sc.encoders.hearing.vocabulary import Vocabulary
from m4sc.training.objective import Objective

_MOST_WORDS = 16
_NOISES = 200
_NEIGHBOURS = 12  # batches of sentences of about one length that a batch is drawn from
_MASKED_BANDS, _MOST_MASKED = 2, 12  # of 80 mel bands (Park et al., "SpecAugment", 2019)
TASK = "listen"


def training_utterances(data_dir: Path, cache_dir: Path, seed: int) -> list[Example]:
    """What the adapter learns from.

    Captions, numbers and questions of the training splits in many voices; digits that people spoke, so that
    theirs are not unlearnt; sounds without a word.
    """
    captions = coco_text.load_captions(data_dir, "train").values()
    sentences = [s for group in captions for s in group if len(s.split()) <= _MOST_WORDS]
    pictures = cifar10.load_cifar10(data_dir, "train")
    asked = {e.instruction for e in mosaic.mosaic_examples(pictures, 600, seed=seed)}
    sentences += sorted(asked) + espeak.digit_sentences(1500, seed=seed)
    spoken = espeak.spoken_examples(sentences, cache_dir / "spoken", noisy_share=0.6, seed=seed)
    clips = fsdd.digit_examples(data_dir, "train")
    wordless = [replace(e, answers=("",)) for e in esc50.sound_examples(data_dir, "train")]
    return spoken + fsdd.number_examples(clips, 1500, lengths=(1, 5), seed=seed) + wordless + _noises(seed)


def _noises(seed: int) -> list[Example]:
    """White noise and silence, in which no word is said."""
    rng = np.random.default_rng(seed)
    found = []
    for n in range(_NOISES):
        level = float(rng.choice([0.0, 1e-3, 1e-2, 0.1, 0.3]))
        source = _Noise(int(rng.uniform(0.5, 6.0) * SPEECH_RATE_HZ), level, n)
        found.append(Example(f"noise-{n}", "speech", "transcribe", "", ("",), "noise", source, f"noise-{n}"))
    return found


@dataclass(frozen=True)
class _Noise:
    samples: int
    level: float
    seed: int

    def __call__(self) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        return self.level * rng.standard_normal(self.samples, np.float32)


class Listening(Objective[HearingNetwork]):
    """Cross entropy of what was said, in batches of sentences of about one length."""

    def __init__(
        self,
        network: HearingNetwork,
        utterances: Sequence[Example],
        vocabulary: Vocabulary,
        seed: int,
        batch_size: int,
    ) -> None:
        """utterances: as of :func:`training_utterances`; vocabulary: of the backbone."""
        super().__init__(network, seed)
        self.utterances = sorted(utterances, key=lambda e: len(e.answers[0].split()))
        self.vocabulary, self.batch_size = vocabulary, batch_size
        self._readers = ThreadPoolExecutor(2)  # espeak-ng is a process of its own

    def loss(self, task: str) -> Tensor:
        """Loss of one random batch; task: :data:`TASK`, the only one."""
        near = min(len(self.utterances), _NEIGHBOURS * self.batch_size)
        first = int(self.rng.integers(len(self.utterances) - near + 1))
        chosen = [self.utterances[first + int(i)] for i in self.rng.integers(near, size=self.batch_size)]
        sounds = list(self._readers.map(lambda e: np.asarray(e.load(), np.float32), chosen))
        seconds = max(padded_seconds(len(sound)) for sound in sounds)
        mel = np.stack([self._masked(log_mel(sound, seconds)) for sound in sounds])
        ids, asked = self.vocabulary.batch([example.answers[0] for example in chosen])
        device = self.network.device
        return self.network.loss(torch.from_numpy(mel).to(device), ids.to(device), asked.to(device))

    def _masked(self, mel: np.ndarray) -> np.ndarray:
        """Some bands take their mean, so that no voice is known by one of them."""
        for _ in range(_MASKED_BANDS):
            width = int(self.rng.integers(_MOST_MASKED + 1))
            low = int(self.rng.integers(len(mel) - width + 1))
            mel[low : low + width] = mel.mean()
        return mel
