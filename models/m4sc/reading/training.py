"""A reader learns from captions taken as texts, and questions made from the plain facts that they state."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from m4sc.codecs.gist import sentences_of
from m4sc.data.caption_facts import KINDS as THINGS
from m4sc.data.coco_text import load_captions, text_question_examples
from m4sc.half_cosine import half_cosine
from m4sc.reading.network import (
    KINDS,
    NOWHERE,
    PART,
    WORDS,
    YES_NO,
    Padded,
    Reader,
    ReadingConfig,
    Scores,
    joined,
    read,
)
from m4sc.space import confidence as trust
from m4sc.space.sentence_encoder import SentenceEncoder, TokenStates

Say = Callable[[str], None]
_HELD_OUT = 0.15  # of the texts
_OPEN_SHARE = 0.15  # of a batch: questions that ask for no thing
_WORDS_WEIGHT = 2.0  # draws of a question for words, where one for yes or no has 1
_EVERY = 100  # steps between news
# What is asked of letters and notes, whose answers captions do not hold: the part that says most is given.
_OPEN = """When do we meet?/When does the {x} come?/Who is coming?/Who has the {x}?/Why is the {x} late?
How do I get there?/How does the {x} work?/What does the text say about the {x}?/What happened to the {x}?
What should I bring?/What shall we do with the {x}?/Until when is the {x} open?/How much does the {x} cost?
What is the matter with the {x}?/Who called?/What time is it?/At what time does it start?/When is the {x} due?
What is the number of the room?/What is the name of the man?/Whom shall I ask about the {x}?/Which day is it?
What does the woman want?/What do they say?/Why did they leave?/What is the plan?/What is it about?
How long does it take?/How far is it to the {x}?/What changed?/Who wrote it?/What is the code of the {x}?"""


@dataclass(frozen=True)
class ReadingPlan:
    """How a reader is trained.

    Attributes:
        steps: at most.
        minutes: at most, without encoding.
        texts: at most.
        batch: questions a step.
        learning_rate: of AdamW; it falls as a half cosine.
        seed: of everything random.
    """

    steps: int = 900
    minutes: float = 15.0
    texts: int = 2600
    batch: int = 48
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class Question:
    """A question on a text.

    Attributes:
        text: number of the text.
        wording: number of the question.
        kind: of :data:`m4sc.reading.network.KINDS`.
        answers: right ones.
    """

    text: int
    wording: int
    kind: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Readings:
    """What a reader learns from.

    Attributes:
        parts: of each text, the words of its sentences.
        states: of each text, the tokens of its sentences.
        wordings: the questions' tokens.
        open_wordings: those of questions that ask for no thing.
        asked: all questions.
    """

    parts: list[tuple[str, ...]]
    states: list[tuple[TokenStates, ...]]
    wordings: list[TokenStates]
    open_wordings: list[TokenStates]
    asked: list[Question]


def train_reading(data: Path, out: Path, plan: ReadingPlan, say: Say = lambda text: None) -> Reader:
    """Train a reader and write it to `out`; token states that are there are taken as they are.

    Raises:
        FileNotFoundError: a data set is missing.
    """
    torch.manual_seed(plan.seed)
    readings = load_readings(data, out / "features", plan, say)
    held = int((1 - _HELD_OUT) * len(readings.parts))
    learn = [one for one in readings.asked if one.text < held]
    validate = [one for one in readings.asked if one.text >= held]
    say(f"{len(learn)} questions to learn from, {len(validate)} held out")
    reader = Reader(ReadingConfig())
    fit_reader(reader, readings, learn, plan, say)
    reader = trusted(reader, readings, validate, say)
    reader.save(out)
    say(f"weights in {out}")
    return Reader.load(out)


def load_readings(data: Path, cache: Path, plan: ReadingPlan, say: Say = lambda text: None) -> Readings:
    """Texts of COCO's captions, of the part that nothing is tested on, and questions on them."""
    by_text: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {}
    for example in text_question_examples(load_captions(data, "train"), seed=plan.seed):
        kind = YES_NO if example.kind == "text-existence" else WORDS
        by_text.setdefault(str(example.source), []).append((example.instruction, kind, example.answers))
    order = np.random.default_rng(plan.seed).permutation(len(by_text))[: plan.texts]
    texts = [list(by_text)[n] for n in order]
    parts = [tuple(sentences_of(text)) for text in texts]
    wordings = sorted({wording for text in texts for wording, _, _ in by_text[text]})
    place = {wording: row for row, wording in enumerate(wordings)}
    asked = [
        Question(n, place[wording], kind, answers)
        for n, text in enumerate(texts)
        for wording, kind, answers in by_text[text]
    ]
    encoder = SentenceEncoder()
    states = _kept(encoder, [part for group in parts for part in group], cache / "texts.safetensors", say)
    each = iter(states)
    return Readings(
        parts,
        [tuple(next(each) for _ in group) for group in parts],
        _kept(encoder, wordings, cache / "questions.safetensors", say),
        encoder.tokens(open_questions()),
        asked,
    )


def open_questions() -> list[str]:
    """Questions that ask for no thing a caption tells."""
    templates = [one.strip() for one in re.split(r"[/\n]", _OPEN)]
    things = sorted(THINGS)
    return [one.format(x=things[n * 7 % len(things)]) for n, one in enumerate(templates * 4)]


def _kept(encoder: SentenceEncoder, texts: Sequence[str], path: Path, say: Say) -> list[TokenStates]:
    """Token states of texts, kept in a file in float16."""
    if not path.exists():
        found: list[TokenStates] = []
        for start in range(0, len(texts), 512):
            found += encoder.tokens(texts[start : start + 512])
            say(f"{len(found)} of {len(texts)} sentences read")
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".tmp")
        tensors = {
            "states": torch.cat([one.states for one in found]).half(),
            "ids": torch.cat([one.ids for one in found]),
            "spans": torch.cat([one.spans for one in found]),
            "counts": torch.tensor([len(one.ids) for one in found]),
        }
        save_file(tensors, str(scratch))
        scratch.replace(path)
    kept = load_file(str(path))
    counts = kept["counts"].tolist()
    if len(counts) != len(texts):
        raise ValueError(f"{path} is of other texts; delete it")
    columns = (kept[name].split(counts) for name in ("states", "ids", "spans"))
    return [TokenStates(*one) for one in zip(*columns, strict=True)]


def right_tokens(
    text: TokenStates, parts: Sequence[str], counts: Sequence[int], answers: Sequence[str]
) -> Tensor:
    """Where the answers stand, bool (2, t): their first and their last tokens.

    Args:
        text: joined tokens of the parts.
        parts: the words.
        counts: tokens of each part.
        answers: any of them, the first that is found in a part counts there.
    """
    found = torch.zeros(2, len(text.ids), dtype=torch.bool)
    start = 0
    for part, count in zip(parts, counts, strict=True):
        spans = text.spans[start : start + count]
        for answer in answers:
            places = list(re.finditer(rf"\b{re.escape(answer)}\b", part.lower()))
            for place in places:
                inside = ((spans[:, 1] > place.start()) & (spans[:, 0] < place.end())).nonzero()[:, 0]
                if len(inside):
                    found[0, start + int(inside[0])] = found[1, start + int(inside[-1])] = True
            if places:
                break
        start += count
    return found


class _Lesson:
    """Questions beside their texts, as batches."""

    def __init__(self, readings: Readings) -> None:
        self.readings = readings
        self.texts = [joined(group) for group in readings.states]

    def where(self, one: Question) -> Tensor:
        """:func:`right_tokens` of a question."""
        group = self.readings.states[one.text]
        counts = [int((part.spans[:, 1] > part.spans[:, 0]).sum()) for part in group]
        return right_tokens(self.texts[one.text], self.readings.parts[one.text], counts, one.answers)

    def scores(self, reader: Reader, asked: Sequence[Question], open_asked: Sequence[int]) -> Scores:
        """Of questions, and of open ones on the texts of the first of these."""
        texts = [self.texts[one.text] for one in asked]
        wordings = [self.readings.wordings[one.wording] for one in asked]
        wordings += [self.readings.open_wordings[n] for n in open_asked]
        return reader(Padded.of(wordings), Padded.of(texts + texts[: len(open_asked)]))


def fit_reader(
    reader: Reader, readings: Readings, learn: Sequence[Question], plan: ReadingPlan, say: Say
) -> None:
    """Train a reader in place."""
    lesson, rng = _Lesson(readings), np.random.default_rng(plan.seed)
    asked = [one for one in learn if one.kind == YES_NO or bool(lesson.where(one).any(1).all())]
    weight = np.array([_WORDS_WEIGHT if one.kind == WORDS else 1.0 for one in asked])
    weight /= weight.sum()
    opened = round(_OPEN_SHARE * plan.batch)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=plan.learning_rate, weight_decay=0.02)
    schedule = half_cosine(optimizer, plan.steps)
    started = time.monotonic()
    reader.train()
    for step in range(plan.steps):
        drawn = [asked[n] for n in rng.choice(len(asked), plan.batch, p=weight)]
        others = rng.integers(len(readings.open_wordings), size=opened).tolist()
        scores = lesson.scores(reader, drawn, others)
        kinds = [one.kind for one in drawn] + [PART] * opened
        loss = 0.3 * nn.functional.cross_entropy(scores.kind, torch.tensor([KINDS.index(k) for k in kinds]))
        rows = [n for n, one in enumerate(drawn) if one.kind == YES_NO]
        if rows:
            yes = torch.tensor([float(drawn[n].answers[0] == "yes") for n in rows])
            told = scores.told[rows].amax(1)
            loss = loss + nn.functional.binary_cross_entropy_with_logits(told, yes)
        for row, one in enumerate(drawn):
            if one.kind == WORDS:
                first, last = lesson.where(one)
                loss = loss + (_surprise(scores.first[row], first) + _surprise(scores.last[row], last)) / (
                    plan.batch
                )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % _EVERY == 0:
            say(f"step {step}: loss {float(loss.detach()):.3f}")
        if time.monotonic() - started > 60 * plan.minutes:
            break
    reader.eval()


def _surprise(scores: Tensor, right: Tensor) -> Tensor:
    """Minus log-probability of any of the right tokens; scores float (t,), right bool (up to t,)."""
    kept = torch.zeros(len(scores), dtype=torch.bool)
    kept[: len(right)] = right
    return scores.logsumexp(0) - scores.masked_fill(~kept, NOWHERE).logsumexp(0)


def trusted(reader: Reader, readings: Readings, validate: Sequence[Question], say: Say) -> Reader:
    """The same reader with its trust fitted on held-out texts, once whole and once in the part it chooses."""
    odds: dict[str, list[list[float]]] = {YES_NO: [], WORDS: []}
    right: dict[str, list[bool]] = {YES_NO: [], WORDS: []}
    for one in validate:
        question, texts = readings.wordings[one.wording], readings.parts[one.text]
        states = readings.states[one.text]
        whole = read(reader, question, states, texts)
        own = slice(whole.part, whole.part + 1)
        for found in (whole, read(reader, question, states[own], texts[own])):
            if found.kind in odds:
                odds[found.kind].append([found.odds, 1.0])
                right[found.kind].append(found.text in one.answers)
    fitted = dict(reader.config.trust)
    for kind, values in odds.items():
        if len(set(right[kind])) == 2:  # else there is nothing to fit
            by_odds, constant = trust.fit(np.array(values), np.array(right[kind]))
            fitted[kind] = by_odds, constant
        if values:
            say(f"{kind}: {np.mean(right[kind]):.3f} of {len(values)} readings of held-out texts right")
    reader.config = replace(reader.config, trust=fitted)
    return reader
