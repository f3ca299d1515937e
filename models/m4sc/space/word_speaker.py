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

END, UNKNOWN = 0, 1  # numbers of the end mark, which also begins a sentence, and of words that are too rare
_SPECIAL = 2
_NEVER = -1e9


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
        width, layers, heads: of the transformer.
        prefix: tokens that the point becomes.
        most_words: longest sentence.
        dropout: in training.
    """

    words: tuple[str, ...]
    styles: tuple[str, ...] = ("plain",)
    space_dim: int = 384
    width: int = 256
    layers: int = 2
    heads: int = 4
    prefix: int = 4
    most_words: int = 20
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.words or not self.styles:
            raise ValueError("a speaker needs at least one word and one style")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads, {self.heads}")


class WordSpeaker(nn.Module):
    """A causal transformer over [prefix of the point; style; words]."""

    shift: Tensor

    def __init__(self, config: WordSpeakerConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.register_buffer("shift", torch.zeros(c.space_dim))
        self.embedding = nn.Embedding(len(c.words) + _SPECIAL, c.width)
        nn.init.normal_(self.embedding.weight, std=c.width**-0.5)
        self.place = nn.Parameter(0.02 * torch.randn(c.prefix + 2 + c.most_words, c.width))
        self.style = nn.Embedding(len(c.styles), c.width)
        self.point = nn.Linear(c.space_dim + 1, c.prefix * c.width)
        layer = nn.TransformerEncoderLayer(
            c.width, c.heads, 4 * c.width, c.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, c.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(c.width)
        self.numbers = {word: n + _SPECIAL for n, word in enumerate(c.words)}

    def token_ids(self, sentence: str) -> list[int]:
        """Numbers of a sentence's words, cut to ``most_words``."""
        return [self.numbers.get(word, UNKNOWN) for word in words_of(sentence)][: self.config.most_words]

    def forward(self, points: Tensor, quality: Tensor, style: Tensor, said: Tensor) -> Tensor:
        """Scores of the next word at every place.

        Args:
            points: unit vectors, float (n, space_dim), about the mean ``shift`` of their modality.
            quality: float (n,), 0 to 1: how much of the point has been heard.
            style: int64 (n,), index of ``styles``.
            said: int64 (n, t), words so far.

        Returns:
            float (n, t + 1, vocabulary).
        """
        c = self.config
        scaled = torch.cat([points * c.space_dim**0.5, quality[:, None]], -1)
        prefix = self.point(scaled).unflatten(-1, (c.prefix, c.width))
        begin = self.embedding.weight[END].expand(len(points), 1, -1)
        tokens = [prefix, self.style(style)[:, None], begin, self.embedding(said)]
        x = torch.cat(tokens, 1)
        x = x + self.place[: x.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
        y = self.norm(self.body(x, mask=mask, is_causal=True)[:, c.prefix + 1 :])
        return y @ self.embedding.weight.T

    @torch.inference_mode()
    def beam_search(
        self, points: Tensor, quality: Tensor, style: int = 0, beams: int = 5, length_power: float = 0.7
    ) -> list[list[tuple[str, float]]]:
        """The likeliest sentences for each point, best first, with log-probability a word to a power.

        points: float (n, space_dim); quality: float (n,); beams: sentences a point.
        """
        n, c = len(points), self.config
        rows = torch.arange(n).repeat_interleave(beams)
        x, q = points[rows], quality[rows]
        styles = torch.full((n * beams,), style)
        said = torch.empty(n * beams, 0, dtype=torch.long)
        score = torch.full((n, beams), -torch.inf)
        score[:, 0] = 0.0
        done: list[list[tuple[str, float]]] = [[] for _ in range(n)]
        for step in range(c.most_words + 1):
            logits = self(x, q, styles, said)[:, -1].float()
            logits[:, UNKNOWN] = _NEVER
            if step < 3:
                logits[:, END] = _NEVER
            if step:  # a word is not said twice in a row
                logits.scatter_(1, said[:, -1:], _NEVER)
            if step == c.most_words:
                logits[:, _SPECIAL:] = _NEVER
            total = score[..., None] + logits.log_softmax(-1).unflatten(0, (n, beams))
            best, where = total.flatten(1).topk(2 * beams)  # (n, 2 beams)
            source = where // logits.shape[1]
            word = where % logits.shape[1]
            going_s = torch.full((n, beams), -torch.inf)
            going_from = torch.zeros(n, beams, dtype=torch.long)
            going_word = torch.full((n, beams), UNKNOWN)
            for i in range(n):
                filled = 0
                for b, s, w in zip(best[i].tolist(), source[i].tolist(), word[i].tolist(), strict=True):
                    if b == -math.inf or filled == beams:
                        continue
                    if w == END:
                        ids = said[i * beams + s].tolist()
                        text = as_sentence([c.words[k - _SPECIAL] for k in ids])
                        done[i].append((text, b / max(len(ids), 1) ** length_power))
                        continue
                    going_s[i, filled], going_from[i, filled], going_word[i, filled] = b, s, w
                    filled += 1
            score = going_s
            keep = (going_from + torch.arange(n)[:, None] * beams).flatten()
            said = torch.cat([said[keep], going_word.flatten()[:, None]], 1)
            if min(map(len, done)) >= 2 * beams:
                break
        return [sorted(found, key=lambda item: -item[1])[:beams] for found in done]

    @torch.inference_mode()
    def sample(
        self,
        points: Tensor,
        quality: Tensor,
        style: int = 0,
        count: int = 16,
        temperature: float = 0.8,
        generator: torch.Generator | None = None,
    ) -> list[list[str]]:
        """`count` sentences drawn for each point; arguments as of :meth:`beam_search`."""
        n, c = len(points), self.config
        rows = torch.arange(n).repeat_interleave(count)
        x, q, styles = points[rows], quality[rows], torch.full((n * count,), style)
        said = torch.empty(n * count, 0, dtype=torch.long)
        open_ = torch.ones(n * count, dtype=torch.bool)
        for step in range(c.most_words):
            logits = self(x, q, styles, said)[:, -1].float() / temperature
            logits[:, UNKNOWN] = _NEVER
            if step < 3:
                logits[:, END] = _NEVER
            word = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
            word = torch.where(open_, word, END)
            said = torch.cat([said, word[:, None]], 1)
            open_ &= word != END
            if not open_.any():
                break
        texts = [as_sentence([c.words[k - _SPECIAL] for k in row if k >= _SPECIAL]) for row in said.tolist()]
        return [texts[i * count : (i + 1) * count] for i in range(n)]


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
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(step / stage.steps, 1.0)))),
    )
    speaker.train()
    started = time.monotonic()
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
        with torch.autocast("cpu", torch.bfloat16, enabled=stage.bf16):
            scores = speaker(x, quality, data.style[chosen], said[:, :-1].clamp_min(0))
        told = said >= 0
        told &= said != UNKNOWN
        loss = nn.functional.cross_entropy(scores[told].float(), said[told], label_smoothing=stage.smoothing)
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
