"""What somebody without the key learns of hidden symbols, with a receiver trained on nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from m4sc.data import flickr8k
from m4sc.pretrained.cache import cache_home
from m4sc.sharing.privacy import UserKey
from m4sc.space.material import picture_views, thing_views
from torch import nn

WORDS = ("dog", "man", "woman", "boy", "girl")
_SNR_DB = 20.0
_MOST_PUBLIC = 32  # symbols of a point that are public where half of it is
_ROUNDS, _COPIES = 12, 3
_DRAWS = 500


@dataclass(frozen=True)
class Seen:
    """Points of photographs as they are sent, and what is in them.

    Attributes:
        symbols: complex (n, k).
        labels: bool (n, words): two of the five captions have the word.
    """

    symbols: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Learned:
    """How well an attacker tells what is in a photograph.

    Attributes:
        auc: mean over the words of the area under the curve: 0.5 for nothing, 1 for all.
        low, high: 95 % interval over photographs.
    """

    auc: float
    low: float
    high: float


def photographs(model: Any, data: Path, split: str, say: Callable[[str], None]) -> Seen:
    """Points of a split's photographs, by the codec of questions."""
    examples = [e for e in flickr8k.caption_examples(data, split) if len(e.answers) >= 5]
    codec = model.codecs["questions"]
    codec = getattr(codec, "codec", codec)  # without the picture behind it
    cache = cache_home() / "features"
    features = picture_views(examples, cache, False, say=say).float()
    if codec.config.things:
        features = torch.cat([features, thing_views(examples, cache, say).float()], 1)
    with torch.inference_mode():
        names = codec.network.names(codec.pictures.class_scores(features), features)
        sent = codec.network.codec.send(codec.network.points(features, names), codec.config.symbols).numpy()
    labels = [[_says(word, e.answers) for word in WORDS] for e in examples]
    return Seen(sent[..., 0] + 1j * sent[..., 1], np.array(labels))


def _says(word: str, captions: Sequence[str]) -> bool:
    return sum(bool(re.search(rf"\b{word}s?\b", caption.lower())) for caption in captions) >= 2


Hide = Callable[[np.ndarray, int], np.ndarray]


def ways(key: UserKey) -> dict[str, Hide]:
    """What the attacker hears of a message, by name; a number is used once for each message."""
    first = slice(0, _MOST_PUBLIC), slice(_MOST_PUBLIC, None)
    return {
        "all open": lambda x, nonce: x,
        "all hidden": key.hide,
        "all permuted and turned alone": key.turned,
        "half public, nothing else": lambda x, nonce: x[first[1]],
        "half public, half hidden": lambda x, nonce: np.concatenate(
            [key.hide(x[first[0]], nonce), x[first[1]]]
        ),
    }


def attack(train: Seen, test: Seen, hide: Hide, seed: int) -> tuple[Learned, np.ndarray]:
    """Train an attacker on hidden messages whose content it knows, and try it on others.

    It gets I and Q of the symbols in their places, and magnitudes in order of size with their moments, which
    permutations and phases leave as they are; three times each training message, hidden anew.

    Returns:
        What it learned, and its scores, float (n, words).
    """
    rng, numbers = np.random.default_rng(seed), iter(range(1 << 62))
    torch.manual_seed(seed)

    def heard(seen: Seen) -> np.ndarray:
        return _features(np.array([_noisy(hide(x, next(numbers)), rng) for x in seen.symbols]))

    inputs = np.concatenate([heard(train) for _ in range(_COPIES)])
    wanted = torch.from_numpy(np.tile(train.labels, (_COPIES, 1))).float()
    mean, deviation = inputs.mean(0), inputs.std(0) + 1e-6
    network = _train(torch.from_numpy((inputs - mean) / deviation), wanted)
    with torch.inference_mode():
        scores = network(torch.from_numpy((heard(test) - mean) / deviation)).numpy()
    draws = [_auc(scores[i], test.labels[i]) for i in _resampled(len(scores), rng)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Learned(_auc(scores, test.labels), float(low), float(high)), scores


def _resampled(n: int, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.integers(n, size=n) for _ in range(_DRAWS)]


def _noisy(symbols: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=(2, len(symbols))) * np.sqrt(10 ** (-_SNR_DB / 10) / 2)
    return np.asarray(symbols + noise[0] + 1j * noise[1])


def _features(heard: np.ndarray) -> np.ndarray:
    """Complex (n, k) to float32 (n, 5 k + 5)."""
    sizes = np.sort(np.abs(heard), axis=1)
    moments = [np.mean(sizes**p, axis=1) for p in (1, 2, 3, 4)]
    parts = [heard.real, heard.imag, sizes, sizes**2, np.log(sizes + 1e-3)]
    columns = np.stack([*moments, sizes.std(axis=1)], axis=1)
    return np.concatenate([*parts, columns], axis=1).astype(np.float32)


def _train(inputs: torch.Tensor, wanted: torch.Tensor) -> nn.Module:
    network = nn.Sequential(
        nn.Linear(inputs.shape[1], 192),
        nn.GELU(),
        nn.Dropout(0.4),
        nn.Linear(192, 64),
        nn.GELU(),
        nn.Dropout(0.4),
        nn.Linear(64, wanted.shape[1]),
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=3e-2)
    for _ in range(_ROUNDS):
        for chosen in torch.randperm(len(inputs)).split(256):
            loss = nn.functional.binary_cross_entropy_with_logits(network(inputs[chosen]), wanted[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def _auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over columns of the probability that one with the word scores above one without it."""
    found = []
    for score, label in zip(scores.T, labels.T, strict=True):
        with_it, without = int(label.sum()), int((~label).sum())
        if with_it and without:
            ranks = np.argsort(np.argsort(score))
            found.append((ranks[label].sum() - with_it * (with_it - 1) / 2) / (with_it * without))
    return float(np.mean(found)) if found else 0.5
