"""What is beside, on or in something is named by picture and question together.

A picture's point says which things are there, not where each is. What people mean who ask "What is on the
left side of the bed?" is learned from such questions: which names answer it at all, which of those the
picture makes likely, and how far the judge of statements is to be believed there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m4sc.space.sentence_encoder import SPACE_DIM


class PlacedNames(nn.Module):
    """Log odds of names, from question, picture and what the judge says of each name's statement.

    A low-rank product of what is asked and seen with the names, each name's own constant, and a share of the
    judge's log odds.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.question = nn.Linear(SPACE_DIM, hidden)
        self.picture = nn.Linear(2 * SPACE_DIM, hidden)
        self.gate = nn.Linear(SPACE_DIM, hidden)
        self.name = nn.Linear(SPACE_DIM, hidden, bias=False)
        self.often = nn.Linear(SPACE_DIM, 1)
        self.believed = nn.Parameter(torch.tensor(0.3))
        self.dropout = nn.Dropout(0.3)

    def forward(self, question: Tensor, points: Tensor, statements: Tensor, odds: Tensor) -> Tensor:
        """Unnormalised log probabilities of names.

        Args:
            question: unit vectors, float (n, 384) or (1, 384).
            points: of the pictures, float (n, 768).
            statements: unit vectors of the names' statements, float (m, 384).
            odds: the judge's, float (n, m).

        Returns:
            float (n, m).
        """
        seen = self.picture(points * (2 * SPACE_DIM) ** 0.5) * torch.sigmoid(self.gate(question))
        meant = self.dropout(torch.tanh(self.question(question) + seen))
        fits = meant @ self.name(statements * SPACE_DIM**0.5).T / 4
        return torch.as_tensor(fits + self.often(statements)[:, 0] + self.believed * odds)
