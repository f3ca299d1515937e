"""The judge of statements is learned in two stages: without a channel, then through it; then its trust."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from m4sc.data.caption_facts import NUMBER_WORDS
from m4sc.encoders.object_detector import FEATURES
from m4sc.half_cosine import half_cosine
from m4sc.questions.material import (
    ABSENT,
    TRUE,
    UNKNOWN,
    Material,
    class_members,
    class_points,
    everyday_points,
    kind_things,
    load_material,
    rows_of,
)
from m4sc.questions.network import INDOORS, QuestionConfig, QuestionNetwork, answer_kind, answer_odds
from m4sc.questions.placed_training import (
    PlacedQuestions,
    PlacedStage,
    captioned,
    points_of,
    room_split,
    rooms,
    with_placed,
)
from m4sc.questions.statements import ask
from m4sc.questions.trial import TRIAL_KINDS, questions_on
from m4sc.questions.vocabulary import things_of
from m4sc.space import confidence as trust
from m4sc.space.config import PICTURE_DIM
from m4sc.space.material import photographs
from m4sc.space.naming import thing_rarity, thing_scores, thing_sentences
from m4sc.space.picture_features import PictureFeatures
from m4sc.space.prototypes import prototype_features, with_kinds
from m4sc.space.sentence_encoder import RememberedSentences, SentenceEncoder
from m4sc.space.training import TRUST_LEAST_SNR_DB, Split, split_photographs, through_channel

Say = Callable[[str], None]
_bce = nn.functional.binary_cross_entropy_with_logits
_cross_entropy = nn.functional.cross_entropy
_HELD_OUT = 500
_NEAR = (5, 60)  # ranks of the photographs whose captions are near misses
_BALANCE = 0.6  # how far rare statements and answers are drawn as often as common ones
_TRUST_QUESTIONS = 3000
_MOST_ROUNDS = 40  # that a question is asked through other channels
_WHAT_ROUNDS = 4
_PEOPLE_ROUNDS = 4
_FEWEST_ASKED = 100  # of people's questions of a kind, from which its trust is fitted to them too
_COPIES = 2  # made-up pictures of a class
_KIND_COPIES = 8  # of one of the detector's kinds
_MADE_UP = 128  # a step
_SEEN = 0.75  # of the made-up pictures of a class that the detector knows, in which it sees it


@dataclass(frozen=True)
class QuestionPlan:
    """How the network is trained.

    Attributes:
        steps: of each of both stages at most.
        minutes: of each at most.
        batch: statements and captions a step.
        learning_rate: of AdamW, for the judge; projector half of it. It falls as a half cosine.
        noise: standard deviation of noise on features, in theirs.
        blur: the same of the points in the first stage.
        judge: kind, of :data:`m4sc.questions.network.JUDGES`.
        things: the detector's features too.
        seed: of everything random.
    """

    steps: int = 900
    minutes: float = 15.0
    batch: int = 160
    learning_rate: float = 1e-3
    noise: float = 0.1
    blur: float = 0.03
    judge: str = "kan"
    things: bool = True
    seed: int = 0


def train_questions(
    data: Path, out: Path, plan: QuestionPlan, say: Say = lambda text: None
) -> QuestionNetwork:
    """Train everything and write it to `out`; finished stages and features there are taken as they are.

    Raises:
        FileNotFoundError: a data set is missing.
    """
    cache = out / "features"
    cache.mkdir(parents=True, exist_ok=True)
    material = load_material(data, "train", cache, say, plan.things)
    torch.manual_seed(plan.seed)
    width = PICTURE_DIM + FEATURES * plan.things
    network = QuestionNetwork(QuestionConfig(in_dim=width, judge=plan.judge, things=plan.things))
    network.set_classes(everyday_points(class_points(cache), cache))
    split = split_photographs(len(material), _HELD_OUT)
    if plan.things:
        seen = thing_scores(material.views[0, split.learn].float())
        network.set_things(SentenceEncoder()(thing_sentences(), cache), thing_rarity(seen))
    lesson = Lesson(network, material, split.learn, plan, class_points(cache))
    for name in ("clear", "channel"):
        path = out / "stages" / f"{name}.safetensors"
        if not path.exists():
            lesson.run(name == "channel", say)
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".tmp")
            save_file({k: v.detach().contiguous() for k, v in network.state_dict().items()}, str(scratch))
            scratch.replace(path)
        network.load_state_dict(load_file(str(path)))
        say(f"stage '{name}' done")
    asked = room_split(rooms(data, network, cache, say, others=True))[1]
    network = trusted(network, material, split.validate, plan.seed, asked)
    network = _with_placed(network, data, cache, split, plan.seed, say)
    network.save(out)
    say(f"weights in {out}")
    return QuestionNetwork.load(out)


def _with_placed(
    network: QuestionNetwork, data: Path, cache: Path, split: Split, seed: int, say: Say
) -> QuestionNetwork:
    """The network with names for what is beside, on or in something, from people's questions and captions."""
    photos = photographs(data, "train", cache, copies=False, say=say, things=network.config.things)
    told = captioned(points_of(network, photos.views[0].float()), photos.captions)
    learn, validate = room_split(rooms(data, network, cache, say))
    learn_from = [learn, told.on(split.learn)]
    return with_placed(network, learn_from, [validate, told.on(split.validate)], PlacedStage(seed=seed), say)


@dataclass(frozen=True)
class MadeUp:
    """Pictures that nobody took.

    Attributes:
        features: float (copies, m, in_dim).
        members: bool (m, things): which things each shows.
        points: unit vectors, float (m, 384), of the sentences that name them.
    """

    features: Tensor
    members: Tensor
    points: Tensor


def made_up_things(
    made: Tensor,
    members: Tensor,
    photographs: Tensor,
    classes: Tensor,
    network: QuestionNetwork,
    generator: torch.Generator,
) -> list[MadeUp]:
    """Of ImageNet's classes, whose kinds the detector mostly sees, and of the detector's kinds.

    Args:
        made: float (copies, 1000, in_dim), as of :func:`m4sc.space.prototypes.prototype_features`.
        members: bool (1000, things).
        photographs: features, float (n, in_dim).
        classes: points of the classes' sentences, float (1000, 384).
        network: whose points of the kinds' sentences are taken.
        generator: of everything drawn.
    """
    thing_of_kind = kind_things(things_of(None))
    of_kind = members[:, thing_of_kind]  # (1000, 80)
    kind = torch.where(of_kind.any(1), of_kind.int().argmax(1), -1)

    def seen(features: Tensor, kinds: Tensor) -> Tensor:
        return with_kinds(features, kinds, photographs, generator)

    copies = []
    for one in made:
        noticed = torch.rand(len(kind), generator=generator) < _SEEN
        copies.append(seen(one, torch.where(noticed, kind, -1)))
    mean = photographs.mean(0)
    kinds = torch.arange(len(thing_of_kind))
    known = of_kind.any(0)
    own = []
    for _ in range(_KIND_COPIES):
        drawn = torch.randint(len(photographs), (len(kinds),), generator=generator)
        base = (photographs[drawn] + mean) / 2
        copy = int(torch.randint(len(made), (), generator=generator))
        some = of_kind.T.float() + (~known[:, None]).float()  # a class that a kind covers, if there is one
        covered = made[copy, torch.multinomial(some, 1, generator=generator)[:, 0]]
        classed = known & (torch.rand(len(kinds), generator=generator) < _SEEN)
        own.append(seen(torch.where(classed[:, None], covered, base), kinds))
    shown = nn.functional.one_hot(thing_of_kind, members.shape[1]).bool()
    points = nn.functional.normalize(network.things.float(), dim=-1)
    return [MadeUp(torch.stack(copies), members, classes), MadeUp(torch.stack(own), shown, points)]


class Lesson:
    """Losses of one network on one material."""

    def __init__(
        self, network: QuestionNetwork, material: Material, learn: Tensor, plan: QuestionPlan, classes: Tensor
    ) -> None:
        """learn: rows to learn from, int64; classes: points of ImageNet's sentences, float (1000, 384)."""
        self.network, self.material, self.learn, self.plan = network, material, learn, plan
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.through = False
        self.names = torch.stack(
            [
                network.names(scores.float(), view.float())
                for scores, view in zip(material.scores, material.views, strict=True)
            ]
        )
        first = material.views[0].float()
        if float(network.projector.std.std()) == 0:  # as it was made
            network.projector.fit_scale(first[learn])
            network.projector.start_linear(first[learn], material.captions[learn].mean(1))
        mean = nn.functional.normalize(material.captions.mean(1), dim=-1)
        self.near = (mean @ mean.T).topk(min(_NEAR[1], len(material))).indices[:, _NEAR[0] :]
        mask = rows_of(material, learn)
        true = ((material.fits >= TRUE) & mask[:, None]).nonzero()  # (q, 2): photograph, statement
        often = torch.bincount(true[:, 1], minlength=len(material.table))
        self.true, self.true_weight = true, often[true[:, 1]].double() ** -_BALANCE
        self.choices = [group.of(mask) for groups in material.choices.values() for group in groups]
        self.choices = [group for group in self.choices if len(group.right)]
        head = PictureFeatures(network.config.vision)
        members = class_members(things_of(None))
        made = prototype_features(first[learn], *head.head, _COPIES, self.generator)
        made_up = [MadeUp(made, members, classes)]
        if network.config.things:
            made_up = made_up_things(made, members, first[learn], classes, network, self.generator)
        self.made_up = made_up
        self.made_up_names = [
            torch.stack([network.names(head.class_scores(p), p) for p in one.features]) for one in made_up
        ]
        # what photographs often show is what an object's picture is often wrongly said to show
        self.common = 1 + often[material.everything].float().sqrt()
        self.small_names = (
            network.names(material.small_scores.float(), material.small.float())
            if len(material.small)
            else None
        )

    def run(self, through: bool, say: Say) -> None:
        """One stage; through: the points cross a channel, whose codec learns with the rest."""
        network, plan = self.network, self.plan
        self.through = through
        torch.manual_seed(plan.seed + through)
        if through:
            network.eval()
            with torch.inference_mode():
                points = [
                    self._points(self.learn.repeat(2), torch.arange(2).repeat_interleave(len(self.learn)))
                ]
                for made, names in zip(self.made_up, self.made_up_names, strict=True):
                    points.append(network.points(made.features.flatten(0, 1), names.flatten(0, 1)))
            network.codec.fit(torch.cat(points).clone())  # what no photograph shows has to cross, too
        rate = plan.learning_rate * (0.4 if through else 1.0)
        own = [p for name, p in network.named_parameters() if not name.startswith("projector.")]
        optimizer = torch.optim.AdamW(
            [
                {"params": network.projector.parameters(), "lr": rate / 2, "weight_decay": 0.1},
                {"params": own, "lr": rate, "weight_decay": 0.05},
            ]
        )
        schedule = half_cosine(optimizer, plan.steps)
        network.train()
        started = time.monotonic()
        for step in range(plan.steps):
            parts = [self._on_captions(), self._on_things(), self._on_choices(), self._on_made_up()]
            parts += [self._on_small()] if self.small_names is not None else []
            loss = torch.stack(parts).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 50 == 0:
                say(f"step {step}: " + " ".join(f"{float(part.detach()):.3f}" for part in parts))
            if time.monotonic() - started > 60 * plan.minutes:
                break
        network.eval()

    def _draw(self, count: int, most: int) -> Tensor:
        return torch.randint(most, (count,), generator=self.generator)

    def _blurred(self, features: Tensor) -> Tensor:
        noise = torch.randn(features.shape, generator=self.generator) * self.network.projector.std
        return features.float() + self.plan.noise * noise

    def _sent(self, points: Tensor) -> Tensor:
        """Points as the judge gets them."""
        if self.through:
            return through_channel(self.network.codec, points, self.generator)[0]
        return points + self.plan.blur * torch.randn(points.shape, generator=self.generator)

    def _points(self, rows: Tensor, view: Tensor | None = None) -> Tensor:
        """Points of photographs before the channel."""
        view = self._draw(len(rows), len(self.material.views)) if view is None else view
        features = self._blurred(self.material.views[view, rows])
        return self.network.points(features, self.names[view, rows])

    def _on_captions(self) -> Tensor:
        """Its caption describes a picture, another's does not; half of the others are near misses."""
        count, captions = self.plan.batch, self.material.captions
        rows = self.learn[self._draw(count, len(self.learn))]
        own = captions[rows, self._draw(count, captions.shape[1])]
        near = self.near[rows, self._draw(count, self.near.shape[1])]
        chance = torch.rand(count, generator=self.generator) < 0.5
        other = torch.where(chance, near, self._draw(count, len(self.material)))
        wrong = captions[other, self._draw(count, captions.shape[1])]
        points = self._sent(self._points(rows))
        odds = self.network.judge(points, torch.stack([own, wrong], 1))
        every = self.network.judge(points, own)
        target = torch.arange(count)
        contrast = (_cross_entropy(every, target) + _cross_entropy(every.T, target)) / 2
        return _bce(odds, torch.tensor([[1.0, 0.0]]).expand(count, 2)) + 0.3 * contrast

    def _on_things(self) -> Tensor:
        """A short statement of a picture that it fits and of one that it does not: balanced by statement."""
        count, fits = self.plan.batch, self.material.fits
        drawn = self.true[torch.multinomial(self.true_weight, count, generator=self.generator)]
        some = self.learn[self._draw(8 * count, len(self.learn))].reshape(count, 8)
        absent = fits[some, drawn[:, 1:]] == ABSENT
        other = some.gather(1, absent.int().argmax(1, keepdim=True))[:, 0]
        points = self._sent(self._points(torch.cat([drawn[:, 0], other])))
        statements = self.material.table[drawn[:, 1].repeat(2)]
        odds = self.network.judge(points, statements[:, None])[:, 0]
        weight = torch.cat([torch.ones(count), absent.any(1).float()])
        target = torch.cat([torch.ones(count), torch.zeros(count)])
        return 2 * _bce(odds, target, weight=weight)

    def _on_choices(self) -> Tensor:
        """The right one of several statements fits best."""
        total = torch.zeros(())
        for group in self.choices:
            often = torch.bincount(group.right)[group.right].double()
            drawn = torch.multinomial(often**-_BALANCE, 40, replacement=True, generator=self.generator)
            points = self._sent(self._points(group.picture[drawn]))
            odds = self.network.judge(points, self.material.table[group.statements[drawn]])
            total = total + _cross_entropy(odds, group.right[drawn])
        return 0.3 * total

    def _on_made_up(self) -> Tensor:
        """Made-up pictures are named by their class or kind and by the things that cover it."""
        total = torch.zeros(())
        for made, names in zip(self.made_up, self.made_up_names, strict=True):
            count = _MADE_UP // len(self.made_up)
            which = self._draw(count, len(made.points))
            copy = self._draw(count, len(made.features))
            features = self._blurred(made.features[copy, which])
            points = self._sent(self.network.points(features, names[copy, which]))
            same = which[:, None] == which  # an equal name is no wrong one
            named = self.network.judge(points, made.points[which])
            named = named.masked_fill(same & ~torch.eye(count, dtype=torch.bool), -torch.inf)
            odds = self.network.judge(points, self.material.table[self.material.everything])
            member = made.members[which].float()
            covered = member.any(1, keepdim=True).float()  # what no word covers says nothing
            absent = (1 - member) * covered * self.common
            weight = member / member.sum().clamp_min(1) + absent / absent.sum().clamp_min(1)
            single = _bce(odds, member, reduction="none") * weight
            among = -odds.log_softmax(-1).masked_fill(member == 0, -torch.inf).logsumexp(-1)
            among = torch.where(covered[:, 0] > 0, among, 0.0)
            own = _cross_entropy(named, torch.arange(count))
            total = total + 0.25 * own + 0.25 * single.sum() + 0.15 * among.mean()
        return total

    def _on_small(self) -> Tensor:
        """CIFAR-10's pictures are named by their class."""
        assert self.small_names is not None
        drawn = self._draw(128, len(self.material.small))
        points = self.network.points(self._blurred(self.material.small[drawn]), self.small_names[drawn])
        odds = self.network.judge(self._sent(points), self.material.table[self.material.everything])
        return 0.5 * _cross_entropy(odds, self.material.small_right[drawn])


@dataclass
class _Told:
    """By kind of answer: evidence, as of `QuestionConfig.trust`, and whether the answer was right."""

    seen: dict[str, list[list[float]]] = field(default_factory=dict)
    right: dict[str, list[bool]] = field(default_factory=dict)

    def add(self, kind: str, evidence: list[float], right: bool) -> None:
        self.seen.setdefault(kind, []).append(evidence)
        self.right.setdefault(kind, []).append(right)

    def balanced(self, kind: str, other: _Told) -> tuple[np.ndarray, np.ndarray]:
        """A kind's evidence and what was right, another source's as often as this one's in all."""
        seen, right = self.seen[kind], self.right[kind]
        more, hits = other.seen.get(kind, []), other.right.get(kind, [])
        if len(more) < _FEWEST_ASKED:
            return np.array(seen), np.array(right)
        times = max(1, round(len(seen) / len(more)))
        return np.array(seen + times * more), np.array(right + times * hits)


def trusted(
    network: QuestionNetwork,
    material: Material,
    rows: Tensor,
    seed: int,
    people: PlacedQuestions | None = None,
) -> QuestionNetwork:
    """The same network with its trust fitted on held-out photographs through random channels.

    people: questions that people asked on other pictures; what captions tell of, they ask about seldom.
    """
    network.eval()  # stages that were read from a folder have not been through a lesson
    generator = torch.Generator().manual_seed(seed + 7)
    names = network.names(material.scores[0].float(), material.views[0].float())
    statement = SentenceEncoder()([INDOORS]).clone()
    with torch.inference_mode():
        points = network.points(material.views[0].float(), names)
    told = _Told()
    for kind in TRIAL_KINDS:
        own = "existence" if kind == "phrase" else kind
        for asked in questions_on(kind, material, rows, seed):
            for part in asked_often(len(asked.right), generator).split(25):
                with torch.inference_mode():
                    heard, quality = through_channel(
                        network.codec, points[asked.picture[part]], generator, TRUST_LEAST_SNR_DB
                    )
                    odds = network.judge(heard, asked.statements[part])
                    known = network.familiar(asked.statements[part, 0])
                    known = known if odds.shape[1] == 1 else network.indoors(heard, statement)
                each = zip(
                    answer_odds(odds),
                    quality.tolist(),
                    known.tolist(),
                    asked.right[part].tolist(),
                    strict=True,
                )
                for (best, sure), share, what, meant in each:
                    told.add(answer_kind(own, best), [sure, share, what, 1.0], best == meant)
    _named_rightly(network, material, points, rows, generator, statement, told)
    others = _Told() if people is None else _people_told(network, people, generator, statement)
    fitted = dict(network.config.trust)
    for kind in told.seen:
        found = trust.fit(*told.balanced(kind, others))
        fitted[kind] = (found[0], found[1], found[2], found[3])
    network.config = replace(network.config, trust=fitted)
    return network


@torch.inference_mode()
def _people_told(
    network: QuestionNetwork, people: PlacedQuestions, generator: torch.Generator, statement: Tensor
) -> _Told:
    """What the judge answers to people's questions with several answers, and whether that is theirs."""
    told = _Told()
    sentences = RememberedSentences(SentenceEncoder())
    for question in dict.fromkeys(people.asked):
        asked = ask(question)
        if asked.yes_no:
            continue
        statements = sentences(asked.statements)
        own = [n for n, other in enumerate(people.asked) if other == question]
        for part in torch.tensor(own).repeat(_PEOPLE_ROUNDS).split(25):
            points = people.points[people.picture[part]]
            heard, quality = through_channel(network.codec, points, generator, TRUST_LEAST_SNR_DB)
            found = answer_odds(network.judge(heard, statements))
            inside = network.indoors(heard, statement)
            each = zip(part.tolist(), found, quality.tolist(), inside.tolist(), strict=True)
            for n, (best, sure), share, room in each:
                right = asked.answers[best] == _in_words(people.answers[n])
                told.add(asked.kind, [sure, share, room, 1.0], right)
    return told


def _in_words(answer: str) -> str:
    """ "3" to "three", as far as there are words for numbers."""
    number = int(answer) if answer.isdecimal() else len(NUMBER_WORDS)
    return NUMBER_WORDS[number] if number < len(NUMBER_WORDS) else answer


def asked_often(count: int, generator: torch.Generator) -> Tensor:
    """Places of questions, int64, each as often as fits: few questions still meet many channels."""
    rounds = min(_MOST_ROUNDS, math.ceil(_TRUST_QUESTIONS / max(count, 1)))
    orders = [torch.randperm(count, generator=generator) for _ in range(rounds)]
    return torch.cat(orders)[:_TRUST_QUESTIONS]


@torch.inference_mode()
def _named_rightly(
    network: QuestionNetwork,
    material: Material,
    points: Tensor,
    rows: Tensor,
    generator: torch.Generator,
    statement: Tensor,
    into: _Told,
) -> None:
    """Of "What is in the picture?": whether the thing named is there.

    Of what captions and detector leave open nothing is learned.
    """
    statements = material.table[material.everything]
    for _ in range(_WHAT_ROUNDS):
        for part in rows[torch.randperm(len(rows), generator=generator)].split(25):
            heard, quality = through_channel(network.codec, points[part], generator, TRUST_LEAST_SNR_DB)
            told = answer_odds(network.judge(heard, statements))
            inside = network.indoors(heard, statement)
            each = zip(part.tolist(), told, quality.tolist(), inside.tolist(), strict=True)
            for row, (best, sure), share, room in each:
                fit = int(material.fits[row, material.everything[best]])
                if fit != UNKNOWN:
                    into.add("what", [sure, share, room, 1.0], fit >= TRUE)
