"""What people will probably say of a picture, straight from its features."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from m4sc.half_cosine import half_cosine
from m4sc.space.contrastive import Pairs
from m4sc.space.projector import Standardised


class Expectation(Standardised):
    """Posterior mean of what is said of a picture, about the mean of what is said of any.

    A picture's point is made to be told from other pictures' and keeps what a caption may never mention. What
    a channel with few symbols should carry is what its captions most probably mean, which least squares finds
    from the features themselves. It is shorter where the features say less, and nothing where they say
    nothing: beside the point it then changes nothing.
    """

    def __init__(self, in_dim: int, out_dim: int, hidden: int, dropout: float = 0.5) -> None:
        """in_dim: of the features; out_dim: of the space; hidden: units; dropout: of both layers' inputs."""
        super().__init__(in_dim)
        self.dropout = nn.Dropout(dropout)
        self.first = nn.Linear(in_dim, hidden)
        self.last = nn.Linear(hidden, out_dim)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, features: Tensor) -> Tensor:
        """features: float (..., in_dim). Returns float (..., out_dim), of length 0 to about 1."""
        x = self.dropout(self.z_scores(features))
        found: Tensor = self.last(self.dropout(nn.functional.gelu(self.first(x))))
        return found


@dataclass(frozen=True)
class ExpectationStage:
    """How an expectation is learned.

    Attributes:
        epochs: times that as many messages are drawn as there are.
        batch: messages a step.
        learning_rate, weight_decay: of AdamW; the rate falls as a half cosine.
        noise: standard deviation of Gaussian noise on the features, in their standard deviations.
        seed: of everything random.
        budget_s: stop after so many seconds, if that comes first.
    """

    epochs: int = 20
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    noise: float = 0.1
    seed: int = 0
    budget_s: float = math.inf


def train_expectation(
    network: Expectation,
    pairs: Pairs,
    centre: Tensor,
    stage: ExpectationStage,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train in place by least squares on the mean of each message's sentences.

    Args:
        network: whose scale is fitted.
        pairs: messages and their sentences.
        centre: what is said of any picture, float (out_dim,).
        stage: how.
        progress: told step and loss now and then.
    """
    generator = torch.Generator().manual_seed(stage.seed)
    torch.manual_seed(stage.seed)  # dropout takes the global generator
    targets = pairs.mean_sentences - centre
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=stage.learning_rate, weight_decay=stage.weight_decay
    )
    n = pairs.views.shape[1]
    batch = min(stage.batch, n)
    steps = max(1, stage.epochs * n // batch)
    schedule = half_cosine(optimizer, steps)
    network.train()
    started = time.monotonic()
    for step in range(steps):
        chosen, x = pairs.drawn(batch, generator)
        noise = torch.randn(x.shape, generator=generator) * network.std
        loss = (network(x + stage.noise * noise) - targets[chosen]).square().sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            progress(step, float(loss.detach()))
        if time.monotonic() - started > stage.budget_s:
            break
    network.eval()
