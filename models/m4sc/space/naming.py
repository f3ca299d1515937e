"""What frozen backbones' own heads call a picture, as points of the space of sentences."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from m4sc.encoders.object_detector import THINGS

_TOP_CLASSES = 5
_LEAST_FREQUENT = 1e-3
_ENOUGH = 1.0  # weight of what is seen from which the mean is not drawn towards nothing


def thing_sentences() -> list[str]:
    """A sentence that names each of the detector's kinds."""
    return [f"{'An' if name[0] in 'aeiou' else 'A'} {name}." for name in THINGS]


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


def thing_scores(features: Tensor, width: int) -> Tensor:
    """The detector's scores, float (n, 80), among features of pictures, float (n, dim).

    width: of what stands before them.
    """
    return torch.sigmoid(features[:, width : width + len(THINGS)])
