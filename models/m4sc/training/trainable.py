"""What the training loop needs of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from m4sc.tensor_file import save_network


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
    def is_trained(self, name: str) -> bool:
        """Whether training may change the tensor of this name in the state: frozen backbones are left out."""

    def trained_state(self) -> dict[str, Tensor]:
        """Every tensor that training changed, as float16, by its name in the state."""
        return {
            name: values.detach().half().contiguous()
            for name, values in self.state_dict().items()
            if self.is_trained(name)
        }

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``config.json``."""
        tensors = {name: values.cpu() for name, values in self.trained_state().items()}
        save_network(tensors, self.config.to_json(), folder)
