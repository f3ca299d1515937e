"""Task `sound` over noise: accuracy by set, symbols and SNR, with controls, rivals and calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from m4sc.coding.torch_link.link import transmit
from m4sc.space.confidence import calibration_error
from m4sc.space.sound_network import SoundNetwork
from torch import Tensor


@dataclass(frozen=True)
class SoundSet:
    """Sounds of a test set.

    Attributes:
        name: of the set.
        heard: what the encoders say, float (n, DIM).
        labels: class of each.
    """

    name: str
    heard: Tensor
    labels: tuple[str, ...]


@dataclass(frozen=True)
class SoundRow:
    """One figure.

    Attributes:
        set, symbols, snr_db: what was sent and how; snr_db is Es/N0 a complex symbol, seeds its repetitions.
        accuracy: share of answers that are the class's name, among all names that the weights know.
        among_own: the same, when the receiver's question lists the set's classes.
        shuffled, zeros: accuracy with another sound's symbols and with zeros.
        confidence, ece: mean confidence; expected calibration error in ten bins of equal width.
        kept: share of answers that may be kept so that nine of ten are right.
        n: sounds.
    """

    set: str
    symbols: int
    snr_db: float
    accuracy: float
    among_own: float
    shuffled: float
    zeros: float
    confidence: float
    ece: float
    kept: float
    n: int


@torch.inference_mode()
def sound_rows(
    network: SoundNetwork,
    sets: Sequence[SoundSet],
    points: Sequence[tuple[int, float]],
    seeds: Sequence[int] = (0, 1, 2),
) -> Iterator[SoundRow]:
    """Rows of every set at every pair of symbols and SNR."""
    for one in sets:
        sent_points = network.point(one.heard)
        n = len(one.labels)
        own = sorted(set(one.labels))
        place = [network.config.names.index(name) for name in own]
        candidates = (own, network.points[place])
        other = np.roll(np.arange(n), n // 2)
        for symbols, snr_db in points:
            right, among, swapped, blank, sure = ([] for _ in range(5))
            for seed in seeds:
                generator = torch.Generator().manual_seed(seed)
                sent = network.codec.send(sent_points, symbols)
                snr = torch.full((n,), snr_db)
                y, noise_var = (x[:, :, 0] for x in transmit(sent[:, :, None], snr, "awgn", generator))
                quality = network.codec.quality(noise_var)
                received = network.codec.receive(y, noise_var)
                nothing = network.codec.receive(torch.zeros_like(y), noise_var)
                told = network.name(received, quality)
                right.append([t.name == label for t, label in zip(told, one.labels, strict=True)])
                swapped.append([told[j].name == label for j, label in zip(other, one.labels, strict=True)])
                sure.append([t.confidence for t in told])
                told = network.name(received, quality, candidates)
                among.append([t.name == label for t, label in zip(told, one.labels, strict=True)])
                told = network.name(nothing, quality)
                blank.append([t.name == label for t, label in zip(told, one.labels, strict=True)])
            hits, confidence = np.ravel(right).astype(float), np.ravel(sure)
            yield SoundRow(
                one.name,
                symbols,
                snr_db,
                float(hits.mean()),
                float(np.mean(among)),
                float(np.mean(swapped)),
                float(np.mean(blank)),
                float(confidence.mean()),
                calibration_error(confidence, hits),
                kept_at(confidence, hits, 0.9),
                n,
            )


def kept_at(confidence: np.ndarray, hits: np.ndarray, precision: float) -> float:
    """Largest share of the surest answers of which so many are right."""
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(hits[order]) / np.arange(1, len(hits) + 1)
    good = np.flatnonzero(share >= precision)
    return float((good[-1] + 1) / len(hits)) if len(good) else 0.0


@torch.inference_mode()
def rivals(network: SoundNetwork, train: SoundSet, test: SoundSet) -> dict[str, float]:
    """Accuracy without a channel of what is simpler, on a test set.

    constant: the class that most training sounds of the set's classes have; nearest: the class of the nearest
    training sound by cosine of z-scored encoder features; yamnet: the name of YAMNet's likeliest class where
    it means one of the trained classes.
    """
    config = network.config
    wanted = set(test.labels)
    known = [label for label in train.labels if label in wanted]
    most = max(sorted(set(known)), key=known.count) if known else ""
    mean, std = train.heard.mean(0), train.heard.std(0).clamp_min(1e-3)
    a, b = (torch.nn.functional.normalize((x.heard - mean) / std, dim=-1) for x in (test, train))
    near = [train.labels[int(n)] for n in (a @ b.T).argmax(1)]
    best = test.heard[:, -(len(config.names) - config.trained) :].argmax(1)
    says = [config.answers[config.trained + int(n)] for n in best]
    return {
        "constant": float(np.mean([most == label for label in test.labels])),
        "nearest": float(np.mean([x == label for x, label in zip(near, test.labels, strict=True)])),
        "yamnet": float(np.mean([x == label for x, label in zip(says, test.labels, strict=True)])),
    }
