"""Whether somebody is in a picture: what a detector sees corrects what the picture's point says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from m4sc.data.caption_facts import KINDS, find_facts
from m4sc.encoders.object_detector import THINGS
from m4sc.space.confidence import fit
from m4sc.space.discriminant import discriminant

Described = tuple[Tensor, Sequence[Sequence[str]]]
PERSON = THINGS.index("person")
_HALF, _STEEP = (
    0.2,
    3.0,
)  # score of the detector at which somebody is as probably there as not; slope of log odds
_PENALTY = 1e-2  # keeps the discriminant from the covariance's smallest directions
_SURE = 1e-3  # scores are kept off 0 and 1 by it
_ROLES = """skier snowboarder surfer skateboarder biker bicyclist cyclist motorcyclist batter pitcher rider
    male female pedestrian swimmer climber hiker runner athlete worker soldier officer policeman fisherman
    cowboy bride groom mother father son daughter brother sister parent dancer singer musician performer
    goalie catcher driver"""
_NAMED = frozenset(word + end for word in _ROLES.split() for end in ("", "s"))


def names_somebody(sentence: str) -> bool:
    """Whether a sentence says that a person is there."""
    facts = find_facts([sentence])
    people = "person" in facts.vague or any(KINDS[thing] == "person" for thing in facts.mentions)
    return people or not _NAMED.isdisjoint(sentence.lower().replace(".", " ").replace(",", " ").split())


class People(nn.Module):
    """Directions of the space along which sentences with and without people lie apart.

    One is the difference of their means, along which a point is moved; the other, which tells more, Fisher's
    linear discriminant. Captions of photographs that a projector learned from have people riding motorcycles
    and eating pizzas, and few that stand there alone; so a point is moved the farther, the less it is like
    those photographs' points.
    """

    direction: Tensor
    telling: Tensor
    odds: Tensor
    strange: Tensor
    strangeness: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("direction", torch.zeros(dim))
        self.register_buffer("telling", torch.zeros(dim))
        self.register_buffer("odds", torch.zeros(2))
        self.register_buffer("strange", torch.zeros(dim))
        self.register_buffer("strangeness", torch.zeros(1))

    def learn(self, said: Tensor, sentences: Sequence[str], seen: Described, imagined: Described) -> None:
        """Take the directions from sentences, and what a point says along one from described pictures.

        Args:
            said: points of sentences, float (n, dim).
            sentences: these.
            seen: points of photographs, float (m, dim), and captions of each.
            imagined: the same of pictures that no photograph has.
        """
        somebody = torch.tensor([names_somebody(sentence) for sentence in sentences])
        own, other = said[somebody], said[~somebody]
        self.direction.copy_(nn.functional.normalize(own.mean(0) - other.mean(0), dim=0))
        self.telling.copy_(nn.functional.normalize(discriminant(other, own, _PENALTY)[0], dim=0))
        along = torch.cat([seen[0], imagined[0]]) @ self.telling
        there = np.array([any(map(names_somebody, group)) for group in (*seen[1], *imagined[1])])
        found = fit(np.stack([along.numpy(), np.ones(len(along))], 1), there, penalty=0.0)
        self.odds.copy_(torch.tensor(found))
        weight, bias = discriminant(seen[0], imagined[0])
        self.strange.copy_(weight)
        self.strangeness.copy_(bias)

    def told(self, points: Tensor) -> Tensor:
        """How probably somebody is in each picture, float (n,), by its point, float (n, dim)."""
        return torch.sigmoid(self.odds[0] * (points @ self.telling) + self.odds[1])

    def corrected(self, points: Tensor, scores: Tensor, absent: float, present: float) -> Tensor:
        """Points, unit vectors float (n, dim), moved along the direction where a detector disagrees.

        Args:
            points: of pictures.
            scores: of the detector for a person, float (n,), 0 to 1.
            absent, present: how far, where it sees nobody and where it sees somebody.
        """
        seen = torch.sigmoid(_STEEP * (torch.logit(scores, _SURE) - np.log(_HALF / (1 - _HALF))))
        gap = seen - self.told(points)
        far = torch.where(gap < 0, absent * gap, present * gap)
        far = far * torch.sigmoid(points @ self.strange + self.strangeness)
        return nn.functional.normalize(points + far[:, None] * self.direction, dim=-1)
