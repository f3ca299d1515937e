"""A small language model of words that writes the sentence a point of the space stands for."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LENGTH_POWER = 0.7  # of words, by which a sentence's log-probability is divided
END, UNKNOWN = 0, 1  # numbers of the end mark, which also begins a sentence, and of words that are too rare
_SPECIAL = 2
_NEVER = -1e9
_LEAST_WORDS = 3
_ROWS = 512  # sentences whose scores of all words are held at once


def words_of(sentence: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.findall(r"[a-z0-9]+(?:['-][a-z]+)*", sentence.lower())


def as_sentence(words: Sequence[str]) -> str:
    """Words with a capital and a full stop."""
    text = " ".join(words)
    return text[:1].upper() + text[1:] + "." if text else ""


def vocabulary(sentences: Sequence[str], least_count: int = 3) -> tuple[str, ...]:
    """Words that occur at least so often, the most frequent first."""
    counts = Counter(word for sentence in sentences for word in words_of(sentence))
    return tuple(word for word, count in counts.most_common() if count >= least_count)


@dataclass(frozen=True)
class WordSpeakerConfig:
    """Shape of the speaker.

    Attributes:
        words: its vocabulary; word n has number n + 2.
        styles: ways of writing that it knows, by source of its sentences.
        space_dim: width of the space.
        width: of a word's embedding, and of what the point and the style become beside each word.
        hidden: of the recurrent state.
        most_words: longest sentence.
        dropout: in training.
    """

    words: tuple[str, ...]
    styles: tuple[str, ...] = ("plain",)
    space_dim: int = 384
    width: int = 256
    hidden: int = 512
    most_words: int = 20
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if not self.words or not self.styles:
            raise ValueError("a speaker needs at least one word and one style")
        if min(self.width, self.hidden, self.most_words) < 1:
            raise ValueError("a speaker needs widths and a longest sentence of at least 1")


class WordSpeaker(nn.Module):
    """A gated recurrent unit (Cho et al., 2014) that reads [word; point] and foretells the next word.

    As "Show and tell" (Vinyals et al., CVPR 2015), with a point of the space in the place of a picture: so it
    learns from sentences alone.
    """

    def __init__(self, config: WordSpeakerConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.embedding = nn.Embedding(len(c.words) + _SPECIAL, c.width)
        nn.init.normal_(self.embedding.weight, std=c.width**-0.5)
        self.style = nn.Embedding(len(c.styles), c.width)
        self.point = nn.Linear(c.space_dim + 1, c.width)
        self.first = nn.Linear(c.width, c.hidden)
        self.gru = nn.GRU(2 * c.width, c.hidden, batch_first=True)
        self.dropout = nn.Dropout(c.dropout)
        self.out = nn.Linear(c.hidden, c.width)
        self.bias = nn.Parameter(torch.zeros(len(c.words) + _SPECIAL))
        self.numbers = {word: n + _SPECIAL for n, word in enumerate(c.words)}

    def token_ids(self, sentence: str) -> list[int]:
        """Numbers of a sentence's words, cut to ``most_words``."""
        return [self.numbers.get(word, UNKNOWN) for word in words_of(sentence)][: self.config.most_words]

    def context(self, points: Tensor, quality: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """What is said and how.

        Args:
            points: unit vectors, float (n, space_dim).
            quality: float (n,), 0 to 1: how much of the point has been heard.
            style: int64 (n,), index of ``styles``.

        Returns:
            float (n, width), beside each word, and the first state, float (1, n, hidden).
        """
        scaled = torch.cat([points * self.config.space_dim**0.5, quality[:, None]], -1)
        beside = torch.tanh(self.point(scaled) + self.style(style))
        return beside, torch.tanh(self.first(beside))[None]

    def states(self, said: Tensor, beside: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Words, int64 (n, t), to what foretells the next one, float (n, t, width), and the last state."""
        words = self.dropout(self.embedding(said))
        x = torch.cat([words, beside[:, None].expand_as(words)], -1)
        y, state = self.gru(x, state)
        return self.out(self.dropout(y)), state

    def scores(self, foretold: Tensor) -> Tensor:
        """float (..., width) to scores of the next word, float (..., vocabulary)."""
        return foretold @ self.embedding.weight.T + self.bias

    def _begun(
        self, points: Tensor, quality: Tensor, style: int | Tensor, count: int
    ) -> tuple[Tensor, Tensor]:
        """What :meth:`context` gives for `count` sentences on each point; style: of all, or of each point."""
        each = style if isinstance(style, Tensor) else torch.full((len(points),), style)
        rows = torch.arange(len(points)).repeat_interleave(count)
        return self.context(points[rows], quality[rows], each[rows])

    def _next(self, word: Tensor, beside: Tensor, state: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Scores, float (n, vocabulary), behind a word, int64 (n,), and the state after it."""
        foretold, state = self.states(word[:, None], beside, state)
        logits = self.scores(foretold[:, 0]).float()
        logits[:, UNKNOWN] = _NEVER
        if step < _LEAST_WORDS:
            logits[:, END] = _NEVER
        if step:  # a word is not said twice in a row
            logits.scatter_(1, word[:, None], _NEVER)
        if step == self.config.most_words:
            logits[:, _SPECIAL:] = _NEVER
            logits[:, END] = 0.0
        return logits, state

    @torch.inference_mode()
    def beam_search(
        self,
        points: Tensor,
        quality: Tensor,
        style: int = 0,
        beams: int = 5,
        length_power: float = LENGTH_POWER,
    ) -> list[list[tuple[str, float]]]:
        """The likeliest sentences for each point, best first, with log-probability over words**length_power.

        points: float (n, space_dim); quality: float (n,); beams: sentences a point.
        """
        n, c = len(points), self.config
        beside, state = self._begun(points, quality, style, beams)
        said = torch.empty(n * beams, 0, dtype=torch.long)
        word = torch.full((n * beams,), END)
        score = torch.full((n, beams), -torch.inf)
        score[:, 0] = 0.0
        done: list[list[tuple[str, float]]] = [[] for _ in range(n)]
        for step in range(c.most_words + 1):
            logits, state = self._next(word, beside, state, step)
            total = score[..., None] + logits.log_softmax(-1).unflatten(0, (n, beams))
            best, where = total.flatten(1).topk(2 * beams)  # (n, 2 beams)
            source, chosen = where // logits.shape[1], where % logits.shape[1]
            score = torch.full((n, beams), -torch.inf)
            source_of = torch.zeros(n, beams, dtype=torch.long)
            word_of = torch.full((n, beams), UNKNOWN)
            for i in range(n):
                filled = 0
                found = zip(best[i].tolist(), source[i].tolist(), chosen[i].tolist(), strict=True)
                for value, beam, number in found:
                    if value <= _NEVER / 2 or filled == beams:
                        continue
                    if number == END:
                        ids = said[i * beams + beam].tolist()
                        done[i].append((self._text(ids), value / max(len(ids), 1) ** length_power))
                        continue
                    score[i, filled], source_of[i, filled], word_of[i, filled] = value, beam, number
                    filled += 1
            keep = (source_of + torch.arange(n)[:, None] * beams).flatten()
            word = word_of.flatten()
            said, state = torch.cat([said[keep], word[:, None]], 1), state[:, keep]
            if min(map(len, done)) >= 2 * beams:
                break
        return [sorted(found, key=lambda item: -item[1])[:beams] for found in done]

    @torch.inference_mode()
    def sample(
        self,
        points: Tensor,
        quality: Tensor,
        style: int | Tensor = 0,
        count: int = 16,
        temperature: float = 0.8,
        generator: torch.Generator | None = None,
    ) -> list[list[str]]:
        """`count` sentences drawn for each point; style: of all, or int64 (n,) of each."""
        n, c = len(points), self.config
        beside, state = self._begun(points, quality, style, count)
        said = torch.full((n * count, c.most_words), END)
        going = torch.arange(n * count)  # rows of sentences that have not ended
        word = torch.full((n * count,), END)
        for step in range(c.most_words):
            logits, state = self._next(word, beside, state, step)
            below = (logits / temperature).softmax(-1).cumsum(-1)
            draw = torch.rand(len(word), 1, generator=generator) * below[:, -1:]
            word = torch.searchsorted(below, draw, right=True)[:, 0].clamp_max(below.shape[1] - 1)
            said[going, step] = word
            kept = word != END
            going, word, beside, state = going[kept], word[kept], beside[kept], state[:, kept]
            if not len(going):
                break
        texts = [self._text(row) for row in said.tolist()]
        return [texts[i * count : (i + 1) * count] for i in range(n)]

    @torch.inference_mode()
    def log_probability(self, points: Tensor, quality: Tensor, style: Tensor, said: Tensor) -> Tensor:
        """Natural logarithms of how probably sentences are said of points, float (n,).

        points: float (n, space_dim); quality: float (n,); style: int64 (n,); said: int64 (n, t), as
        :func:`padded` gives them.
        """
        parts = (points, quality, style, said)
        return torch.cat(
            [self._log_probability(*part) for part in zip(*(x.split(_ROWS) for x in parts), strict=True)]
        )

    def _log_probability(self, points: Tensor, quality: Tensor, style: Tensor, said: Tensor) -> Tensor:
        said = said[:, : int((said >= 0).sum(1).max())]
        foretold, _ = self.states(behind(said), *self.context(points, quality, style))
        each = self.scores(foretold).float().log_softmax(-1).gather(-1, said.clamp_min(0)[..., None])[..., 0]
        return (each * (said >= 0)).sum(1)

    def _text(self, ids: Sequence[int]) -> str:
        return as_sentence([self.config.words[k - _SPECIAL] for k in ids if k >= _SPECIAL])


@dataclass(frozen=True)
class SpeakerData:
    """What a speaker learns from.

    Attributes:
        points: unit vectors, float (n, dim): of the sentences themselves.
        said: int64 (n, most_words + 1): their words, the end mark behind them, -1 after that.
        style: int64 (n,).
        seen: int64 (n,): row of ``pictures`` that a sentence describes, -1 for none.
        pictures: unit vectors, float (m, dim), of messages of another modality.
    """

    points: Tensor
    said: Tensor
    style: Tensor
    seen: Tensor
    pictures: Tensor


def behind(said: Tensor) -> Tensor:
    """What stands before each word, int64 (n, t): the mark that begins a sentence, then the words before."""
    return torch.cat([torch.full((len(said), 1), END), said[:, :-1].clamp_min(0)], 1)


def padded(speaker: WordSpeaker, sentences: Sequence[str]) -> Tensor:
    """Words of sentences as :class:`SpeakerData` has them."""
    rows = torch.full((len(sentences), speaker.config.most_words + 1), -1)
    for n, sentence in enumerate(sentences):
        ids = [*speaker.token_ids(sentence), END]
        rows[n, : len(ids)] = torch.tensor(ids)
    return rows


@dataclass(frozen=True)
class SpeakerStage:
    """How a speaker is trained.

    Attributes:
        minutes, steps: whichever ends first; steps is the schedule's length.
        batch: sentences a step.
        learning_rate, weight_decay: of AdamW; the rate warms up and falls as a half cosine.
        most_noise: standard deviation a coordinate of noise on a sentence's own point, drawn from 0 to it.
        pictures: share of described messages whose point is taken instead of the sentence's.
        smoothing: of labels.
        bf16: autocast.
        seed: of everything random.
    """

    minutes: float = 20.0
    steps: int = 1500
    batch: int = 384
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    most_noise: float = 0.05
    pictures: float = 0.0
    smoothing: float = 0.1
    bf16: bool = True
    seed: int = 0


def train_speaker(
    speaker: WordSpeaker,
    data: SpeakerData,
    stage: SpeakerStage,
    through: Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]] | None = None,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train a speaker in place.

    through: points, float (n, dim), to what the channel leaves of them and its quality, float (n,).
    """
    generator = torch.Generator().manual_seed(stage.seed)
    torch.manual_seed(stage.seed)
    plain = [p for p in speaker.parameters() if p.dim() < 2]
    decayed = [p for p in speaker.parameters() if p.dim() >= 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": stage.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=stage.learning_rate,
        betas=(0.9, 0.98),
    )
    warm = max(1, min(100, stage.steps // 10))
    started = time.monotonic()

    def rate(step: int) -> float:
        done = max(step / stage.steps, (time.monotonic() - started) / (60 * stage.minutes))
        return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    speaker.train()
    centre = data.pictures.mean(0) - data.points.mean(0) if len(data.pictures) else 0.0
    for step in range(stage.steps):
        chosen = torch.randint(len(data.points), (stage.batch,), generator=generator)
        x = data.points[chosen].float()
        own = torch.randn(x.shape, generator=generator)
        own = own * (stage.most_noise * torch.rand(len(x), 1, generator=generator))
        x = x + centre + own
        row = data.seen[chosen]
        swap = (row >= 0) & (torch.rand(len(x), generator=generator) < stage.pictures)
        x[swap] = data.pictures[row[swap]].float()
        x = nn.functional.normalize(x, dim=-1)
        quality = torch.ones(len(x))
        if through is not None:
            with torch.no_grad():
                x, quality = through(x, generator)
        said = data.said[chosen]
        said = said[:, : int((said >= 0).sum(1).max())]
        foretold, _ = speaker.states(behind(said), *speaker.context(x, quality, data.style[chosen]))
        told = (said >= 0) & (said != UNKNOWN)
        with torch.autocast("cpu", torch.bfloat16, enabled=stage.bf16):  # the vocabulary is most of the work
            scores = speaker.scores(foretold[told]).float()
        loss = nn.functional.cross_entropy(scores, said[told], label_smoothing=stage.smoothing)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(speaker.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            progress(step, float(loss.detach()))
        if time.monotonic() - started > 60 * stage.minutes:
            break
    speaker.eval()
