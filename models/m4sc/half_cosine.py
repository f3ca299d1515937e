"""The learning rate of most trainings here: it falls as half a cosine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR


def half_cosine(optimizer: Optimizer, steps: int, warm_up: int = 0) -> LambdaLR:
    """Rates that fall to 0 within `steps`, behind a linear rise over the first `warm_up`."""
    from torch.optim.lr_scheduler import LambdaLR

    def share(step: int) -> float:
        risen = min(1.0, step / warm_up) if warm_up else 1.0
        return risen * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))

    return LambdaLR(optimizer, share)
