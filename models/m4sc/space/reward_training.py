"""A speaker learns from what its own sentences earn, not only from the next word of other people's."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.space.word_speaker import UNKNOWN, SpeakerData, WordSpeaker, behind, padded

Reward = Callable[[Sequence[str], Sequence[int]], np.ndarray]
Through = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class RewardStage:
    """How a speaker learns from rewards.

    Attributes:
        minutes, steps: whichever ends first.
        batch: pictures a step.
        draws: sentences drawn for each picture; what the others earn is each one's baseline.
        temperature: of the draws, and so of what is learned: below 1 they stay near the likeliest.
        learning_rate: of Adam.
        kept: weight of the next word of people's sentences beside rewards of unit variance, so that little
            is unlearned.
        sentences: such sentences a step.
        spread: standard deviation a coordinate of noise on the pictures' points.
        average: decay of the running average of the weights, which is what remains.
        seed: of everything random.
    """

    minutes: float = 15.0
    steps: int = 3000
    batch: int = 40
    draws: int = 5
    temperature: float = 0.7
    learning_rate: float = 4e-4
    kept: float = 0.1
    sentences: int = 40
    spread: float = 0.01
    average: float = 0.98
    seed: int = 0


def train_by_reward(
    speaker: WordSpeaker,
    rows: Tensor,
    reward: Reward,
    data: SpeakerData,
    stage: RewardStage,
    through: Through | None = None,
    progress: Callable[[int, float], None] = lambda step, earned: None,
    styles: Tensor | None = None,
) -> None:
    """Self-critical sequence training (Rennie et al., CVPR 2017) in place.

    The baseline of a drawn sentence is the mean reward of the others drawn for the same picture.

    Args:
        speaker: already trained by the next word.
        rows: int64 (m,), pictures of `data` to learn from.
        reward: of sentences, each of which describes a row of ``data.pictures``: float32 (n,).
        data: as the speaker was trained on.
        stage: how.
        through: points to what the channel leaves of them and its quality.
        progress: told step and mean reward, every 50 steps.
        styles: int64, the style in which each row of ``data.pictures`` is spoken of; None: all in the first.
    """
    generator = torch.Generator().manual_seed(stage.seed)
    torch.manual_seed(stage.seed)
    averaged = copy.deepcopy(speaker).eval()
    optimizer = torch.optim.Adam(speaker.parameters(), lr=stage.learning_rate, betas=(0.9, 0.98))
    started = time.monotonic()
    centre = data.pictures.mean(0) - data.points.float().mean(0)
    if styles is None:
        styles = torch.zeros(len(data.pictures), dtype=torch.long)
    earned = 0.0
    for step in range(stage.steps):
        chosen = rows[torch.randint(len(rows), (stage.batch,), generator=generator)]
        points = data.pictures[chosen].float()
        points = points + stage.spread * torch.randn(points.shape, generator=generator)
        points, quality = _heard(nn.functional.normalize(points, dim=-1), through, generator)
        loss, mean = _reward_loss(speaker, points, quality, styles[chosen], chosen, reward, stage, generator)
        if stage.kept > 0:
            loss = loss + stage.kept * _next_word_loss(speaker, data, stage, centre, through, generator)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(speaker.parameters(), 1.0)
        optimizer.step()
        _follow(averaged, speaker, min(stage.average, (step + 1) / (step + 10)))
        earned = mean if step == 0 else 0.95 * earned + 0.05 * mean
        if step % 50 == 0:
            progress(step, earned)
        if time.monotonic() - started > 60 * stage.minutes:
            break
    speaker.load_state_dict(averaged.state_dict())
    speaker.eval()


def _heard(points: Tensor, through: Through | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    if through is None:
        return points, torch.ones(len(points))
    with torch.no_grad():
        return through(points, generator)


def _reward_loss(
    speaker: WordSpeaker,
    points: Tensor,
    quality: Tensor,
    style: Tensor,
    chosen: Tensor,
    reward: Reward,
    stage: RewardStage,
    generator: torch.Generator,
) -> tuple[Tensor, float]:
    """What pushes sentences that earn more than the picture's others, and the mean reward."""
    speaker.eval()  # what is drawn is what is judged: no dropout on either side
    draws, temperature = stage.draws, stage.temperature
    drawn = speaker.sample(points, quality, style, draws, temperature, generator)
    texts = [text for group in drawn for text in group]
    earned = torch.from_numpy(reward(texts, chosen.repeat_interleave(draws).tolist())).view(-1, draws)
    others = (earned.sum(1, keepdim=True) - earned) / (draws - 1)
    better = (earned - others).flatten()
    better = better / better.std().clamp_min(1e-3)
    said = padded(speaker, texts)
    each = torch.arange(len(points)).repeat_interleave(draws)
    surprise, told = _surprise(speaker, said, points[each], quality[each], style[each], temperature)
    weight = better[:, None].expand_as(told)[told]
    return (weight * surprise).mean(), float(earned.mean())


def _next_word_loss(
    speaker: WordSpeaker,
    data: SpeakerData,
    stage: RewardStage,
    centre: Tensor,
    through: Through | None,
    generator: torch.Generator,
) -> Tensor:
    """Of people's sentences, half of them behind their picture's point where there is one."""
    speaker.train()
    chosen = torch.randint(len(data.points), (stage.sentences,), generator=generator)
    x = data.points[chosen].float() + centre
    x = x + 0.025 * torch.randn(x.shape, generator=generator)
    row = data.seen[chosen]
    swap = (row >= 0) & (torch.rand(len(x), generator=generator) < 0.5)
    x[swap] = data.pictures[row[swap]].float()
    x, quality = _heard(nn.functional.normalize(x, dim=-1), through, generator)
    return _surprise(speaker, data.said[chosen], x, quality, data.style[chosen])[0].mean()


def _surprise(
    speaker: WordSpeaker,
    said: Tensor,
    points: Tensor,
    quality: Tensor,
    style: Tensor,
    temperature: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Minus log-probability of each word to learn, float (m,), and where they stand, bool (n, t)."""
    said = said[:, : int((said >= 0).sum(1).max())]
    foretold, _ = speaker.states(behind(said), *speaker.context(points, quality, style))
    told = (said >= 0) & (said != UNKNOWN)
    scores = speaker.scores(foretold[told]) / temperature
    return nn.functional.cross_entropy(scores, said[told], reduction="none"), told


@torch.no_grad()
def _follow(averaged: nn.Module, speaker: nn.Module, decay: float) -> None:
    for own, other in zip(averaged.parameters(), speaker.parameters(), strict=True):
        own.lerp_(other, 1 - decay)
