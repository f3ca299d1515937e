"""Several questions about one message in one sequence: they share the message and do not see each other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

_SHARED, _PADDING = 0, -1


@dataclass(frozen=True)
class Exchange:
    """A question and the token numbers of its answer, end mark last."""

    instruction: str
    answer: list[int]


@dataclass(frozen=True)
class Packed:
    """One sequence; all but the embeddings is on the host.

    Attributes:
        embeds: float (t, hidden).
        owner: int64 (t,), 0 for the shared part, then the number of the question.
        position: int64 (t,); every question goes on right behind the shared part.
        asks: int64 (answer tokens,), places whose output predicts an answer's token.
    """

    embeds: Tensor
    owner: Tensor
    position: Tensor
    asks: Tensor


def pack(shared: Tensor, questions: list[Tensor], answers: list[Tensor]) -> Packed:
    """Lay out embeddings, each float (.., hidden). answers: all but the last token of each."""
    parts, owners, positions, asks = [shared], [torch.zeros(len(shared))], [torch.arange(len(shared))], []
    begin = len(shared)
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True), start=1):
        length = len(question) + len(answer)
        parts += [question, answer]
        owners.append(torch.full((length,), number))
        positions.append(torch.arange(len(shared), len(shared) + length))
        asks.append(torch.arange(begin + len(question) - 1, begin + length))
        begin += length
    return Packed(torch.cat(parts), torch.cat(owners).long(), torch.cat(positions), torch.cat(asks))


def attention_mask(owners: list[Tensor]) -> Tensor:
    """Which place may look where: bool (n, 1, t, t), of sequences padded on the right.

    A place sees what is before it and shared or its own question's; padding sees itself.
    """
    owner = nn.utils.rnn.pad_sequence(owners, batch_first=True, padding_value=_PADDING)  # (n, t)
    before = torch.ones(owner.shape[1], owner.shape[1], dtype=torch.bool).tril()
    same = owner[:, :, None] == owner[:, None, :]
    shared = (owner == _SHARED)[:, None, :]
    return ((same | shared) & before)[:, None]
