"""The space is learned in stages: alignment, channel codec, speaker, calibration; each resumes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
from m4sc.space.discriminant import discriminant
from m4sc.space.expectation import Expectation, ExpectationStage, train_expectation
from m4sc.space.imagined import Imagination
from m4sc.space.knowledge_base import KnowledgeBase
from m4sc.space.material import COCO_LICENCE, Photographs, coco_groups, coco_sentences, photographs
from m4sc.space.naming import thing_rarity, thing_scores, thing_sentences
from m4sc.space.picture_features import PictureFeatures, class_sentences
from m4sc.space.projector import Projector, ProjectorConfig, ProjectorEnsemble
from m4sc.space.prototypes import prototype_features, with_prototypes
from m4sc.space.reward import CaptionReward, Likeness
from m4sc.space.reward_training import Reward, RewardStage, train_by_reward
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.space.system import SpaceNetwork, SpaceSystem
from m4sc.space.truth import Truth
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
_EXPECTED_PROTOTYPES = 0.15  # the same, of the expectation
_MOST_KNOWN = 12000
_NEAREST_KNOWN = 0.93
_IMAGINED_HELD_OUT = 300  # of COCO's groups of captions, for validation
_PHOTOGRAPHS = 5  # times that they are among what is drawn, for once an imagined picture
_FEWER_PHOTOGRAPHS = 3  # of the second speaker, which learns that not every picture shows people
_OTHERS = 3.0  # pictures of other things that are expected for each of those that the photographs show
_ROUND_MINUTES = 3.0  # of learning by rewards: an interrupted training goes on behind the last whole round
TRUST_LEAST_SNR_DB = -12.0
"""Confidences are fitted to points that came through worse channels than anything else is learned over."""
_MOST_SNR_DB = 20.0
_CHANNELS = 4  # draws of symbols, SNR and channel that the confidence is fitted over


@dataclass(frozen=True)
class SpacePlan:
    """How long and from where.

    Attributes:
        minutes: for the stages behind the features, which take what they take.
        seed: of everything random.
        bf16: for backbone and vocabulary, on processors with AVX-512 BF16.
        projector: kind, of :data:`m4sc.space.projector.PROJECTORS`.
        things: the detector's features too.
        held_out: train photographs kept for validation.
        epochs: of the alignment at most.
        known: sentences of the knowledge base at most.
        reward_share: of the minutes in which the speaker learns from what its captions earn. With imagined
            pictures among them what ordinary photographs show is named more often and captions of Flickr8k
            agree less with people's: 0 leaves it out.
        likeness: weight of a caption's closeness to people's beside its CIDEr-D.
        naming: weight of the share that it names of what most of its picture's captions name.
        people: what is taken off a caption with people of a picture where nobody is.
        second_share: of the minutes in which a second speaker, as the first is then, learns from rewards on
            imagined pictures in either style, so that it does not speak of people as often as photographs
            show them; 0 for no second one.
        expecting: weight of what captions probably mean beside a picture's point in what is sent of it.
        speaker: folder of weights whose speaker is trained on instead of a new one.
    """

    minutes: float = 30.0
    seed: int = 0
    bf16: bool = False
    projector: str = "kan"
    things: bool = True
    held_out: int = _HELD_OUT
    epochs: int = 15
    known: int = _MOST_KNOWN
    reward_share: float = 0.0
    likeness: float = 1.0
    naming: float = 0.5
    people: float = 1.0
    second_share: float = 0.0
    expecting: float = 4.0
    speaker: Path | None = None


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
    photos = photographs(data, "train", cache, copies=True, bf16=plan.bf16, say=say, things=plan.things)
    known = coco_sentences(data)
    known_points = SentenceEncoder()(known, cache)
    classes = SentenceEncoder()(class_sentences(), cache)
    split = split_photographs(len(photos), plan.held_out)
    say(f"{len(photos)} photographs, {len(known)} sentences without pictures")

    projector_config = ProjectorConfig(photos.views.shape[2], kind=plan.projector, dropout=0.5)
    members = SpaceConfig().members
    projector = ProjectorEnsemble(projector_config, members)
    crossed = _stage(
        out,
        "crossed",
        lambda: {"points": cross_fitted(photos, split, projector_config, members, classes, plan)},
    )
    say("each photograph has a point from a projector that has not seen it")
    _stage(out, "projector", lambda: _all_aligned(projector, photos, split.learn, classes, plan), projector)
    with torch.inference_mode():
        points = crossed["points"].clone()
        points[split.validate] = projector(photos.views[0, split.validate].float())
        scores = PictureFeatures().class_scores(photos.views[0].float())
    say("projector aligned")

    old = None if plan.speaker is None else SpaceSystem.load(plan.speaker).network.speaker
    words = vocabulary([s for n in split.learn.tolist() for s in photos.captions[n]] + known, 4)
    config = SpaceConfig(
        things=plan.things,
        projector=projector_config,
        speaker=WordSpeakerShape(),
        second=plan.second_share > 0,
        expecting=plan.expecting,
    )
    network = SpaceNetwork(config, words if old is None else old.config.words)
    network.projector.load_state_dict(projector.state_dict())
    network.set_classes(classes)
    seen = thing_scores(photos.views[0].float()) if plan.things else None
    if seen is not None:
        network.set_things(SentenceEncoder()(thing_sentences(), cache), thing_rarity(seen[split.learn]))
    if network.expectation is not None:
        expected = _expected(network.expectation, photos, split, classes, plan, out)
        points = network.meant(points, expected)
        say("what captions probably mean is foretold")
    with torch.inference_mode():
        points = network.named(points, scores, seen)
    groups = coco_groups(data)
    groups = groups[: len(groups) - min(_IMAGINED_HELD_OUT, len(groups) // 5)]
    point_of = dict(zip(known, known_points, strict=True))
    world = described(photos, split, points, groups, point_of, plan.seed, seen)
    _stage(out, "codec", lambda: _coded(network.codec, world, plan), network.codec)
    say("channel codec trained")
    speaker = network.speaker
    assert speaker is not None  # there are words
    if old is not None:
        speaker.load_state_dict(old.state_dict())
        speaker.requires_grad_(True)
    told = speaker_data(speaker, world)
    stage = SpeakerStage(
        minutes=(0.55 - plan.reward_share) * plan.minutes,
        steps=10**6,
        pictures=0.6,
        learning_rate=2e-3 if old is None else 5e-4,
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
    lessons = RewardLessons(network, world, told, plan, out, say)
    lessons.teach(speaker, "rewarded", drawn(world, _PHOTOGRAPHS), plan.reward_share)
    if network.second is not None:
        network.second.load_state_dict(speaker.state_dict())
        rows = drawn(world, _FEWER_PHOTOGRAPHS)
        lessons.teach(network.second, "second-rewarded", rows, plan.second_share, mixed=True)
        network.manner.load_state_dict(manner_of(network.codec, world, plan.seed))
    base = shipped_knowledge(known, known_points, classes, plan.known)
    system = SpaceSystem(network, base)
    system = calibrated(system, photos, split, points)
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
        pairs = _with_classes(pairs, classes, _PROTOTYPES, plan.seed)
    stage = ContrastiveStage(epochs=plan.epochs, seed=plan.seed, budget_s=budget_s)
    train_contrastive(projector, pairs, stage)
    return dict(projector.state_dict())


def _with_classes(pairs: Pairs, classes: Tensor, share: float, seed: int) -> Pairs:
    """Pairs of photographs, and what a picture of each class might look like with the class's name."""
    generator = torch.Generator().manual_seed(seed)
    made = prototype_features(pairs.views[0].float(), *PictureFeatures().head, len(pairs.views), generator)
    return with_prototypes(pairs, made, classes, share)


def _expected(
    network: Expectation, photos: Photographs, split: Split, classes: Tensor, plan: SpacePlan, out: Path
) -> Tensor:
    """Train the expectation; what one that has not seen it expects of each photograph, float (n, dim)."""
    unseen = _stage(
        out, "expected", lambda: {"points": cross_expected(network, photos, split, classes, plan)}
    )

    def learned() -> dict[str, Tensor]:
        _expecting(network, photos, split.learn, classes, plan)
        return dict(network.state_dict())

    _stage(out, "expectation", learned, network)
    found = unseen["points"].clone()
    with torch.inference_mode():
        found[split.validate] = network(photos.views[0, split.validate].float())
    return found


def _expecting(
    network: Expectation, photos: Photographs, rows: Tensor, classes: Tensor, plan: SpacePlan
) -> None:
    """Train an expectation in place on photographs, int64 (m,), and prototypes of classes."""
    network.fit_scale(photos.views[0, rows].float())
    pairs = Pairs.of(photos.views[:, rows], photos.points[rows])
    centre = pairs.mean_sentences.mean(0)
    pairs = _with_classes(pairs, classes, _EXPECTED_PROTOTYPES, plan.seed)
    stage = ExpectationStage(seed=plan.seed, budget_s=60 * 0.05 * plan.minutes)
    train_expectation(network, pairs, centre, stage)


def cross_expected(
    network: Expectation, photos: Photographs, split: Split, classes: Tensor, plan: SpacePlan
) -> Tensor:
    """As :func:`cross_fitted`, what is expected of each photograph, float (n, dim).

    network: of the shape to train; its weights stay.
    """
    found = torch.zeros(len(photos), photos.points.shape[-1])
    for rows, others in _folds(photos, split, plan.seed):
        one = copy.deepcopy(network)
        _expecting(one, photos, rows, classes, plan)
        with torch.inference_mode():
            found[others] = one(photos.views[0, others].float())
    return found


def _folds(photos: Photographs, split: Split, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of photographs to learn from, and of those to look at with what was learned; int64."""
    fold = torch.from_numpy(np.random.default_rng(seed + 1).integers(_FOLDS, size=len(photos)))
    learn = torch.zeros(len(photos), dtype=torch.bool)
    learn[split.learn] = True
    for k in range(_FOLDS):
        yield ((fold != k) & learn).nonzero()[:, 0], (fold == k).nonzero()[:, 0]


def _all_aligned(
    ensemble: ProjectorEnsemble,
    photos: Photographs,
    rows: Tensor,
    classes: Tensor,
    plan: SpacePlan,
    share: float = 0.15,
) -> dict[str, Tensor]:
    """The first member learns from photographs alone, the others from prototypes of classes too.

    share: of the plan's minutes.
    """
    budget = 60 * share * plan.minutes / len(ensemble.members)
    for n, member in enumerate(ensemble.members):
        assert isinstance(member, Projector)
        _aligned(member, photos, rows, replace(plan, seed=plan.seed + n), budget, classes if n else None)
    return dict(ensemble.state_dict())


def cross_fitted(
    photos: Photographs, split: Split, config: ProjectorConfig, members: int, classes: Tensor, plan: SpacePlan
) -> Tensor:
    """A point of each photograph from an ensemble that was not trained on it, float (n, dim).

    A projector knows its own training pictures too well: their points lie nearer to their captions than any
    new picture's will. What is learned behind it has to see points as they will come.
    """
    points = torch.zeros(len(photos), config.out_dim)
    for k, (rows, others) in enumerate(_folds(photos, split, plan.seed)):
        ensemble = ProjectorEnsemble(config, members)
        seeded = replace(plan, seed=plan.seed + 10 * (k + 1))
        _all_aligned(ensemble, photos, rows, classes, seeded, 0.2 / _FOLDS)
        with torch.inference_mode():
            points[others] = ensemble(photos.views[0, others].float())
    return points


@dataclass(frozen=True)
class Described:
    """Points of pictures with what people wrote of them.

    Attributes:
        points: unit vectors as they are sent, float (n, dim): of photographs, then imagined ones.
        captions: five of each.
        said: unit vectors of the captions, float (n, 5, dim).
        learn: int64 (m,): photographs to learn from.
        imagined: int64 (k,): the rows of points that no photograph has.
        seen: the detector's scores of the photographs, float (m, 80); None without a detector.
    """

    points: Tensor
    captions: list[tuple[str, ...]]
    said: Tensor
    learn: Tensor
    imagined: Tensor
    seen: Tensor | None = None

    @property
    def mean_said(self) -> Tensor:
        """Unit vectors of the captions' means, float (n, dim)."""
        return nn.functional.normalize(self.said.mean(1), dim=-1)


def described(
    photos: Photographs,
    split: Split,
    points: Tensor,
    groups: list[tuple[str, ...]],
    point_of: dict[str, Tensor],
    seed: int,
    seen: Tensor | None = None,
) -> Described:
    """The photographs, and pictures that captions without one might describe.

    The photographs' captions know people and dogs; what else a point may stand for, the others tell.

    Args:
        photos, split: the photographs.
        points: theirs, as they are sent, float (n, dim).
        groups: captions of the same pictures.
        point_of: of each of these.
        seed: of what is imagined.
        seen: the detector's scores of the photographs, float (n, 80).
    """
    said = torch.stack([torch.stack([point_of[text] for text in group]) for group in groups])
    learn = nn.functional.normalize(photos.points[split.learn].mean(1), dim=-1)
    imagine = Imagination.of(points[split.learn], learn)
    mean = nn.functional.normalize(said.mean(1), dim=-1)
    imagined = imagine(mean, torch.Generator().manual_seed(seed))
    return Described(
        torch.cat([points, imagined]),
        [*photos.captions, *groups],
        torch.cat([photos.points, said]),
        split.learn,
        len(photos) + torch.arange(len(groups)),
        seen,
    )


def _coded(codec: SpaceCodec, world: Described, plan: SpacePlan) -> dict[str, Tensor]:
    rows = torch.cat([world.learn, world.imagined])
    meant = world.mean_said[rows]
    codec.fit(world.points[rows], meant)
    stage = SpaceCodecStage(minutes=0.1 * plan.minutes, meaning=True, seed=plan.seed)
    train_space_codec(codec, world.points[rows], meant[:, None], stage)
    return dict(codec.state_dict())


def through_channel(
    codec: SpaceCodec, points: Tensor, generator: torch.Generator, least_snr_db: float = -5.0
) -> tuple[Tensor, Tensor]:
    """Points, float (n, dim), to what a random channel leaves of them, and their quality, float (n,).

    8 to 128 symbols, up to 20 dB, AWGN or Rayleigh.
    """
    low, high = np.log2(codec.config.least_symbols), np.log2(codec.config.symbols)
    draw = torch.rand(2, generator=generator)
    count = round(float(2 ** (low + (high - low) * float(draw[0]))))
    snr_db = least_snr_db + (_MOST_SNR_DB - least_snr_db) * torch.rand(len(points), generator=generator)
    channel = "rayleigh" if draw[1] < 0.3 else "awgn"
    sent = codec.send(points, count)
    received, noise_var = transmit(sent[:, :, None], snr_db, channel, generator)
    noise = noise_var[:, :, 0]
    return codec.receive(received[:, :, 0], noise), codec.quality(noise)


def speaker_data(speaker: WordSpeaker, world: Described) -> SpeakerData:
    """Captions with their own points and their pictures', in the style of each source."""
    rows = torch.cat([world.learn, world.imagined])
    each = world.said.shape[1]
    style = torch.cat([torch.zeros(len(world.learn)), torch.ones(len(world.imagined))]).long()
    return SpeakerData(
        world.said[rows].flatten(0, 1).half(),
        padded(speaker, [text for n in rows.tolist() for text in world.captions[n]]),
        style.repeat_interleave(each),
        rows.repeat_interleave(each),
        world.points.clone(),
    )


@torch.no_grad()
def manner_of(codec: SpaceCodec, world: Described, seed: int) -> dict[str, Tensor]:
    """Weight, float (1, dim), and bias that tell imagined pictures' points from photographs', as received."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.cat([world.learn, world.imagined])
    heard = [through_channel(codec, world.points[rows], generator)[0] for _ in range(_CHANNELS)]
    first = torch.cat([points[: len(world.learn)] for points in heard])
    other = torch.cat([points[len(world.learn) :] for points in heard])
    weight, bias = discriminant(first, other)
    return {"weight": weight[None], "bias": bias[None] + math.log(_OTHERS)}


def drawn(world: Described, times: int) -> Tensor:
    """Rows of points to draw from, int64 (m,): each photograph so many times, each imagined picture once."""
    return torch.cat([world.learn.repeat(times), world.imagined])


def styles_of(world: Described, seed: int | None = None) -> Tensor:
    """In which style each point is spoken of, int64 (n,): that of its captions.

    seed: draw for half of the imagined pictures the photographs' style instead: it has to learn that not
    every picture shows people, as most photographs do.
    """
    styles = torch.isin(torch.arange(len(world.points)), world.imagined).long()
    if seed is not None:
        styles *= torch.randint(2, styles.shape, generator=torch.Generator().manual_seed(seed))
    return styles


@dataclass(frozen=True)
class RewardLessons:
    """Rounds in which speakers are taught by what their own captions earn; each is a stage of its own.

    Attributes:
        network: whose channel codec is between.
        world, told: what is learned from.
        plan: weights and minutes.
        out: where finished rounds are kept.
        say: told how far it is.
    """

    network: SpaceNetwork
    world: Described
    told: SpeakerData
    plan: SpacePlan
    out: Path
    say: Say

    @cached_property
    def reward(self) -> Reward:
        """Made when a round is to be learned, not when all of them are read."""
        speaker = self.network.speaker
        assert speaker is not None  # there are words
        return earnings(speaker.config.words, self.world, self.plan)

    def teach(self, speaker: WordSpeaker, name: str, rows: Tensor, share: float, mixed: bool = False) -> None:
        """All rounds of a speaker, in place.

        Args:
            speaker: to teach.
            name: of the rounds.
            rows: int64 (m,), of the world's points; what stands there more often is drawn more often.
            share: of the plan's minutes; 0 for no round.
            mixed: styles as :func:`styles_of` draws them.
        """
        rounds = math.ceil(share * self.plan.minutes / _ROUND_MINUTES)
        for number in range(rounds):
            seed = self.plan.seed + number
            stage = RewardStage(minutes=share * self.plan.minutes / rounds, steps=10**6, seed=seed)
            styles = styles_of(self.world, seed if mixed else None)
            work = partial(self._round, speaker, f"{name}, round {number + 1}", rows, stage, styles)
            _stage(self.out, f"{name}-{number + 1}", work, speaker)

    def _round(
        self, speaker: WordSpeaker, name: str, rows: Tensor, stage: RewardStage, styles: Tensor
    ) -> dict[str, Tensor]:
        train_by_reward(
            speaker.requires_grad_(True),
            rows,
            self.reward,
            self.told,
            stage,
            through=lambda x, generator: through_channel(self.network.codec, x, generator),
            progress=lambda step, earned: self.say(f"{name}, step {step}: {earned:.3f}"),
            styles=styles,
        )
        return dict(speaker.state_dict())


def earnings(words: Sequence[str], world: Described, plan: SpacePlan) -> Reward:
    """What sentences on pictures earn: agreement with people's captions, closeness to them, and truth."""
    used = torch.cat([world.learn, world.imagined]).sort().values
    known = set(used.tolist())  # what is kept for validation does not even say which words are rare
    captions = [c if n in known else () for n, c in enumerate(world.captions)]
    agreed, true = CaptionReward(captions), Truth(captions, world.seen)
    like = Likeness(words, [text for c in captions for text in c], world.said[used].flatten(0, 1))

    def reward(sentences: Sequence[str], pictures: Sequence[int]) -> np.ndarray:
        earned = agreed(sentences, pictures)
        earned = earned + plan.likeness * like(sentences, world.said[torch.tensor(pictures)])
        earned = earned + plan.naming * true.named(sentences, pictures)
        return np.asarray(earned - plan.people * true.invented_people(sentences, pictures), dtype=np.float32)

    return reward


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
    system.remember_sentences()
    for _ in range(_CHANNELS):
        heard, quality = through_channel(system.network.codec, points[rows], generator, TRUST_LEAST_SNR_DB)
        answers = system.speak(heard, quality)
        seen += [answer.seen for answer in answers]
        said = SentenceEncoder()([answer.text for answer in answers])
        nearest = (said[:, None] * photos.points[rows]).sum(-1).amax(1).numpy()
        right.append(nearest >= trust.RIGHT_FROM)
    coefficients = trust.fit(np.stack(seen), np.concatenate(right))
    network = system.network
    network.config = replace(network.config, confidence=coefficients)
    return SpaceSystem(network, system.knowledge)
