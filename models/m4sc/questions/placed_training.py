"""Naming what is beside, on or in something is learned from people's questions on rooms and from captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from m4sc.data import daquar
from m4sc.data.example import Example
from m4sc.half_cosine import half_cosine
from m4sc.questions.network import INDOORS, QuestionNetwork, answer_odds
from m4sc.questions.placed import all_names, asks_what_is_placed, placed_in
from m4sc.questions.placed_names import PlacedNames
from m4sc.questions.statements import thing_statement
from m4sc.space import confidence as trust
from m4sc.space.material import picture_views, thing_views
from m4sc.space.picture_features import PictureFeatures
from m4sc.space.sentence_encoder import SentenceEncoder
from m4sc.space.training import TRUST_LEAST_SNR_DB, Say, split_photographs, through_channel

PLACED = "placed"
_HIDDEN = 64
_LEAST_ANSWERS = 5  # of the questions learned from, that a name answers
_HELD_OUT = 160  # photographs of rooms
_SPREAD = 0.03  # of noise a coordinate on questions' vectors
_TRUST_ROUNDS = 4


@dataclass(frozen=True)
class PlacedStage:
    """How long: `steps` of `batch` questions, half of each source; learning rate of AdamW; seed."""

    steps: int = 800
    batch: int = 256
    learning_rate: float = 3e-3
    seed: int = 0


@dataclass(frozen=True)
class PlacedQuestions:
    """Questions with answers on pictures whose points are known.

    Attributes:
        points: float (n, 768), of the pictures.
        picture: int64 (q,): row of ``points``.
        asked: q questions.
        answers: q answers.
    """

    points: Tensor
    picture: Tensor
    asked: tuple[str, ...]
    answers: tuple[str, ...]

    def on(self, pictures: Tensor) -> PlacedQuestions:
        """Those on some pictures, int64 (r,)."""
        mask = torch.zeros(len(self.points), dtype=torch.bool)
        mask[pictures] = True
        kept = mask[self.picture].nonzero()[:, 0]
        asked = tuple(self.asked[n] for n in kept.tolist())
        return PlacedQuestions(
            self.points, self.picture[kept], asked, tuple(self.answers[n] for n in kept.tolist())
        )


def rooms(
    data: Path, network: QuestionNetwork, cache: Path, say: Say, others: bool = False
) -> PlacedQuestions:
    """People's questions on the train photographs of DAQUAR; features are kept in `cache`.

    others: not those for what is placed somewhere, but the others on the same photographs.

    Raises:
        FileNotFoundError: no such data set.
    """
    every = daquar.vqa_examples(data, "train")
    examples = [e for e in every if _asks(e)]
    pictures = list({e.media_id: e for e in examples}.values())
    views = picture_views(pictures, cache, False, say=say)
    if network.config.things:
        views = torch.cat([views, thing_views(pictures, cache, say)], 1)
    place = {e.media_id: row for row, e in enumerate(pictures)}
    if others:
        examples = [e for e in every if e.media_id in place and not _asks(e)]
    return PlacedQuestions(
        points_of(network, views.float()),
        torch.tensor([place[e.media_id] for e in examples], dtype=torch.long),
        tuple(e.instruction for e in examples),
        tuple(e.answers[0] for e in examples),
    )


def _asks(example: Example) -> bool:
    return asks_what_is_placed(example.instruction.lower().strip(" ?"))


def captioned(points: Tensor, captions: Sequence[Sequence[str]]) -> PlacedQuestions:
    """Questions that captions answer, each caption's by itself; points: of the pictures, float (n, 768)."""
    found = [
        (row, told)
        for row, group in enumerate(captions)
        for told in dict.fromkeys(map(placed_in, group))
        if told is not None
    ]
    return PlacedQuestions(
        points,
        torch.tensor([row for row, _ in found], dtype=torch.long),
        tuple(question for _, (question, _) in found),
        tuple(answer for _, (_, answer) in found),
    )


@torch.inference_mode()
def points_of(network: QuestionNetwork, features: Tensor) -> Tensor:
    """Features, float (n, in_dim), to the network's points, float (n, 768)."""
    scores = PictureFeatures(network.config.vision).class_scores(features)
    return network.points(features, network.names(scores, features))


def with_placed(
    network: QuestionNetwork,
    learn: Sequence[PlacedQuestions],
    validate: Sequence[PlacedQuestions],
    stage: PlacedStage,
    say: Say = lambda text: None,
) -> QuestionNetwork:
    """The network with a part for what is placed somewhere, its trust fitted on other pictures.

    Args:
        network: already trained; its weights stay as they are.
        learn: of each source, to learn from; the first one's answers are names of their own.
        validate: of each source, for the trust.
        stage: how long.
        say: told how far it is.
    """
    counts = Counter(learn[0].answers)
    names = all_names([name for name, count in counts.most_common() if count >= _LEAST_ANSWERS])
    torch.manual_seed(stage.seed)
    config = replace(network.config, placed=names, placed_hidden=_HIDDEN)
    larger = QuestionNetwork(config)
    larger.load_state_dict({**larger.state_dict(), **network.state_dict()})
    larger.eval().requires_grad_(False)
    assert larger.placed is not None  # there are names
    statements = SentenceEncoder()([thing_statement(name) for name in names]).clone()
    _learn(larger, larger.placed, [_Answered.of(one, names) for one in learn], statements, stage, say)
    fitted = dict(config.trust)
    fitted[PLACED] = _trust(
        larger, larger.placed, [_Answered.of(one, names) for one in validate], statements, stage.seed
    )
    larger.config = replace(config, trust=fitted)
    return larger


@dataclass(frozen=True)
class _Answered:
    """Questions with the numbers of their answers, -1 for what has no name."""

    questions: PlacedQuestions
    vectors: Tensor
    right: Tensor

    @classmethod
    def of(cls, questions: PlacedQuestions, names: Sequence[str]) -> _Answered:
        place = {name: n for n, name in enumerate(names)}
        right = torch.tensor([place.get(answer, -1) for answer in questions.answers], dtype=torch.long)
        return cls(questions, SentenceEncoder()(questions.asked).clone(), right)


def _learn(
    network: QuestionNetwork,
    placed: PlacedNames,
    sources: Sequence[_Answered],
    statements: Tensor,
    stage: PlacedStage,
    say: Say,
) -> None:
    placed.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(placed.parameters(), lr=stage.learning_rate, weight_decay=0.1)
    schedule = half_cosine(optimizer, stage.steps)
    generator = torch.Generator().manual_seed(stage.seed)
    each = stage.batch // len(sources)
    rows = [(source.right >= 0).nonzero()[:, 0] for source in sources]
    for step in range(stage.steps):
        drawn = [own[torch.randint(len(own), (each,), generator=generator)] for own in rows]
        parts = list(zip(sources, drawn, strict=True))
        points = torch.cat([s.questions.points[s.questions.picture[d]] for s, d in parts])
        vectors = torch.cat([s.vectors[d] for s, d in parts])
        right = torch.cat([s.right[d] for s, d in parts])
        with torch.no_grad():
            heard, _ = through_channel(network.codec, points, generator)
            odds = network.judge(heard, statements)
        vectors = vectors + _SPREAD * torch.randn(vectors.shape, generator=generator)
        loss = nn.functional.cross_entropy(
            placed(vectors, heard, statements, odds), right, label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            say(f"placed, step {step}: loss {float(loss.detach()):.3f}")
    placed.requires_grad_(False).eval()


def _trust(
    network: QuestionNetwork,
    placed: PlacedNames,
    sources: Sequence[_Answered],
    statements: Tensor,
    seed: int,
) -> tuple[float, float, float, float]:
    generator = torch.Generator().manual_seed(seed + 7)
    seen: list[list[float]] = []
    right: list[bool] = []
    indoors = SentenceEncoder()([INDOORS]).clone()
    for source in sources:
        order = torch.arange(len(source.right)).repeat(_TRUST_ROUNDS)
        for part in order[torch.randperm(len(order), generator=generator)].split(25):
            points = source.questions.points[source.questions.picture[part]]
            with torch.inference_mode():
                heard, quality = through_channel(network.codec, points, generator, TRUST_LEAST_SNR_DB)
                odds = placed(source.vectors[part], heard, statements, network.judge(heard, statements))
                inside = network.indoors(heard, indoors)
            told, meant_each = answer_odds(odds), source.right[part].tolist()
            each = zip(told, quality.tolist(), inside.tolist(), meant_each, strict=True)
            for (best, sure), share, room, meant in each:
                seen.append([sure, share, room, 1.0])
                right.append(best == meant)
    found = trust.fit(torch.tensor(seen).numpy(), torch.tensor(right).numpy())
    return found[0], found[1], found[2], found[3]


def room_split(questions: PlacedQuestions) -> tuple[PlacedQuestions, PlacedQuestions]:
    """Questions to learn from and such for the trust, on different photographs."""
    split = split_photographs(len(questions.points), _HELD_OUT)
    return questions.on(split.learn), questions.on(split.validate)
