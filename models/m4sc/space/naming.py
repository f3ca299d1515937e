"""What frozen backbones' own heads call a picture, as points of the space of sentences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m4sc.encoders.object_detector import FEATURES, THINGS
from m4sc.space.knowledge_base import quantised

_TOP_CLASSES = 5
_LEAST_FREQUENT = 1e-3
_ENOUGH = 1.0  # weight of what is seen from which the mean is not drawn towards nothing


class Naming(nn.Module):
    """A network that holds the points of what the backbones' heads can name."""

    classes: Tensor
    things: Tensor
    rarity: Tensor

    def __init__(self, dim: int, things: bool) -> None:
        """dim: width of the space; things: the detector's kinds too."""
        super().__init__()
        self.register_buffer("classes", torch.zeros(1000, dim, dtype=torch.int8))
        if things:
            self.register_buffer("things", torch.zeros(len(THINGS), dim, dtype=torch.int8))
            self.register_buffer("rarity", torch.zeros(len(THINGS)))

    def set_classes(self, points: Tensor) -> None:
        """Take the points of the class sentences, float (1000, dim)."""
        self.classes.copy_(quantised(points))

    def set_things(self, points: Tensor, rarity: Tensor) -> None:
        """Take the points of the sentences on the detector's kinds, float (80, dim), and what each tells."""
        self.things.copy_(quantised(points))
        self.rarity.copy_(rarity)


def naming_sentence(name: str) -> str:
    """ "apple" to "An apple."."""
    return f"{'An' if name[0].lower() in 'aeiou' else 'A'} {name}."


def thing_sentences() -> list[str]:
    """A sentence that names each of the detector's kinds."""
    return [naming_sentence(name) for name in THINGS]


def thing_rarity(scores: Tensor) -> Tensor:
    """What each of the detector's kinds tells, from its scores for many pictures: float (n, 80) to (80,).

    A person is on most photographs and says little of one of them.
    """
    return -scores.mean(0).clamp(_LEAST_FREQUENT, 1.0).log()


def named_classes(classes: Tensor, scores: Tensor) -> Tensor:
    """Mean point of the likeliest ImageNet classes, float (n, dim), shorter where the head is unsure.

    classes: int8 (1000, dim), of the sentences that name them; scores: float (n, 1000), before the softmax.
    """
    share, which = scores.softmax(-1).topk(_TOP_CLASSES)  # (n, 5)
    points = nn.functional.normalize(classes[which].float(), dim=-1)
    return (share[..., None] * points).sum(1)


def named_things(things: Tensor, rarity: Tensor, scores: Tensor) -> Tensor:
    """Mean point of what a detector sees, float (n, dim), shorter where that is little.

    things: int8 (80, dim), of the sentences that name its kinds; rarity: float (80,);
    scores: float (n, 80), 0 to 1.
    """
    weight = scores**3 * rarity
    points = nn.functional.normalize(things.float(), dim=-1)
    return weight @ points / weight.sum(-1, keepdim=True).clamp_min(_ENOUGH)


def thing_scores(features: Tensor) -> Tensor:
    """The detector's scores, float (n, 80), of pictures' features, float (n, dim), which end with its own."""
    return torch.sigmoid(features[:, -FEATURES:][:, : len(THINGS)])
