"""The belief that texts are read with: low-rank changes that make a language model expect short messages.

Only a receiver uses them, so pairs with other changes understand each other (:mod:`m4sc.codecs.text_code`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from m4sc.codecs.text_code.alphabet import Alphabet
from m4sc.codecs.text_code.prior import OPENING
from m4sc.data.short_messages import short_messages

_MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class PriorTraining:
    """How it is trained.

    Attributes:
        rank: of the changes.
        batch: texts a step; `captions`: how many of them are others than messages, so that the model still
            expects plain sentences.
        tokens: of a text that are read.
        rate: highest learning rate.
    """

    rank: int = 8
    batch: int = 14
    captions: int = 3
    tokens: int = 20
    rate: float = 1e-3


class _Changed(nn.Module):
    """A frozen matrix and its change, which is zero at first."""

    def __init__(self, frozen: nn.Linear, rank: int) -> None:
        super().__init__()
        self.frozen = frozen
        self.down = nn.Parameter(torch.empty(rank, frozen.in_features))
        self.up = nn.Parameter(torch.zeros(frozen.out_features, rank))
        nn.init.normal_(self.down, std=frozen.in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(x) + (x @ self.down.T) @ self.up.T


class TextPrior:
    """A language model and its changes, while they are trained."""

    def __init__(self, folder: Path, config: PriorTraining | None = None, seed: int = 0) -> None:
        """folder: of the language model, as transformers reads it."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.manual_seed(seed)
        self.config = config or PriorTraining()
        self.alphabet = Alphabet(AutoTokenizer.from_pretrained(str(folder)))
        self.model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.bfloat16)
        self.model.requires_grad_(False)
        self._changed: dict[str, _Changed] = {}
        for name, module in list(self.model.named_modules()):
            parent, _, own = name.rpartition(".")
            if own in _MATRICES:
                self._changed[name] = _Changed(module, self.config.rank)
                setattr(self.model.get_submodule(parent), own, self._changed[name])
        self._opening = self.alphabet.with_marks(OPENING)

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        return [part for changed in self._changed.values() for part in (changed.down, changed.up)]

    def losses(self, texts: Sequence[str]) -> list[Tensor]:
        """-ln probability of each token, float (tokens,), of each text."""
        rows = [[*self._opening, *self.alphabet.numbers(text)[: self.config.tokens]] for text in texts]
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        first = len(self._opening) - 1
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
            picked = torch.cat([hidden[n, first : len(row) - 1] for n, row in enumerate(rows)])
            scores = self.model.lm_head(picked)
        target = torch.cat([torch.tensor(row[first + 1 :]) for row in rows])
        each = nn.functional.cross_entropy(scores.float(), target, reduction="none")
        return list(each.split([len(row) - first - 1 for row in rows]))

    @torch.no_grad()
    def bits_per_token(self, texts: Sequence[str]) -> float:
        """What the model's belief costs a token of `texts`."""
        every = torch.cat([loss for text in texts for loss in self.losses([text])])
        return float(every.mean()) / math.log(2)

    def train(
        self, captions: Sequence[str], steps: int, seed: int, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """Train the changes on messages made up anew at each step and on captions.

        Args:
            captions: plain sentences.
            steps: how many.
            seed: of the texts.
            tell: called with a line every tenth step.
        """
        c, rng, started = self.config, np.random.default_rng(seed), time.monotonic()
        adam = torch.optim.AdamW(self.parameters(), weight_decay=0.0)
        for step in range(steps):
            decay = max(0.05, 0.5 * (1 + math.cos(math.pi * step / steps)))
            adam.param_groups[0]["lr"] = c.rate * decay * min(1.0, (step + 1) / 8)
            texts = short_messages(c.batch - c.captions, rng)
            texts += [captions[n] for n in rng.integers(len(captions), size=c.captions)]
            loss = torch.cat(self.losses(texts)).mean()
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            adam.step()
            if step % 10 == 9:
                bits, seconds = float(loss.detach()) / math.log(2), time.monotonic() - started
                tell(f"step {step + 1} of {steps}: {bits:.2f} bits a token, {seconds:.0f} s")

    def save(self, path: Path) -> None:
        """Write the changes as :func:`m4sc.codecs.text_code.prior.add_adapter` takes them, float16."""
        tensors = {f"{name}.{key}": part for name, c in self._changed.items() for key, part in _parts(c)}
        save_file(tensors, str(path))


def _parts(changed: _Changed) -> list[tuple[str, Tensor]]:
    both = (("down", changed.down), ("up", changed.up))
    return [(key, part.detach().to(torch.float16).contiguous()) for key, part in both]
