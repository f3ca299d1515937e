"""Where pictures would lie that nobody has at hand, only people's sentences about them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Imagination:
    """How points of pictures deviate from their captions'.

    Attributes:
        share: of a caption's deviation from the mean caption that its picture's point has.
        seen, said: mean of the pictures' points and of their captions', float (dim,).
        rest: what of each picture's point its captions do not explain, float (n, dim).
    """

    share: float
    seen: Tensor
    said: Tensor
    rest: Tensor

    @classmethod
    def of(cls, pictures: Tensor, captions: Tensor) -> Imagination:
        """From points of pictures, as a projector that does not know them gives, and of their captions.

        Both unit vectors, float (n, dim).
        """
        seen, said = pictures.mean(0), captions.mean(0)
        x, y = captions - said, pictures - seen
        share = float((x * y).sum() / x.square().sum().clamp_min(1e-9))
        return cls(share, seen, said, y - share * x)

    def __call__(self, captions: Tensor, generator: torch.Generator) -> Tensor:
        """Points of captions, float (m, dim), to those of pictures they might describe, float (m, dim).

        The unexplained part is that of a picture drawn at random.
        """
        drawn = torch.randint(len(self.rest), (len(captions),), generator=generator)
        points = self.seen + self.share * (captions - self.said) + self.rest[drawn]
        return nn.functional.normalize(points, dim=-1)
