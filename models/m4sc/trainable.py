"""What the training loop needs of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor, nn


class Configuration(Protocol):
    """What a network was made from."""

    def to_json(self) -> str:
        """JSON text with every field."""
        ...


class Trainable(nn.Module, ABC):
    """A network around frozen backbones.

    Attributes:
        config: a checkpoint fits only a network of the same one.
    """

    config: Configuration

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the weights are."""

    @abstractmethod
    def trained_state(self) -> dict[str, Tensor]:
        """Every tensor that training changed, as float16, by its name in the state."""
