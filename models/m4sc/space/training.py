"""The space is learned in stages: alignment, channel codec, speaker, calibration; each resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from m4sc.coding.torch_link.link import transmit
from m4sc.space import confidence as trust
from m4sc.space.channel_codec import SpaceCodec, SpaceCodecStage, train_space_codec
from m4sc.space.config import SpaceConfig, WordSpeakerShape
from m4sc.space.contrastive import ContrastiveStage, Pairs, train_contrastive
from m4sc.space.knowledge_base import KnowledgeBase
from m4sc.space.material import COCO_LICENCE, Photographs, coco_sentences, photographs
from m4sc.space.picture_features import PictureFeatures, class_sentences
from m4sc.space.projector import Projector, ProjectorConfig, ProjectorEnsemble
from m4sc.space.prototypes import prototype_features, with_prototypes
from m4sc.space.reward import CaptionReward
from m4sc.space.reward_training import RewardStage, train_by_reward
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.space.system import SpaceNetwork, SpaceSystem
from m4sc.space.word_speaker import (
    SpeakerData,
    SpeakerStage,
    WordSpeaker,
    padded,
    train_speaker,
    vocabulary,
)

Say = Callable[[str], None]
_FOLDS = 3
_HELD_OUT = 500
_PROTOTYPES = 0.3  # draws of class prototypes beside those of photographs
_MOST_KNOWN = 12000
_NEAREST_KNOWN = 0.93
_CHANNELS = 8  # draws of symbols, SNR and channel that the confidence is fitted over


@dataclass(frozen=True)
class SpacePlan:
    """How long and from where.

    Attributes:
        minutes: for the stages behind the features, which take what they take.
        seed: of everything random.
        bf16: for backbone and vocabulary, on processors with AVX-512 BF16.
        projector: kind, of :data:`m4sc.space.projector.PROJECTORS`.
        held_out: train photographs kept for validation.
        epochs: of the alignment at most.
        known: sentences of the knowledge base at most.
        reward_share: of the minutes in which the speaker learns from what its captions earn. It lifts CIDEr
            and lowers how many sentences are near to a human's, and what ordinary photographs show is named
            less often: 0 leaves it out.
    """

    minutes: float = 30.0
    seed: int = 0
    bf16: bool = False
    projector: str = "kan"
    held_out: int = _HELD_OUT
    epochs: int = 15
    known: int = _MOST_KNOWN
    reward_share: float = 0.0


@dataclass(frozen=True)
class Split:
    """Rows of the train photographs: to learn from, and to validate on."""

    learn: Tensor
    validate: Tensor


def split_photographs(count: int, held_out: int, seed: int = 0) -> Split:
    """`held_out` of the photographs, at most a fifth, are kept for validation."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(count))
    kept = min(held_out, count // 5)
    return Split(order[kept:].sort().values, order[:kept])


def train_space(data: Path, out: Path, plan: SpacePlan, say: Say = lambda text: None) -> SpaceSystem:
    """Train everything and write it to `out`; finished stages and features there are taken as they are.

    Raises:
        FileNotFoundError: a data set is missing.
    """
    torch.manual_seed(plan.seed)
    cache = out / "features"
    photos = photographs(data, "train", cache, copies=True, bf16=plan.bf16, say=say)
    known = coco_sentences(data)
    known_points = SentenceEncoder()(known, cache)
    classes = SentenceEncoder()(class_sentences(), cache)
    split = split_photographs(len(photos), plan.held_out)
    say(f"{len(photos)} photographs, {len(known)} sentences without pictures")

    projector_config = ProjectorConfig(photos.views.shape[2], kind=plan.projector, dropout=0.5)
    projector = ProjectorEnsemble(projector_config, SpaceConfig().members)
    crossed = _stage(out, "crossed", lambda: {"points": cross_fitted(photos, split, projector_config, plan)})
    say("each photograph has a point from a projector that has not seen it")
    _stage(out, "projector", lambda: _all_aligned(projector, photos, split.learn, classes, plan), projector)
    with torch.inference_mode():
        points = crossed["points"].clone()
        points[split.validate] = projector(photos.views[0, split.validate].float())
    say("projector aligned")

    words = vocabulary([s for n in split.learn.tolist() for s in photos.captions[n]] + known, 4)
    config = SpaceConfig(projector=projector_config, speaker=WordSpeakerShape())
    network = SpaceNetwork(config, words)
    network.projector.load_state_dict(projector.state_dict())
    network.set_classes(classes)
    _stage(out, "codec", lambda: _coded(network.codec, points, photos, split, plan), network.codec)
    say("channel codec trained")
    speaker = network.speaker
    assert speaker is not None  # there are words
    told = speaker_data(speaker, photos, split, points, known, known_points)
    stage = SpeakerStage(
        minutes=(0.55 - plan.reward_share) * plan.minutes,
        steps=10**6,
        pictures=0.6,
        bf16=plan.bf16,
        seed=plan.seed,
    )

    def speaking() -> dict[str, Tensor]:
        train_speaker(
            speaker,
            told,
            stage,
            through=lambda x, generator: through_channel(network.codec, x, generator),
            progress=lambda step, loss: say(f"speaker, step {step}: loss {loss:.3f}"),
        )
        return dict(speaker.state_dict())

    _stage(out, "speaker", speaking, speaker)
    with torch.inference_mode():
        scores = PictureFeatures().class_scores(photos.views[0].float())
        seen = network.named(points, scores)
    told = replace(told, pictures=seen.clone())
    if plan.reward_share > 0:
        _stage(out, "rewarded", lambda: rewarded(network, photos, split, told, plan, say), speaker)
    base = shipped_knowledge(known, known_points, classes, plan.known)
    system = SpaceSystem(network, base)
    system = calibrated(system, photos, split, seen)
    system.save(out)
    say(f"weights in {out}")
    return SpaceSystem.load(out)


def _stage(
    out: Path, name: str, work: Callable[[], dict[str, Tensor]], module: nn.Module | None = None
) -> dict[str, Tensor]:
    """Do a stage, or read what an earlier run kept of it."""
    path = out / "stages" / f"{name}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".tmp")
        save_file({k: v.detach().contiguous() for k, v in work().items()}, str(scratch))
        scratch.replace(path)
    state = load_file(str(path))
    if module is not None:
        module.load_state_dict(state)
        module.eval()
    return state


def _aligned(
    projector: Projector,
    photos: Photographs,
    rows: Tensor,
    plan: SpacePlan,
    budget_s: float,
    classes: Tensor | None = None,
) -> dict[str, Tensor]:
    first = photos.views[0].float()
    projector.fit_scale(first[rows])
    if projector.config.kind != "mlp":
        projector.start_linear(first[rows], photos.points[rows].mean(1))
    pairs = Pairs.of(photos.views[:, rows], photos.points[rows])
    if classes is not None:
        head = PictureFeatures()
        generator = torch.Generator().manual_seed(plan.seed)
        made = prototype_features(first[rows], *head.head, len(photos.views), generator)
        pairs = with_prototypes(pairs, made, classes, _PROTOTYPES)
    stage = ContrastiveStage(epochs=plan.epochs, seed=plan.seed, budget_s=budget_s)
    train_contrastive(projector, pairs, stage)
    return dict(projector.state_dict())


def _all_aligned(
    ensemble: ProjectorEnsemble, photos: Photographs, rows: Tensor, classes: Tensor, plan: SpacePlan
) -> dict[str, Tensor]:
    """The first member learns from photographs alone, the others from prototypes of classes too."""
    budget = 60 * 0.15 * plan.minutes / len(ensemble.members)
    for n, member in enumerate(ensemble.members):
        assert isinstance(member, Projector)
        _aligned(member, photos, rows, replace(plan, seed=plan.seed + n), budget, classes if n else None)
    return dict(ensemble.state_dict())


def cross_fitted(photos: Photographs, split: Split, config: ProjectorConfig, plan: SpacePlan) -> Tensor:
    """A point of each photograph from a projector that was not trained on it, float (n, dim).

    A projector knows its own training pictures too well: their points lie nearer to their captions than any
    new picture's will. What is learned behind it has to see points as they will come.
    """
    points = torch.zeros(len(photos), config.out_dim)
    fold = torch.from_numpy(np.random.default_rng(plan.seed + 1).integers(_FOLDS, size=len(photos)))
    learn = torch.zeros(len(photos), dtype=torch.bool)
    learn[split.learn] = True
    for k in range(_FOLDS):
        projector = Projector(config)
        rows = ((fold != k) & learn).nonzero()[:, 0]
        budget = 60 * plan.minutes * 0.2 / _FOLDS
        _aligned(projector, photos, rows, replace(plan, seed=plan.seed + k), budget)
        with torch.inference_mode():
            points[fold == k] = projector(photos.views[0, fold == k].float())
    return points


def _coded(
    codec: SpaceCodec, points: Tensor, photos: Photographs, split: Split, plan: SpacePlan
) -> dict[str, Tensor]:
    learn = points[split.learn]
    codec.fit(learn)
    stage = SpaceCodecStage(minutes=0.1 * plan.minutes, seed=plan.seed)
    train_space_codec(codec, learn, photos.points[split.learn], stage)
    return dict(codec.state_dict())


def through_channel(codec: SpaceCodec, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Points, float (n, dim), to what a random channel leaves of them, and their quality, float (n,).

    8 to 128 symbols, -5 to 20 dB, AWGN or Rayleigh.
    """
    low, high = np.log2(codec.config.least_symbols), np.log2(codec.config.symbols)
    draw = torch.rand(2, generator=generator)
    count = round(float(2 ** (low + (high - low) * float(draw[0]))))
    snr_db = -5 + 25 * torch.rand(len(points), generator=generator)
    channel = "rayleigh" if draw[1] < 0.3 else "awgn"
    sent = codec.send(points, count)
    received, noise_var = transmit(sent[:, :, None], snr_db, channel, generator)
    noise = noise_var[:, :, 0]
    return codec.receive(received[:, :, 0], noise), codec.quality(noise)


def speaker_data(
    speaker: WordSpeaker,
    photos: Photographs,
    split: Split,
    points: Tensor,
    known: list[str],
    known_points: Tensor,
) -> SpeakerData:
    """Captions with their own points and their pictures', and sentences alone."""
    rows = split.learn
    own = [text for n in rows.tolist() for text in photos.captions[n]]
    each = photos.points.shape[1]
    return SpeakerData(
        torch.cat([photos.points[rows].flatten(0, 1), known_points]).half(),
        padded(speaker, [*own, *known]),
        torch.cat([torch.zeros(len(own)), torch.ones(len(known))]).long(),
        torch.cat([rows.repeat_interleave(each), torch.full((len(known),), -1)]),
        points,
    )


def rewarded(
    network: SpaceNetwork,
    photos: Photographs,
    split: Split,
    told: SpeakerData,
    plan: SpacePlan,
    say: Say = lambda text: None,
) -> dict[str, Tensor]:
    """The speaker, taught by what its own captions earn; pictures of `told` are points as they are sent."""
    speaker = network.speaker
    assert speaker is not None  # there are words
    learn = set(split.learn.tolist())  # what is kept for validation does not even say which words are rare
    train_by_reward(
        speaker.requires_grad_(True),
        split.learn,
        CaptionReward([c if n in learn else () for n, c in enumerate(photos.captions)]),
        told,
        RewardStage(minutes=plan.reward_share * plan.minutes, steps=10**6, seed=plan.seed),
        through=lambda x, generator: through_channel(network.codec, x, generator),
        progress=lambda step, earned: say(f"speaker, reward step {step}: {earned:.3f}"),
    )
    return dict(speaker.state_dict())


def shipped_knowledge(known: list[str], points: Tensor, classes: Tensor, most: int) -> KnowledgeBase:
    """Sentences on classes' names, then COCO's captions without near duplicates."""
    about = f"{COCO_LICENCE}; names of WordNet's 1,000 classes in ImageNet"
    chosen = KnowledgeBase.of(known, points, about, most - len(classes), _NEAREST_KNOWN)
    named = KnowledgeBase.of(class_sentences(), classes)
    return KnowledgeBase(
        (*named.sentences, *chosen.sentences), torch.cat([named.vectors, chosen.vectors]), about
    )


def calibrated(system: SpaceSystem, photos: Photographs, split: Split, points: Tensor) -> SpaceSystem:
    """The same system with confidence fitted on the held-out photographs through random channels."""
    generator = torch.Generator().manual_seed(7)
    rows, seen, right = split.validate, [], []
    for _ in range(_CHANNELS):
        heard, quality = through_channel(system.network.codec, points[rows], generator)
        answers = system.speak(heard, quality)
        seen += [answer.seen for answer in answers]
        said = SentenceEncoder()([answer.text for answer in answers])
        nearest = (said[:, None] * photos.points[rows]).sum(-1).amax(1).numpy()
        right.append(nearest >= trust.RIGHT_FROM)
    coefficients = trust.fit(np.stack(seen), np.concatenate(right))
    network = system.network
    network.config = replace(network.config, confidence=coefficients)
    return SpaceSystem(network, system.knowledge)
