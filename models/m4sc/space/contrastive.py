"""Contrastive alignment: a message's features meet the sentences that describe it, and no others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from m4sc.half_cosine import half_cosine
from m4sc.space.projector import Projector

_FIRST_SCALE = 1 / 0.07
_MOST_SCALE = 100.0


class InfoNce(nn.Module):
    """Symmetric InfoNCE with a learned temperature (Radford et al., 2021; van den Oord et al., 2018).

    loss = mean over both directions of -log softmax_j(s a_i . b_j)[i]; rows of one group (descriptions of one
    message, equal class names) are no negatives of each other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(_FIRST_SCALE)))

    def forward(self, a: Tensor, b: Tensor, group: Tensor) -> Tensor:
        """a, b: unit vectors, float (n, dim), a_i and b_i a pair; group: int64 (n,)."""
        scores = a @ b.T * self.log_scale.exp().clamp_max(_MOST_SCALE)
        same = group[:, None] == group
        same.fill_diagonal_(False)
        scores = scores.masked_fill(same, -torch.inf)
        target = torch.arange(len(a), device=a.device)
        both = nn.functional.cross_entropy(scores, target) + nn.functional.cross_entropy(scores.T, target)
        return both / 2


@dataclass(frozen=True)
class Pairs:
    """Messages with their descriptions.

    Attributes:
        views: float (v, n, in_dim): features of each message, seen in v ways; any of them may be drawn.
        sentences: float (n, m, dim): unit vectors of m descriptions each.
        group: int64 (n,): equal for messages whose descriptions fit each other.
        weight: float (n,): how often a message is drawn.
    """

    views: Tensor
    sentences: Tensor
    group: Tensor
    weight: Tensor

    @classmethod
    def of(cls, views: Tensor, sentences: Tensor) -> Pairs:
        """Messages that are all different and drawn equally often."""
        n = views.shape[1]
        return cls(views, sentences, torch.arange(n), torch.ones(n))

    @property
    def mean_sentences(self) -> Tensor:
        """Unit vectors of the means of each message's descriptions, float (n, dim)."""
        return nn.functional.normalize(self.sentences.float().mean(1), dim=-1)

    def drawn(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows of messages, int64 (count,), and the features of each in one of its views, float."""
        chosen = torch.multinomial(self.weight, count, generator=generator)
        view = torch.randint(len(self.views), (count,), generator=generator)
        return chosen, self.views[view, chosen].float()


@dataclass(frozen=True)
class ContrastiveStage:
    """How a projector is trained.

    Attributes:
        epochs: times that as many messages are drawn as there are.
        batch: messages a step.
        learning_rate, weight_decay: of AdamW; the rate falls as a half cosine.
        noise: standard deviation of Gaussian noise on the features, in their standard deviations.
        mix: least weight of a description beside the mean of all descriptions of its message: 1 for the
            description alone.
        spline_rate: learning rate of the splines beside the others'.
        seed: of everything random.
        budget_s: stop after so many seconds, if that comes first.
    """

    epochs: int = 40
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    noise: float = 0.1
    mix: float = 1.0
    spline_rate: float = 1.0
    seed: int = 0
    budget_s: float = math.inf


def train_contrastive(
    projector: Projector,
    pairs: Pairs,
    stage: ContrastiveStage,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> InfoNce:
    """Train a projector in place; returns the loss with its learned temperature.

    progress: called with step and loss now and then.
    """
    generator = torch.Generator().manual_seed(stage.seed)
    torch.manual_seed(stage.seed)  # dropout takes the global generator
    loss_of = InfoNce()
    splines = [p for name, p in projector.named_parameters() if name.startswith("spline.")]
    others = [p for name, p in projector.named_parameters() if not name.startswith("spline.")]
    groups = [
        {"params": others, "lr": stage.learning_rate, "weight_decay": stage.weight_decay},
        {"params": loss_of.parameters(), "lr": stage.learning_rate, "weight_decay": 0.0},
    ]
    if splines:
        rate = stage.learning_rate * stage.spline_rate
        groups.append({"params": splines, "lr": rate, "weight_decay": stage.weight_decay})
    optimizer = torch.optim.AdamW(groups)
    n = pairs.views.shape[1]
    batch = min(stage.batch, n)
    steps = max(1, stage.epochs * n // batch)
    schedule = half_cosine(optimizer, steps)
    projector.train()
    started = time.monotonic()
    for step in range(steps):
        chosen, x = pairs.drawn(batch, generator)
        said = torch.randint(pairs.sentences.shape[1], (batch,), generator=generator)
        noise = torch.randn(x.shape, generator=generator) * projector.std
        target = pairs.sentences[chosen, said].float()
        if stage.mix < 1.0:
            share = stage.mix + (1 - stage.mix) * torch.rand(batch, 1, generator=generator)
            mean = pairs.sentences[chosen].float().mean(1)
            target = nn.functional.normalize(share * target + (1 - share) * mean, dim=-1)
        loss = loss_of(projector(x + stage.noise * noise), target, pairs.group[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            progress(step, float(loss.detach()))
        if time.monotonic() - started > stage.budget_s:
            break
    projector.eval()
    return loss_of
