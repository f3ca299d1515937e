"""How well two modalities find each other in the space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def recall_at(queries: Tensor, gallery: Tensor, owner: Tensor, counts: Sequence[int] = (1, 5)) -> list[float]:
    """Share of queries with a right item among the nearest k, for each k.

    Args:
        queries: unit vectors, float (n, dim).
        gallery: unit vectors, float (m, dim).
        owner: int64 (m,): the query that an item of the gallery belongs to.
        counts: the values of k.
    """
    scores = queries @ gallery.T  # (n, m)
    right = owner == torch.arange(len(queries))[:, None]
    best = scores.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
    rank = (scores > best).sum(1)  # items nearer than the nearest right one
    return [float((rank < k).float().mean()) for k in counts]
