"""Spline grids of the projectors, laid where the features are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from m4sc.coding.kan import BSplineKanLayer
from m4sc.mllm.network import Network
from m4sc.training.features import Sample

_MESSAGES = 256
_TOKENS = 2048


def fit_grids(network: Network, samples: Sequence[Sample], rng: np.random.Generator) -> None:
    """Update the grid of each B-spline projector by tokens of its modality; other kinds have none to move.

    Once is enough: the encoders are frozen, so that their features stay where they are.
    """
    for modality, layer in network.projectors.items():
        if not isinstance(layer, BSplineKanLayer):
            continue
        found = [s.features for s in samples if s.modality == modality and s.features is not None]
        if not found:
            continue
        chosen = rng.choice(len(found), min(_MESSAGES, len(found)), replace=False)
        tokens = torch.cat([found[i].float() for i in chosen])
        tokens = tokens[torch.from_numpy(rng.permutation(len(tokens))[:_TOKENS])].to(network.device)
        if len(tokens) > layer.n_basis:
            layer.update_grid(tokens)
