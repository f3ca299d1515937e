"""Made-up features of the backbone's own classes: what its head knows, without a labelled picture."""

from __future__ import annotations

import torch
from torch import Tensor

from m4sc.encoders.object_detector import FEATURES, THINGS
from m4sc.space.contrastive import Pairs

_OWN_SHARE = 0.5  # of a photograph's deviation from the mean that a prototype keeps
_SPREAD = 2.0
_ALONG = 0.5  # how far other features follow a kind's log odds: what no photograph showed is far to go
_UNSURE = 0.25  # of the photographs, whose surest kind is less sure than any that is made up


def prototype_features(
    features: Tensor, weight: Tensor, bias: Tensor, copies: int, generator: torch.Generator
) -> Tensor:
    """Features as a picture of each class would have, float (copies, classes, dim).

    Regression of the features f on a class's score s = w . f + b says how they change with it: slope =
    Cov(f, w . f) / Var(w . f). From a photograph drawn at random, halfway to the mean, one goes along the
    slope until the class's score is as high as the winner's in a photograph.

    Args:
        features: of photographs, float (n, dim); the head reads the first columns.
        weight, bias: of the head, float (classes, width) and (classes,).
        copies: prototypes a class.
        generator: of the photographs drawn.
    """
    width = weight.shape[1]
    mean = features.mean(0)
    centred = features - mean
    read = centred[:, :width] @ weight.T  # (n, classes)
    slope = (centred.T @ read / len(features) / read.square().mean(0)).T  # (classes, dim)
    winning = (features[:, :width] @ weight.T + bias).amax(1).median()
    found = []
    for _ in range(copies):
        drawn = torch.randint(len(features), (len(weight),), generator=generator)
        base = mean + _OWN_SHARE * centred[drawn]
        now = (base[:, :width] * weight).sum(1) + bias
        wanted = winning + _SPREAD * torch.rand(len(weight), generator=generator)
        found.append(base + (wanted - now)[:, None] * slope)
    return torch.stack(found).clamp_min(features.amin(0))


def with_kinds(made: Tensor, kinds: Tensor, features: Tensor, generator: torch.Generator) -> Tensor:
    """Made-up features to which the detector's signs of one of its kinds are added, float (m, dim).

    The kind's log odds become what the surest kind's are in a photograph drawn at random, one of it is
    counted, and all features go part of the way along their regression on the log odds.

    Args:
        made: float (m, dim).
        kinds: int64 (m,), of :data:`m4sc.encoders.object_detector.THINGS`; -1 for none.
        features: of photographs, float (n, dim), which end with the detector's.
        generator: of the photographs drawn.
    """
    first = features.shape[1] - FEATURES
    odds = features[:, first : first + len(THINGS)]
    centred = odds - odds.mean(0)
    slope = centred.T @ (features - features.mean(0)) / len(features)
    slope = slope / centred.square().mean(0).clamp_min(1e-6)[:, None]  # (80, dim)
    best = odds.amax(1)
    sure = best[best >= best.quantile(_UNSURE)]
    wanted = sure[torch.randint(len(sure), (len(made),), generator=generator)]
    rows = (kinds >= 0).nonzero()[:, 0]
    kind, goal = kinds[rows], wanted[rows]
    found = made.clone()
    far = goal - made[rows, first + kind]
    found[rows] += _ALONG * far.clamp_min(0)[:, None] * slope[kind]
    found = torch.minimum(torch.maximum(found, features.amin(0)), features.amax(0))
    found[rows, first + kind] = torch.maximum(goal, made[rows, first + kind])
    counted = first + len(THINGS) + kind
    found[rows, counted] = torch.maximum(found[rows, counted], torch.sigmoid(goal).sqrt())
    return found


def with_prototypes(pairs: Pairs, prototypes: Tensor, classes: Tensor, share: float) -> Pairs:
    """Photographs' pairs and, as `share` of as many draws, prototypes with their names' points.

    prototypes: float (v, classes, dim), as many views as the photographs have; classes: float (classes, dim).
    """
    m = len(classes)
    said = classes[:, None].expand(-1, pairs.sentences.shape[1], -1)
    return Pairs(
        torch.cat([pairs.views, prototypes.to(pairs.views.dtype)], 1),
        torch.cat([pairs.sentences, said.to(pairs.sentences.dtype)]),
        torch.cat([pairs.group, pairs.group.max() + 1 + torch.arange(m)]),
        torch.cat([pairs.weight, torch.full((m,), share * float(pairs.weight.sum()) / m)]),
    )
