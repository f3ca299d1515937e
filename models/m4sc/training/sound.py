"""Training of the network for sounds: features, projector, channel codec, what its confidence is worth."""

from __future__ import annotations

import copy
import math
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from m4sc.coding.torch_link.link import transmit
from m4sc.data.example import Example
from m4sc.encoders.sound import FEATURES, SoundEncoder, SoundPatches
from m4sc.encoders.yamnet import CLASSES
from m4sc.space.channel_codec import SpaceCodecStage, train_space_codec
from m4sc.space.contrastive import ContrastiveStage, Pairs, train_contrastive
from m4sc.space.projector import Projector
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.space.sound_names import middles, nearest_names, sentence_points
from m4sc.space.sound_network import SoundConfig, SoundNetwork

Progress = Callable[[str], None]
_RIDGE = 0.3
_FOLDS = 3
_Parts = Sequence[tuple[SoundNetwork, Tensor, Sequence[str]]]


@dataclass(frozen=True)
class SoundStage:
    """How the network is trained.

    Attributes:
        projector: kind of projector.
        epochs, batch, learning_rate, weight_decay, noise, spline_rate: of the projector, see
            :class:`m4sc.space.contrastive.ContrastiveStage`.
        views: times that a sound is seen: whole, then parts of at least half of it.
        balance: a class of n sounds is drawn with n^(1 - balance).
        recording_balance: a recording that n sounds were cut from, with n^(1 - recording_balance).
        names_share: how often a name of YAMNet's classes is drawn in place of a sound.
        starting_rows: sounds and names that the projector's linear start is fitted to.
        start_share: weight of that start in the mean of weights with what training makes of it: the mean
            knows recordings better that neither has seen (Wortsman et al., "Robust fine-tuning of zero-shot
            models", CVPR 2022).
        same: cosine from which a name of YAMNet's means a trained class.
        symbols: complex symbols of a message, at most.
        codec_steps: of the channel codec.
        seed: of everything random.
    """

    projector: str = "kan"
    epochs: int = 10
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    noise: float = 0.3
    spline_rate: float = 0.3
    views: int = 4
    balance: float = 0.2
    recording_balance: float = 0.3
    names_share: float = 0.05
    starting_rows: int = 4000
    start_share: float = 0.5
    same: float = 0.85
    symbols: int = 128
    codec_steps: int = 600
    seed: int = 0


@dataclass(frozen=True)
class Heard:
    """What the encoders say of some sounds.

    Attributes:
        patches: of each sound.
        labels: name of its class.
        recordings: that each was cut from.
    """

    patches: tuple[SoundPatches, ...]
    labels: tuple[str, ...]
    recordings: tuple[str, ...]

    def of(self, chosen: np.ndarray) -> Heard:
        """Those of a mask, bool (n,)."""
        rows = np.flatnonzero(chosen)
        return Heard(
            tuple(self.patches[n] for n in rows),
            tuple(self.labels[n] for n in rows),
            tuple(self.recordings[n] for n in rows),
        )

    def pooled(self) -> Tensor:
        """Features of whole sounds, float32 (n, DIM)."""
        return torch.from_numpy(np.stack([patches.pooled() for patches in self.patches]))

    def parts(self, rng: np.random.Generator) -> Tensor:
        """Features of a part of each, half of its patches at least, float32 (n, DIM)."""
        return torch.from_numpy(np.stack([p.pooled(_part(p.heard, rng)) for p in self.patches]))


def _part(heard: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers((len(heard) + 1) // 2, len(heard) + 1))
    first = int(rng.integers(len(heard) - count + 1))
    return heard[first : first + count]


def hear(
    examples: Sequence[Example], encoder: SoundEncoder, folder: Path, progress: Progress = lambda _: None
) -> Heard:
    """Run the frozen encoders over sounds; what they say is kept in `folder`, a file a sound."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for n, example in enumerate(examples):
        path = folder / f"{example.media_id}.npz"
        if not path.is_file():
            p = encoder.patches(np.asarray(example.load(), np.float32))
            scratch = path.with_suffix(".tmp.npz")
            whole = {"features": p.features, "logits": p.logits, "speech": p.speech}
            halves: dict[str, Any] = {name: values.astype(np.float16) for name, values in whole.items()}
            np.savez(scratch, power=p.power, **halves)
            scratch.replace(path)
        with np.load(path) as kept:
            found.append(SoundPatches(kept["features"], kept["logits"], kept["power"], kept["speech"]))
        if n % 100 == 99:
            progress(f"{n + 1} of {len(examples)} sounds heard")
    labels = tuple(example.answers[0] for example in examples)
    return Heard(tuple(found), labels, tuple(example.recording for example in examples))


def train_sound(
    heard: Heard,
    classes: Sequence[str],
    stage: SoundStage,
    sentences: SentenceEncoder,
    progress: Progress = lambda _: None,
) -> SoundNetwork:
    """Train a network.

    What needs sounds that training has not seen (scale, prior, confidence) is found with three networks, each
    of which has not seen a third of the recordings; the one returned has seen all.

    Args:
        heard: sounds of the training split.
        classes: names of YAMNet's classes.
        stage: how.
        sentences: the text side of the space.
        progress: called with a word on each step.
    """
    config, said = named(heard.labels, classes, stage, sentences)
    fold = np.array([_fold_of(recording) for recording in heard.recordings])
    parts = []
    for k in range(_FOLDS):
        progress(f"training without part {k + 1} of {_FOLDS} of the recordings")
        unseen = heard.of(fold == k)
        network = _fitted(config, said, heard.of(fold != k), stage, progress)
        parts.append((network, unseen.pooled(), unseen.labels))
    config = calibrated([part for part in parts if part[2]], stage, progress)
    progress("training with all recordings")
    return _fitted(config, said, heard, stage, progress)


def _fold_of(recording: str) -> int:
    """Third of the recordings that one is of, by its name alone."""
    return zlib.crc32(f"f{recording}".encode()) % _FOLDS


def named(
    labels: Sequence[str], classes: Sequence[str], stage: SoundStage, sentences: SentenceEncoder
) -> tuple[SoundConfig, Tensor]:
    """Configuration with every name, and the names' wordings as points, float32 (names, wordings, 384)."""
    trained = tuple(sorted(set(labels)))
    others = tuple(name.lower() for name in classes)
    said = sentence_points([*trained, *others], sentences)
    points = middles(said)
    meant = nearest_names(points[len(trained) :], points[: len(trained)], stage.same)
    says = tuple(trained[int(n)] if n >= 0 else name for n, name in zip(meant, others, strict=True))
    config = SoundConfig(
        projector=stage.projector,
        symbols=stage.symbols,
        names=trained + others,
        answers=trained + says,
        trained=len(trained),
    )
    return config, said


def _fitted(
    config: SoundConfig,
    said: Tensor,
    heard: Heard,
    stage: SoundStage,
    progress: Progress,
) -> SoundNetwork:
    """A network trained on sounds and on the names of YAMNet's classes."""
    torch.manual_seed(stage.seed)
    network = SoundNetwork(config)
    network.points.copy_(middles(said))
    pairs = _pairs(network, said, heard, stage)
    projector = network.projector
    sounds = len(heard.labels)
    projector.fit_scale(pairs.views[0, :sounds])
    generator = torch.Generator().manual_seed(stage.seed)
    rows = torch.multinomial(pairs.weight, stage.starting_rows, replacement=True, generator=generator)
    if stage.projector != "mlp":
        projector.start_linear(pairs.views[0, rows], pairs.sentences[rows].mean(1), _RIDGE)
    start = copy.deepcopy(projector)
    contrast = ContrastiveStage(
        epochs=stage.epochs,
        batch=stage.batch,
        learning_rate=stage.learning_rate,
        weight_decay=stage.weight_decay,
        noise=stage.noise,
        spline_rate=stage.spline_rate,
        seed=stage.seed,
    )
    if stage.epochs:
        train_contrastive(
            projector, pairs, contrast, lambda n, loss: progress(f"projector: step {n}, loss {loss:.3f}")
        )
    if stage.projector != "mlp":
        _towards(projector, start, stage.start_share)
    projector.eval()
    with torch.no_grad():
        sent = torch.cat([projector(view) for view in pairs.views])
    targets = pairs.sentences.repeat(len(pairs.views), 1, 1)
    network.codec.fit(sent)
    if stage.codec_steps:
        train_space_codec(
            network.codec,
            sent,
            targets,
            SpaceCodecStage(minutes=math.inf, steps=stage.codec_steps, seed=stage.seed),
            lambda n, loss: progress(f"channel codec: step {n}, loss {loss:.3f}"),
        )
    return network.eval()


@torch.no_grad()
def _towards(projector: Projector, start: Projector, share: float) -> None:
    """Take the mean of weights with those of the start, which counts `share`, in place."""
    for own, first in zip(projector.parameters(), start.parameters(), strict=True):
        own.lerp_(first, share)


def _pairs(network: SoundNetwork, said: Tensor, heard: Heard, stage: SoundStage) -> Pairs:
    """Sounds with their sentences; then the names of YAMNet's classes as if one heard nothing but them.

    A name's feature is the mean sound's, where YAMNet's classes say that name, more or less purely.
    """
    config, rng = network.config, np.random.default_rng(stage.seed)
    whole = heard.pooled()
    views = [whole, *(heard.parts(rng) for _ in range(stage.views - 1))]
    place = {name: n for n, name in enumerate(config.names[: config.trained])}
    label = torch.tensor([place[name] for name in heard.labels])
    group = [
        place.get(answer, config.trained + n) for n, answer in enumerate(config.answers[config.trained :])
    ]
    mean = whole.mean(0)[:FEATURES].expand(CLASSES, -1)
    rows = []
    for view in views:
        others = view[torch.from_numpy(rng.integers(len(view), size=CLASSES)), FEATURES:]
        others = others / others.sum(1, keepdim=True).clamp_min(1e-6)
        pure = torch.from_numpy(rng.uniform(0.3, 1.0, (CLASSES, 1)).astype(np.float32))
        alone = pure * torch.eye(CLASSES) + (1 - pure) * others
        rows.append(network.inputs(torch.cat([view, torch.cat([mean, alone], 1)])))
    often = torch.bincount(label).float()[label] ** -stage.balance
    clips = Counter(heard.recordings)
    cut = torch.tensor([float(clips[recording]) for recording in heard.recordings])
    often = often * cut**-stage.recording_balance
    often = often / often.sum() * (1 - stage.names_share)
    return Pairs(
        views=torch.stack(rows),
        sentences=torch.cat([said[label], said[config.trained :]]),
        group=torch.cat([label, torch.tensor(group)]),
        weight=torch.cat([often, torch.full((CLASSES,), stage.names_share / CLASSES)]),
    )


@torch.inference_mode()
def calibrated(parts: _Parts, stage: SoundStage, progress: Progress) -> SoundConfig:
    """Scale and prior of the names, and the weights of the confidence, from sounds not trained on.

    The scale gives the least cross entropy without a channel, the prior is the least by which the other names
    cost the trained classes nothing. The confidence is a logistic regression over answers
    received at -5 to 20 dB with 8 symbols to all.

    Args:
        parts: networks of one configuration, each with what the encoders say of sounds that it was not
            trained on, float (n, DIM), and what is right.
        stage: of the training.
        progress: as of training.
    """
    config = parts[0][0].config
    sent = [(network, network.point(heard), labels) for network, heard, labels in parts]
    place = {name: n for n, name in enumerate(config.names[: config.trained])}
    right = torch.tensor([place[name] for _, _, labels in sent for name in labels])
    known = torch.cat([points @ network.points[: config.trained].T for network, points, _ in sent])
    scales = 5.0 * 1.15 ** torch.arange(20)
    losses = [float(torch.nn.functional.cross_entropy(known * s, right)) for s in scales]
    config = replace(config, scale=float(scales[int(np.argmin(losses))]), confidence=(1.0, 0.0, 0.0))
    best = float((known.argmax(1) == right).float().mean())
    for prior in np.arange(0.0, 20.0, 0.25):
        config = replace(config, prior=float(prior))
        for network, _, _ in sent:
            network.config = config
        if _accuracy(sent) >= best - 1e-6:
            break
    seen, hits = _answers(sent, torch.Generator().manual_seed(stage.seed + 1))
    config = replace(config, confidence=_confidence(seen, hits))
    progress(f"unseen: {best:.3f} of {len(right)} right; scale {config.scale:.1f}, prior {config.prior:.2f}")
    return config


def _answers(sent: _Parts, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Log odds by the names and by the channel, float (n, 2), of answers, and whether they are right (n,)."""
    rows: list[tuple[float, float]] = []
    hits: list[bool] = []
    most = sent[0][0].config.symbols
    for count in (n for n in (8, 16, 32, 64, 128) if n <= most):
        for snr_db in range(-5, 21, 5):
            for network, points, labels in sent:
                codec, snr = network.codec, torch.full((len(points),), float(snr_db))
                y, noise_var = transmit(codec.send(points, count)[:, :, None], snr, "awgn", generator)
                quality = codec.quality(noise_var[:, :, 0])
                told = network.name(codec.receive(y[:, :, 0], noise_var[:, :, 0]), quality)
                odds = [math.log(t.confidence / (1 - t.confidence)) for t in told]
                left = (quality / (1 - quality).clamp_min(1e-4)).clamp_min(1e-4).log().tolist()
                rows += list(zip(odds, left, strict=True))
                hits += [t.name == label for t, label in zip(told, labels, strict=True)]
    return np.array(rows), np.array(hits)


def _confidence(seen: np.ndarray, right: np.ndarray) -> tuple[float, float, float]:
    """Weights of a logistic regression; see :class:`SoundConfig`."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=100.0).fit(seen, right)
    a, b = (float(w) for w in fit.coef_[0])
    if b < 0:  # a worse channel must not make an answer surer
        fit = LogisticRegression(C=100.0).fit(seen[:, :1], right)
        a, b = float(fit.coef_[0, 0]), 0.0
    return a, b, float(fit.intercept_[0])


def _accuracy(sent: _Parts) -> float:
    told = [network.name(points, torch.ones(len(points))) for network, points, _ in sent]
    right = [
        t.name == label
        for part, names in zip(sent, told, strict=True)
        for t, label in zip(names, part[2], strict=True)
    ]
    return float(np.mean(right))
