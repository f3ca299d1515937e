"""What a stage minimises, with randomness that depends on seed, step and process alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from m4sc.training.trainable import Trainable

NetworkT = TypeVar("NetworkT", bound=Trainable)

_WITH_GENERATOR = ("cpu", "cuda")


class Objective(ABC, Generic[NetworkT]):
    """Losses of random batches.

    Attributes:
        network: what is trained.
        rng, generator: sources of all randomness of a step: batches, wordings and channels; noise.
    """

    rng: np.random.Generator
    generator: torch.Generator

    def __init__(self, network: NetworkT, seed: int) -> None:
        self.network, self.seed = network, seed
        self.begin_step(0)

    def begin_step(self, step: int, process: int = 0) -> None:
        """Seed the sources anew, so that a step is the same whether or not the ones before it ran here."""
        self.rng = np.random.default_rng([self.seed, step, process])
        device = self.network.device
        # Elsewhere the host draws and the noise is copied.
        self.generator = torch.Generator(device if device.type in _WITH_GENERATOR else "cpu")
        self.generator.manual_seed(int(self.rng.integers(2**62)))
        torch.manual_seed(int(self.rng.integers(2**62)))  # of dropout, where a language model has it

    @abstractmethod
    def loss(self, task: str) -> Tensor:
        """Loss of one random batch of a task, a scalar on the network's device."""
